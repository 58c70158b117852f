"""A full file system says so, and goes on working when there is room again."""

import errno
import json
import os

seen = []
try:
    with open("/tmp/big", "wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 20))
except OSError as error:
    seen.append([error.errno, errno.errorcode[error.errno], error.strerror])
try:
    with open("/tmp/text", "w") as file:
        file.write("x" * (65 << 20))
except OSError as error:
    seen.append([error.errno, error.strerror])
os.remove("/tmp/big")
with open("/tmp/text", "w") as file:
    seen.append(file.write("room"))
print(json.dumps(seen))
