"""Modules that scripts and packages import and this world cannot have: importing them works, using them is an
ordinary exception.

Where a true answer exists, it is given: there is one user, and a lock on a file is free, because nothing else runs.
"""

import enum
import os
import sys
import types
from collections import namedtuple

import sre_refusals

SSL_CONSTANTS = """CERT_NONE CERT_OPTIONAL CERT_REQUIRED PROTOCOL_TLS PROTOCOL_TLS_CLIENT PROTOCOL_TLS_SERVER PROTOCOL_TLSv1
PROTOCOL_TLSv1_1 PROTOCOL_TLSv1_2 PROTOCOL_SSLv23 OP_ALL OP_NO_SSLv2 OP_NO_SSLv3 OP_NO_TLSv1 OP_NO_TLSv1_1
OP_NO_TLSv1_2 OP_NO_TLSv1_3 OP_NO_COMPRESSION OP_NO_TICKET OP_NO_RENEGOTIATION VERIFY_DEFAULT
VERIFY_X509_STRICT VERIFY_X509_PARTIAL_CHAIN VERIFY_X509_TRUSTED_FIRST SSL_ERROR_WANT_READ
SSL_ERROR_WANT_WRITE SSL_ERROR_EOF SSL_ERROR_SSL SSL_ERROR_SYSCALL SSL_ERROR_ZERO_RETURN""".split()

CTYPES_TYPES = """c_bool c_byte c_char c_char_p c_double c_float c_int c_int8 c_int16 c_int32 c_int64 c_long c_longdouble
c_longlong c_short c_size_t c_ssize_t c_ubyte c_uint c_uint8 c_uint16 c_uint32 c_uint64 c_ulong c_ulonglong
c_ushort c_void_p c_wchar c_wchar_p py_object Structure Union BigEndianStructure LittleEndianStructure Array""".split()


def install_for_library():
    """What the library itself may use: before it is imported."""
    users()
    processes()


def install_for_scripts():
    """What the library is better off without: after it is imported."""
    files_and_limits()
    terminals()
    tls()
    foreign_code()


def add(name, doc, **contents):
    """A module of this name."""
    module = types.ModuleType(name, doc)
    module.__dict__.update(contents)
    sys.modules[name] = module
    parent, _, last = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], last, module)
    return module


def refused(names, what, kind=OSError):
    return {name: sre_refusals.refusal(name, what, kind) for name in names.split()}


def refused_class(name, what):
    """A class that can be named and derived from; making an object of it raises."""
    return type(name, (), {"__init__": sre_refusals.refusal(name, what)})


def users():
    """One user, `skill`, whose number is that of the native backend."""
    number, name, home = 1000, "skill", "/home/skill"
    for attribute in "getuid geteuid getgid getegid".split():
        setattr(os, attribute, lambda: number)
    os.getgroups = lambda: [number]
    os.getppid = lambda: 1
    os.umask = lambda mask, /: 0o022
    os.getlogin = lambda: name

    passwd = namedtuple("struct_passwd", "pw_name pw_passwd pw_uid pw_gid pw_gecos pw_dir pw_shell", module="pwd")
    user = passwd(name, "x", number, number, "", home, "/bin/sh")
    group = namedtuple("struct_group", "gr_name gr_passwd gr_gid gr_mem", module="grp")(name, "x", number, [])

    def find(entry, position, function, kind):
        def lookup(key, /):
            if entry[position] != key:
                raise KeyError(f"{function}(): {kind} not found: {key!r}")
            return entry

        return lookup

    add("pwd", "The one user.", struct_passwd=type(user), getpwall=lambda: [user],
        getpwuid=find(user, 2, "getpwuid", "uid"), getpwnam=find(user, 0, "getpwnam", "name"))  # fmt: skip
    add("grp", "The one group.", struct_group=type(group), getgrall=lambda: [group],
        getgrgid=find(group, 2, "getgrgid", "gid"), getgrnam=find(group, 0, "getgrnam", "name"))  # fmt: skip


