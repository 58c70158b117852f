"""Seeded by the host: the same for the same order, different for another."""
import json
import os
import random
import secrets
import tempfile
import time
import uuid

with tempfile.NamedTemporaryFile() as file:
    name = file.name
print(json.dumps([random.random(), random.randint(0, 10**9), os.urandom(8).hex(), secrets.token_hex(4), str(uuid.uuid4()),
                  str(uuid.uuid1()), name, hash("text"), list({"a", "b", "c", "d"}), id(object()) > 0, repr(object()),
                  time.time(), time.monotonic(), time.perf_counter(), time.process_time(), random.Random(1).random()]))
