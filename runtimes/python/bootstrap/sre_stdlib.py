"""Which modules exist at run time: the standard library but for what cannot work here or makes no sense.

There are no files of the library at run time, so a module exists if it was imported before the snapshot. A module that is
imported and not used costs a run nothing: its pages are never touched.
"""

import importlib
import linecache
import os
import re
import sys
import warnings
from importlib.machinery import SourceFileLoader

LIBRARY = "/python"

# Left out, with the reason; a name stands for its submodules too. Modules that fail to import are left out as well.
LEFT_OUT = {
    "windows, tools and demonstrations": "idlelib tkinter turtle turtledemo curses _pyrepl this antigravity __hello__ __phello__",
    "installers and builders of environments": "ensurepip venv zipapp compileall config-3 site-packages",
    "terminals and foreign code": "ctypes pty tty dbm.ndbm dbm.gnu ssl",
    "other systems": "_aix_support _android_support _apple_support _ios_support _osx_support nturl2path "
    "encodings.mbcs encodings.oem asyncio.windows_events asyncio.windows_utils multiprocessing.popen_spawn_win32",
    "Python versions of modules that are compiled in": "_pydatetime _pydecimal _pyio _py_abc",
    "manuals, and what the interpreter was built with": "pydoc pydoc_data _sysconfigdata__wasi_wasm32-wasi",
    "rarely of use to a skill, for their size": "modulefinder pyclbr rlcompleter tabnanny trace "
    "encodings.mac_arabic encodings.mac_croatian encodings.mac_cyrillic encodings.mac_farsi encodings.mac_greek "
    "encodings.mac_iceland encodings.mac_latin2 encodings.mac_romanian encodings.mac_turkish asyncio.tools",
    "programs, to be run with `python3 -m`": "__main__",
}

LEFT_OUT_NAMES = frozenset(" ".join(LEFT_OUT.values()).split())

# The modules of this folder.
OWN = frozenset(entry.removesuffix(".py") for entry in os.listdir("/0") if entry.startswith("sre_"))

failed = {}
zone_files = {}


def library_modules():
    """Names of all modules of the library, packages before what they contain."""
    for folder, folders, files in os.walk(LIBRARY):
        package = os.path.relpath(folder, LIBRARY).replace("/", ".")
        prefix = "" if package == "." else package + "."
        folders[:] = sorted(f for f in folders if f.isidentifier() and f != "__pycache__" and not left_out(prefix + f))
        names = {f[:-3] for f in files if f.endswith(".py") and f != "__init__.py"} | set(folders)
        yield from sorted(prefix + name for name in names if not left_out(prefix + name))


def left_out(name):
    parts = name.split(".")
    return parts[-1] == "__main__" or any(".".join(parts[: i + 1]) in LEFT_OUT_NAMES for i in range(len(parts)))


def of_build(name):
    """Whether a module belongs to the build and not to Python: scripts, whose modules may have the same name, do not see it."""
    return name in OWN or name.startswith(("wit_world", "componentize_py_", "poll_loop"))


def load():
    """Imports everything."""
    plain = SourceFileLoader.source_to_code
    # Docstrings and assertions of the library are a third of its size.
    SourceFileLoader.source_to_code = lambda self, data, path: compile(
        data, path, "exec", dont_inherit=True, optimize=2
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in [*sys.builtin_module_names, *library_modules()]:
            try:
                importlib.import_module(name)
            except Exception as error:
                failed[name] = f"{type(error).__name__}: {error}"
    SourceFileLoader.source_to_code = plain
    load_zones()


def record():
    """Writes the list of what exists into the build's folder."""
    exist = sorted(name for name in sys.modules if not of_build(name) and name != "__main__")
    with open("/0/modules.txt", "w", encoding="utf-8") as file:
        file.write("".join(f"{name}\n" for name in exist))
    with open("/0/failed.txt", "w", encoding="utf-8") as file:
        file.write("".join(f"{name}: {why}\n" for name, why in sorted(failed.items())))


def load_zones():
    """Reads the time zones of the `tzdata` package into memory and lets `zoneinfo` find them there."""
    import io
    import zoneinfo

    root = "/1/tzdata/zoneinfo"
    with open(f"{root}/../zones", encoding="utf-8") as file:
        keys = file.read().split()
    contents = {}
    for key in keys:
        with open(f"{root}/{key}", "rb") as file:
            data = file.read()
        # Many names stand for the same zone.
        zone_files[key] = contents.setdefault(data, data)

    def load_tzdata(key):
        if key not in zone_files:
            raise zoneinfo.ZoneInfoNotFoundError(f"No time zone found with key {key}")
        return io.BytesIO(zone_files[key])

    def available_timezones():
        return set(zone_files)

    zoneinfo._common.load_tzdata = load_tzdata
    zoneinfo.available_timezones = zoneinfo._tzpath.available_timezones = available_timezones
    zoneinfo.reset_tzpath(to=())


def top_level():
    """Names of the modules that scripts may import, without submodules and without private ones."""
    return sorted({name for name in sys.modules if "." not in name and re.match("[a-z]", name)})


def forget_build():
    """Empties what refers to the build's files."""
    linecache.clearcache()
    for module in list(sys.modules.values()):
        getattr(module, "__dict__", {}).pop("__warningregistry__", None)


def advice(name):
    """The line that follows the traceback of a missing module."""
    offered = " ".join(module for module in top_level() if not of_build(module))
    return (
        f"sre: {name!r} is not part of this Python {sys.version.split()[0]} (WebAssembly). Vendor it: put its pure-Python "
        f"source into the package's vendor/ folder. Or run the skill on the native backend, with the modules that host "
        f"has. Standard modules here: {offered}"
    )
