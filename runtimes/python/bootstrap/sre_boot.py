"""The program inside the component: runs one script as `python3 SCRIPT` would.

This module is imported once, when the component is built; the interpreter with everything imported here is then
snapshotted. At run time only `Run.run` is called, in a fresh copy of the snapshot, so:

- whatever depends on the run (environment, arguments, clock, entropy, files) must be read in `run`, never at import;
- `run` imports nothing and does as little as it can: its time is added to every order.

Before it calls `run`, componentize-py's own glue has filled `os.environ` and `sys.argv` from the host and seeded
`random` from the host's entropy.

Not here: which modules exist (`sre_stdlib`, `sre_stand_ins`), what is refused (`sre_refusals`), asyncio
(`sre_loop`), threads (`sre_threads`), numbers of errors (`sre_errors`).
"""

# First: modules copy the numbers when they are imported.
import sre_errors

sre_errors.install()

import atexit
import gc
import io
import json
import logging
import os
import posix
import random
import sys
import time
from importlib.machinery import (
    SOURCE_SUFFIXES,
    FileFinder,
    SourceFileLoader,
)

import sre_stand_ins

sre_stand_ins.install_for_library()

import sre_digests
import sre_loop
import sre_pages
import sre_permissions
import sre_refusals
import sre_stdlib
import sre_threads
from wit_world import exports
from wit_world.imports import environment as wasi_environment
from wit_world.imports import exit as wasi_exit

# What `python3` itself has imported before it looks at the script's folder: no file of a skill can stand in for these.
NEVER_SHADOWED = frozenset(
    "sys builtins time os io abc stat codecs encodings posixpath genericpath site importlib zipimport __main__".split()
)

# Where the host puts a package. Hosts that give the package the whole of `/` name scripts relative to it.
PACKAGE = "/skill"

MAIN = sys.modules["__main__"]

# Memory that is given back before an uncaught exception is printed: there may be none left. In bytes; it is never touched.
RESERVE_BYTES = 512 << 10
reserve = bytearray()


class Run(exports.Run):
    """The component's `wasi:cli/run`."""

    def __init__(self):
        # componentize-py makes the one instance after importing this module: the last moment before the snapshot.
        self.kept = snapshot()
        reserve.extend(bytes(RESERVE_BYTES))

    def run(self):
        status = run_script(sys.argv[0], wasi_environment.initial_cwd() or os.environ.get("PWD") or "/")
        if status:
            wasi_exit.exit_with_code(status)


def run_script(argv0, working_folder):
    """Runs the script in the working folder and returns the process's exit status. Never raises."""
    for name in build_modules:
        sys.modules.pop(name, None)
    logging._startTime = time.time_ns()
    path = os.path.join("/", argv0)
    folder = os.path.dirname(path)
    root = PACKAGE if path.startswith(PACKAGE + "/") and argv0 == path else "/"
    vendor = os.path.join(root, "vendor")
    sys.path[:] = (folder, root, vendor) if folder != root else (root, vendor)
    for entry in sys.path:
        # What the path hooks would answer, without asking the file system.
        sys.path_importer_cache[entry] = FileFinder(entry, (SourceFileLoader, SOURCE_SUFFIXES))
    try:
        if working_folder != "/":
            posix.chdir(working_folder)
        unshadow(folder)
        execute(path)
        status = 0
    except SystemExit as exception:
        status = exit_status(exception)
    except BaseException as exception:
        reserve.clear()
        status = report(exception)
    return finish(status)


def unshadow(folder):
    """Forgets the standard modules that the script's folder has modules of the same name for, as `sys.path` demands."""
    for entry in os.listdir(folder):
        name, dot, suffix = entry.partition(".")
        if name in top_level and (suffix == "py" or not dot and os.path.isfile(f"{folder}/{name}/__init__.py")):
            for module in [module for module in sys.modules if module == name or module.startswith(name + ".")]:
                del sys.modules[module]


