"""No processes, no sockets: ordinary exceptions."""

import json
import os
import select
import socket
import subprocess
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor

seen = {}
for name, call in {
    "fork": lambda: os.fork(),
    "system": lambda: os.system("ls"),
    "popen": lambda: os.popen("ls"),
    "run": lambda: subprocess.run(["ls"]),
    "check_output": lambda: subprocess.check_output("ls", shell=True),
    "execv": lambda: os.execv("/bin/ls", ["ls"]),
    "thread": lambda: threading.Thread(target=str).start(),
    "pool": lambda: ThreadPoolExecutor().submit(str).result(),
    "socket": lambda: socket.socket(),
    "udp": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    "connect": lambda: socket.create_connection(("example.com", 80)),
    "server": lambda: socket.create_server(("", 80)),
    "pair": lambda: socket.socketpair(),
    "resolve": lambda: socket.getaddrinfo("example.com", 80),
    "byname": lambda: socket.gethostbyname("localhost"),
    "urlopen": lambda: urllib.request.urlopen("http://example.com/"),
    "select": lambda: select.select([], [], [], 0.01),
    "symlink": lambda: os.symlink("a", "/tmp/b"),
    "kill": lambda: os.kill(os.getpid(), 0),
    "fqdn": lambda: socket.getfqdn(),
}.items():
    try:
        seen[name] = repr(call())
    except (OSError, RuntimeError, ImportError, AttributeError) as error:
        seen[name] = type(error).__name__
print(json.dumps(seen))
