"""Modules that packages import without using them."""

import json

seen = {}
for name in """ssl ctypes ctypes.util ctypes.wintypes pwd grp fcntl http.server webbrowser multiprocessing multiprocessing.pool multiprocessing.dummy
        socketserver resource termios readline curses curses.ascii concurrent.futures.process sre_parse sre_compile sre_constants ftplib smtplib
        imaplib poplib xmlrpc.client xmlrpc.server wsgiref.simple_server mailbox netrc wave""".split():
    try:
        __import__(name)
    except ImportError as error:
        seen[name] = str(error)
import ctypes
import fcntl
import getpass
import multiprocessing
import os
import pwd
import resource
import ssl
import termios
import webbrowser
from concurrent.futures import ProcessPoolExecutor
from http.server import HTTPServer, SimpleHTTPRequestHandler


class Point(ctypes.Structure):
    _fields_ = [("x", ctypes.c_int), ("y", ctypes.c_int * 3)]


with open("/tmp/lock", "w") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.lockf(lock.fileno(), fcntl.LOCK_UN)
for name, call in {
    "getuid": lambda: [
        os.getuid(),
        os.getegid(),
        pwd.getpwuid(os.getuid()).pw_name,
        pwd.getpwnam("skill").pw_dir,
        getpass.getuser(),
    ],
    "home": lambda: pwd.getpwuid(0),
    "browser": lambda: webbrowser.open("https://example.com/"),
    "context": lambda: ssl.create_default_context(),
    "library": lambda: ctypes.CDLL("libc.so.6"),
    "found": lambda: ctypes.util.find_library("c"),
    "windows": lambda: ctypes.windll,
    "point": lambda: Point(1, 2),
    "limit": lambda: resource.getrlimit(resource.RLIMIT_NOFILE),
    "terminal": lambda: termios.tcgetattr(0),
    "process": lambda: multiprocessing.Process(target=print).start(),
    "pool": lambda: multiprocessing.Pool(2),
    "processes": lambda: ProcessPoolExecutor().submit(print),
    "server": lambda: HTTPServer(("", 8000), SimpleHTTPRequestHandler),
    "cpus": multiprocessing.cpu_count,
    "main": lambda: multiprocessing.current_process().name,
}.items():
    try:
        seen[name] = call()
    except Exception as error:
        seen[name] = f"{type(error).__name__}: {error}"[:90]
print(json.dumps(seen))
