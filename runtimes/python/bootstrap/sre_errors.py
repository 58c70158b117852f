"""Error numbers as Linux has them: scripts print them (`[Errno 2] No such file or directory`) and compare them.

The C library has WASI's. `finish.py` lets CPython translate them where it makes an exception of them, with a
table from here; this module changes what Python code sees: the module `errno`, `os.strerror`, and which number
is which exception class.
"""

import errno
import gc
import os

# From Linux' include/uapi/asm-generic/errno-base.h and errno.h, which x86-64 and AArch64 share.
LINUX = dict(
    EPERM=1, ENOENT=2, ESRCH=3, EINTR=4, EIO=5, ENXIO=6, E2BIG=7, ENOEXEC=8, EBADF=9, ECHILD=10, EAGAIN=11,
    ENOMEM=12, EACCES=13, EFAULT=14, EBUSY=16, EEXIST=17, EXDEV=18, ENODEV=19, ENOTDIR=20, EISDIR=21, EINVAL=22,
    ENFILE=23, EMFILE=24, ENOTTY=25, ETXTBSY=26, EFBIG=27, ENOSPC=28, ESPIPE=29, EROFS=30, EMLINK=31, EPIPE=32,
    EDOM=33, ERANGE=34, EDEADLK=35, ENAMETOOLONG=36, ENOLCK=37, ENOSYS=38, ENOTEMPTY=39, ELOOP=40, ENOMSG=42,
    EIDRM=43, ENOLINK=67, EPROTO=71, EMULTIHOP=72, EBADMSG=74, EOVERFLOW=75, EILSEQ=84, ENOTSOCK=88,
    EDESTADDRREQ=89, EMSGSIZE=90, EPROTOTYPE=91, ENOPROTOOPT=92, EPROTONOSUPPORT=93, ENOTSUP=95,
    EAFNOSUPPORT=97, EADDRINUSE=98, EADDRNOTAVAIL=99, ENETDOWN=100, ENETUNREACH=101, ENETRESET=102,
    ECONNABORTED=103, ECONNRESET=104, ENOBUFS=105, EISCONN=106, ENOTCONN=107, ESHUTDOWN=108, ETIMEDOUT=110,
    ECONNREFUSED=111, EHOSTUNREACH=113, EALREADY=114, EINPROGRESS=115, ESTALE=116, EDQUOT=122, ECANCELED=125,
    EOWNERDEAD=130, ENOTRECOVERABLE=131,
)  # fmt: skip
LINUX_ALIASES = dict(EWOULDBLOCK=11, EDEADLOCK=35, EOPNOTSUPP=95)

# WASI has a number for "outside of what was given to you"; on Linux that is a matter of permission.
LINUX_OF_WASI_ONLY = dict(ENOTCAPABLE=1)

wasi_of = {}
linux_of = {}


def install():
    """Renumbers `errno` and `os.strerror`. Before modules are imported that copy numbers."""
    for name, number in [*errno.__dict__.items()]:
        if name.startswith("E") and isinstance(number, int):
            linux = LINUX.get(name) or LINUX_ALIASES.get(name) or LINUX_OF_WASI_ONLY.get(name)
            if linux is None:
                raise SystemError(f"no number for {name}")
            linux_of[number] = linux
            if name not in LINUX_OF_WASI_ONLY:
                wasi_of[linux] = number
    errno.errorcode.clear()
    for name, number in LINUX.items():
        errno.errorcode[number] = name
    for name in LINUX_OF_WASI_ONLY:
        del errno.__dict__[name]
    errno.__dict__.update(LINUX, **LINUX_ALIASES)
    describe = os.strerror

    def strerror(code, /):
        """Translate an error code to a message string."""
        return describe(wasi_of[code]) if code in wasi_of else f"Unknown error {code}"

    os.strerror = strerror


def install_classes():
    """Lets the numbers of Linux choose the class of an OSError. When nothing of the build fails any more: until `finish.py` has
    worked, the numbers of exceptions are WASI's."""
    (classes,) = [
        found
        for found in gc.get_objects()
        if type(found) is dict and found.get(wasi_of[LINUX["ENOENT"]]) is FileNotFoundError
    ]
    renumbered = {linux_of[number]: kind for number, kind in classes.items()}
    classes.clear()
    classes.update(renumbered)


def table():
    """For each number of WASI, one byte each, that of Linux."""
    return bytes(linux_of.get(number, number) for number in range(256))
