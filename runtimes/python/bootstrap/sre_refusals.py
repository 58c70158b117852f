"""What a process may do and this world cannot: it raises an ordinary OSError, and never reaches the host.

CPython imports `wasi:sockets`, which the host does not offer: a call would end the whole run. So every way there is closed
in Python. To start a program fails as it does where the program is not installed.
"""

import errno
import os
import select
import signal
import socket
import subprocess
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


def no_program(name):
    """What a missing program is."""
    if isinstance(name, bytes):
        name = os.fsdecode(name)
    what = "No such file or directory: there are no programs in the WebAssembly sandbox"
    return FileNotFoundError(errno.ENOENT, f"{what}; {NATIVE}", name)


def processes():
    for name in "fork forkpty wait waitpid kill pipe".split():
        if not hasattr(os, name):
            setattr(os, name, refusal(name, "there are no processes"))

    def system(command):
        """Execute the command in a subshell."""
        raise no_program("/bin/sh")

    def execute(path, argv, *_env):
        """Execute an executable path with arguments, replacing current process."""
        raise no_program(os.fspath(path))

    def start(self, args, bufsize=-1, executable=None, *_more, shell=False, **_how):
        """`subprocess.Popen.__init__`: no program can be found."""
        if shell:
            raise no_program(executable or "/bin/sh")
        first = args if isinstance(args, (str, bytes, os.PathLike)) else [*args][0]
        raise no_program(os.fspath(executable or first))

    os.system = system
    os.execv = os.execve = execute
    os.posix_spawn = os.posix_spawnp = execute
    subprocess.Popen.__init__ = start

    def _exit(status):
        """Ends the run with this status, without flushing or calling anything."""
        wasi_exit.exit_with_code(status & 0xFF)

    def abort():
        """Ends the run as the signal SIGABRT ends a process."""
        sys.stderr.flush()
        _exit(134)

    os._exit, os.abort = _exit, abort