def execute(path):
    """Runs the file as `__main__`."""
    scope = MAIN.__dict__
    scope["__file__"] = path
    scope["__loader__"] = SourceFileLoader("__main__", path)
    with io.FileIO(path) as file:
        source = file.readall()
    exec(compile(source, path, "exec", dont_inherit=True), scope)


def exit_status(exception):
    """The status `sys.exit` asks for; what is neither a number nor nothing is printed, and the status is 1."""
    code = exception.code
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF if -(1 << 63) <= code < 1 << 63 else 0xFF
    flush(sys.stdout)
    print(code, file=sys.stderr)
    return 1


def report(exception):
    """Prints an uncaught exception through `sys.excepthook` and returns the exit status."""
    # The frames of this module are not the script's business.
    trace = exception.__traceback__
    while trace is not None and trace.tb_frame.f_globals is globals():
        trace = trace.tb_next
    exception.__traceback__ = trace
    flush(sys.stdout)
    sys.last_exc = sys.last_value = exception
    sys.last_type, sys.last_traceback = type(exception), trace
    try:
        sys.excepthook(type(exception), exception, trace)
        if isinstance(exception, ModuleNotFoundError):
            print(sre_stdlib.advice(exception.name), file=sys.stderr)
    except SystemExit as exit:
        return exit_status(exit)
    except BaseException as failure:
        print("Error in sys.excepthook:", file=sys.__stderr__)
        sys.__excepthook__(type(failure), failure, failure.__traceback__)
        print("\nOriginal exception was:", file=sys.__stderr__)
        sys.__excepthook__(type(exception), exception, trace)
    return 130 if isinstance(exception, KeyboardInterrupt) else 1


def finish(status):
    """What the end of a process does that can be seen from outside, and no more: the instance is thrown away afterwards."""
    sre_threads.run_all()
    atexit._run_exitfuncs()
    ok = flush(sys.stdout)
    # Destructors run and files are closed, so that what they print arrives. Functions and modules stay usable meanwhile.
    scope = MAIN.__dict__
    for name, value in list(scope.items()):
        if not (name.startswith("__") or isinstance(value, KEPT)):
            scope[name] = None
    del value
    ok = flush(sys.stdout) and ok
    flush(sys.stderr)
    try:
        sys.__stdout__.flush()
    except ValueError:
        pass  # detached or closed by a script that put another stream in its place
    return status or (0 if ok else 120)


KEPT = (type, type(sys), type(finish), type(len))


def flush(stream):
    """Flushes a standard stream; says whether that worked. A script may have closed or replaced it."""
    try:
        if stream is not None and not getattr(stream, "closed", False):
            stream.flush()
    except Exception as error:
        print(f"Exception ignored while flushing sys.stdout:\n{type(error).__name__}: {error}", file=sys.__stderr__)
        return False
    return True


def standard_streams():
    """`sys.stdin`, `sys.stdout` and `sys.stderr` as `python3` with `LANG=C.UTF-8` and pipes sets them up, with larger
    buffers: a call to the host costs more than a copy. Opening descriptors 0, 1 and 2 stores their numbers only."""

    def text(number, name, mode, errors, size, **how):
        raw = io.FileIO(number, mode, closefd=False)
        raw.name = name
        buffer = (io.BufferedReader if mode == "r" else io.BufferedWriter)(raw, size)
        stream = io.TextIOWrapper(buffer, "utf-8", errors, **how)
        stream.mode = mode
        return stream

    sys.stdin = sys.__stdin__ = text(0, "<stdin>", "r", "surrogateescape", 1 << 16)
    sys.stdout = sys.__stdout__ = text(1, "<stdout>", "w", "surrogateescape", 1 << 16)
    sys.stderr = sys.__stderr__ = text(2, "<stderr>", "w", "backslashreplace", 1 << 13, line_buffering=True)


def relabel(module):
    """Replaces the build's folder in the code of a module of ours: tracebacks may show it."""
    old, new = module.__file__, "/python/" + os.path.basename(module.__file__)

    def relabelled(code):
        constants = tuple(relabelled(c) if isinstance(c, type(code)) else c for c in code.co_consts)
        return code.replace(co_filename=new, co_consts=constants)

    for function in gc.get_objects():
        if isinstance(function, type(relabel)) and function.__code__.co_filename == old:
            function.__code__ = relabelled(function.__code__)


