"""What a process may do and this world cannot: it raises an ordinary OSError, and never reaches the host.

CPython imports `wasi:sockets`, which the host does not offer: a call would end the whole run. So every way there is closed
in Python. Threads, processes and links fail by themselves with the exceptions that CPython has for them.
"""

import errno
import os
import select
import signal
import socket
import sys

import _socket
from wit_world.imports import exit as wasi_exit

NATIVE = "run the skill on the native backend"


def refusal(name, what, kind=OSError, number=errno.ENOTSUP):
    """A function called `name` that raises."""

    def refuse(*_args, **_how):
        raise kind(number, f"{name}: {what} in the WebAssembly sandbox; {NATIVE}")

    refuse.__name__ = refuse.__qualname__ = name
    refuse.__doc__ = f"Refused: {what} here."
    return refuse


def install():
    """Replaces the functions, once, before the snapshot."""
    sockets()
    processes()


def sockets():
    no_network = "there is no network"
    resolver = {"getaddrinfo", "getnameinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr"}
    others = {"getservbyname", "getservbyport", "getprotobyname", "socketpair", "if_nameindex", "if_nametoindex"}
    for name in (resolver | others | {"if_indextoname", "sethostname", "dup", "close"}) & set(dir(_socket)):
        kind, number = (socket.gaierror, socket.EAI_FAIL) if name in resolver else (OSError, errno.ENOTSUP)
        refuse = refusal(name, no_network, kind, number)
        setattr(_socket, name, refuse)
        setattr(socket, name, refuse)
    for name in ("socketpair", "create_connection", "create_server", "fromfd"):
        setattr(socket, name, refusal(name, no_network))
    # `_socket.socket` is the only type that makes descriptors; all of Python's sockets derive from it.
    socket.socket.__init__ = refusal("socket", no_network)

    class Closed(_socket.socket):
        __init__ = refusal("socket", no_network)

    Closed.__name__ = Closed.__qualname__ = "socket"
    _socket.socket = _socket.SocketType = socket.SocketType = Closed
    _socket.gethostname = socket.gethostname = lambda: "localhost"


def processes():
    no_processes = "there are no processes"
    for name in "fork forkpty execv execve posix_spawn posix_spawnp system wait waitpid".split():
        if not hasattr(os, name):
            setattr(os, name, refusal(name, no_processes))

    def _exit(status):
        """Ends the run with this status, without flushing or calling anything."""
        wasi_exit.exit_with_code(status & 0xFF)

    def abort():
        """Ends the run as the signal SIGABRT ends a process."""
        sys.stderr.flush()
        _exit(134)

    os._exit, os.abort = _exit, abort