def files_and_limits():
    def flock(fd, operation, /):
        """Lock or unlock a file: nothing else runs, so the lock is free."""
        os.fstat(fd if isinstance(fd, int) else fd.fileno())

    def lockf(fd, cmd, len=0, start=0, whence=0, /):
        """Lock or unlock a part of a file: nothing else runs, so the lock is free."""
        flock(fd, cmd)

    add("fcntl", "Locks of files.", flock=flock, lockf=lockf, LOCK_SH=1, LOCK_EX=2, LOCK_NB=4, LOCK_UN=8, FD_CLOEXEC=1,
        F_DUPFD=0, F_GETFD=1, F_SETFD=2, F_GETFL=3, F_SETFL=4, F_GETLK=5, F_SETLK=6, F_SETLKW=7, F_RDLCK=0, F_WRLCK=1, F_UNLCK=2,
        **refused("fcntl ioctl", "it does not exist"))  # fmt: skip
    limits = "RLIMIT_CPU RLIMIT_FSIZE RLIMIT_DATA RLIMIT_STACK RLIMIT_CORE RLIMIT_RSS RLIMIT_NPROC RLIMIT_NOFILE RLIMIT_MEMLOCK RLIMIT_AS"
    add("resource", "Limits of processes.", error=OSError, RLIM_INFINITY=-1, RUSAGE_SELF=0, RUSAGE_CHILDREN=-1,
        getpagesize=lambda: 65536, **{name: number for number, name in enumerate(limits.split())},
        **refused("getrlimit setrlimit prlimit getrusage", "the host sets and counts the limits"))  # fmt: skip


def terminals():
    what = "there is no terminal"
    error = type("error", (Exception,), {"__module__": "termios"})
    add("termios", "Terminals.", error=error, TCSANOW=0, TCSADRAIN=1, TCSAFLUSH=2, ECHO=8, ICANON=2, VMIN=6, VTIME=5, TIOCGWINSZ=0x5413,
        **refused("tcgetattr tcsetattr tcsendbreak tcdrain tcflush tcflow tcgetwinsize tcsetwinsize", what))  # fmt: skip
    add("readline", "Editing of lines at a terminal, which has no effect without one.", backend="readline",
        **{name: lambda *_args: None for name in """parse_and_bind set_completer set_completer_delims set_history_length
           read_history_file write_history_file append_history_file add_history clear_history set_startup_hook
           set_pre_input_hook set_auto_history get_completer redisplay read_init_file""".split()},
        get_completer_delims=lambda: " \t\n", get_history_length=lambda: -1, get_current_history_length=lambda: 0,
        get_line_buffer=lambda: "", get_history_item=lambda _index: None)  # fmt: skip
    curses = add("curses", "Screens of terminals.", error=type("error", (Exception,), {"__module__": "curses"}), __path__=[],
        **refused("initscr wrapper setupterm newwin newpad endwin start_color cbreak nocbreak noecho echo curs_set has_colors "
                  "init_pair color_pair tigetnum tigetstr", what))  # fmt: skip
    for number, name in enumerate("BLACK RED GREEN YELLOW BLUE MAGENTA CYAN WHITE".split()):
        setattr(curses, f"COLOR_{name}", number)
    curses.A_NORMAL, curses.A_BOLD, curses.A_REVERSE, curses.A_UNDERLINE = 0, 1 << 21, 1 << 18, 1 << 17
    curses.KEY_DOWN, curses.KEY_UP, curses.KEY_LEFT, curses.KEY_RIGHT, curses.KEY_ENTER, curses.KEY_RESIZE = (
        258,
        259,
        260,
        261,
        343,
        410,
    )
    for name in "ascii textpad panel has_key".split():
        add(f"curses.{name}", "Screens of terminals.", **refused("Textbox rectangle new_panel has_key", what))