def prepare_main():
    """`__main__` as it stands before a script's first line."""
    scope = MAIN.__dict__
    for name in list(scope):
        if not name.startswith("__"):
            del scope[name]
    scope.update(__doc__=None, __package__=None, __spec__=None, __cached__=None)


def snapshot():
    """Brings the interpreter into the state that every run starts from. Called once, at the end of the build. Returns what must
    stay alive."""
    sre_refusals.install()
    sre_loop.install()
    sre_threads.install()
    sre_digests.install()
    sre_permissions.install()
    os.chdir = chdir
    standard_streams()
    sys.dont_write_bytecode = True
    sys.setrecursionlimit(RECURSION_LIMIT)
    # Whatever the build's own environment left behind. `os.environ` is emptied by componentize-py.
    posix.environ.clear()
    # The C library's clocks of processor time count from the build; there is one processor, for this run alone.
    for name in "process_time", "thread_time":
        setattr(time, name, time.monotonic)
        setattr(time, name + "_ns", time.monotonic_ns)
    os.environ.clear()
    own = {name: sys.modules[name] for name in build_modules}
    atexit._clear()
    atexit.register(logging.shutdown)
    for name, module in own.items():
        if name in sre_stdlib.OWN:
            relabel(module)
    rehearse(own, 10)
    sre_pages.gather(lambda: rehearse(own, 1))
    rehearse(own, 60)
    standard_streams()
    prepare_main()
    sys.argv[:] = [""]
    sys.path_importer_cache.clear()
    sre_stdlib.forget_build()
    gc.collect()
    sre_errors.install_classes()
    for_finish = constants_for_finish()
    lonely = sre_pages.record_objects()
    room = bytearray(sre_pages.ROOM_BYTES)
    kept = own, lonely, for_finish, sre_pages.fill_holes()
    gc.freeze()
    del room
    return kept


def constants_for_finish():
    """Writes the addresses that `finish.py` puts into the code, and what must be there. Returns what must stay alive."""
    table, message = sre_errors.table(), sre_threads.DEADLOCK.encode() + b"\0"
    header_bytes = sys.getsizeof(b"") - 1
    addresses = {
        "errno_table": {"address": id(table) + header_bytes, "bytes": table.hex()},
        "deadlock_message": {"address": id(message) + header_bytes, "bytes": message.hex()},
        "runtime_error": {"address": id(RuntimeError)},
    }
    with open("/0/constants.json", "w", encoding="ascii") as file:
        json.dump(addresses, file)
    return table, message


def chdir(path):
    """Change the current working directory to the specified path."""
    # The C library would keep `..` in the name of the folder.
    posix.chdir(os.path.realpath(path) if ".." in os.fspath(path) else path)


def rehearse(own, times):
    """Runs a typical script as a run does, often enough for the interpreter to specialise its bytecode: what it does now
    it need not do, and no run writes to those pages."""
    for _ in range(times):
        standard_streams()
        sys.stdout = io.StringIO()
        for name, value in {"HOME": "/tmp", "INPUT_JSON": "{}", "LANG": "C.UTF-8"}.items():
            os.environ[name] = value
        random.seed()
        if run_script("/0/sre_warmup.py", "/"):
            raise SystemError("the rehearsal failed")
        prepare_main()
        atexit.register(logging.shutdown)
        os.environ.clear()
    sys.modules.update(own)


# Python frames beyond this raise RecursionError: Python's default. C recursion is bounded by CPython itself.
RECURSION_LIMIT = 1000

sre_stdlib.load()
sre_stand_ins.install_for_scripts()
sre_stdlib.record()
top_level = frozenset(sre_stdlib.top_level()) - NEVER_SHADOWED - frozenset(sys.builtin_module_names)
build_modules = tuple(name for name in sys.modules if sre_stdlib.of_build(name))