def tls():
    what = "there is no network and no TLS"
    error = type("SSLError", (OSError,), {"__module__": "ssl"})
    names = "SSLZeroReturnError SSLWantReadError SSLWantWriteError SSLSyscallError SSLEOFError SSLCertVerificationError"
    errors = {name: type(name, (error,), {"__module__": "ssl"}) for name in names.split()}
    classes = {
        name: refused_class(name, what) for name in "SSLContext SSLSocket SSLObject SSLSession MemoryBIO".split()
    }
    constants = {name: number for number, name in enumerate(SSL_CONSTANTS)}
    version = enum.IntEnum(
        "TLSVersion",
        dict(MINIMUM_SUPPORTED=-2, SSLv3=768, TLSv1=769, TLSv1_1=770, TLSv1_2=771, TLSv1_3=772, MAXIMUM_SUPPORTED=-1),
    )
    purpose = enum.Enum("Purpose", dict(SERVER_AUTH="1.3.6.1.5.5.7.3.1", CLIENT_AUTH="1.3.6.1.5.5.7.3.2"))
    add("ssl", "TLS, which this Python does not have.", SSLError=error, CertificateError=errors["SSLCertVerificationError"], TLSVersion=version,
        Purpose=purpose, HAS_SNI=False, HAS_ALPN=False, HAS_NPN=False, HAS_ECDH=False, HAS_TLSv1_2=False, HAS_TLSv1_3=False,
        HAS_NEVER_CHECK_COMMON_NAME=False, OPENSSL_VERSION="OpenSSL 3.0.0 (a stand-in without TLS)", OPENSSL_VERSION_INFO=(3, 0, 0, 0, 0),
        OPENSSL_VERSION_NUMBER=0x30000000,
        CHANNEL_BINDING_TYPES=[], socket_error=OSError, VerifyMode=enum.IntEnum("VerifyMode", SSL_CONSTANTS[:3], start=0),
        **errors, **classes, **constants,
        **refused("create_default_context _create_unverified_context _create_default_https_context wrap_socket get_server_certificate "
                  "get_default_verify_paths cert_time_to_seconds RAND_bytes RAND_add RAND_status DER_cert_to_PEM_cert "
                  "PEM_cert_to_DER_cert match_hostname", what))  # fmt: skip


def foreign_code():
    what = "there is no foreign code"
    loader = type("LibraryLoader", (), {
        "__init__": lambda self, _kind=None: None,
        "__getattr__": lambda self, name: refuse_library(name),
        "LoadLibrary": lambda self, name: refuse_library(name),
    })  # fmt: skip
    refuse_library = sre_refusals.refusal("CDLL", what)
    # `c_int * 3` names a type.
    kind = type("PyCSimpleType", (type,), {"__mul__": lambda cls, _count: cls, "__rmul__": lambda cls, _count: cls})
    classes = {
        name: kind(name, (), {"__init__": sre_refusals.refusal(name, what), "__module__": "ctypes"})
        for name in CTYPES_TYPES
    }
    libraries = {name: type(name, (), {"__init__": refuse_library}) for name in "CDLL PyDLL OleDLL WinDLL".split()}
    ctypes = add("ctypes", "Foreign functions, which this Python does not have.", __path__=[], **classes, **libraries,
        ArgumentError=type("ArgumentError", (Exception,), {"__module__": "ctypes"}), LibraryLoader=loader, cdll=loader(), pydll=loader(),
        pythonapi=loader(), RTLD_LOCAL=0, RTLD_GLOBAL=256, DEFAULT_MODE=0,
        **refused("pointer byref addressof sizeof alignment cast memmove memset string_at wstring_at create_string_buffer "
                  "create_unicode_buffer CFUNCTYPE PYFUNCTYPE get_errno set_errno resize", what))  # fmt: skip
    ctypes.POINTER = lambda kind: refused_class(f"LP_{getattr(kind, '__name__', kind)}", what)
    add("ctypes.util", "Finds libraries: there are none.", find_library=lambda _name: None)
    add(
        "ctypes.wintypes",
        "Types of Windows.",
        **{name: refused_class(name, what) for name in "DWORD HANDLE BOOL LPCWSTR LPWSTR WORD BYTE".split()},
    )


def processes():
    """What `multiprocessing` needs to be imported; making a lock or a process raises."""
    what = "there are no processes"
    os.WNOHANG = 1
    lock = refused_class("SemLock", what)
    lock.SEM_VALUE_MAX = 2**31 - 1
    add("_multiprocessing", "Locks between processes.", SemLock=lock, flags={}, **refused("sem_unlink recv send", what))
