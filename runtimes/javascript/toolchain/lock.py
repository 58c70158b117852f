#!/usr/bin/env python3
"""Writes the lock file of a built runtime, or compares one with it (--check)."""

import hashlib
import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).parent


def varint(data, at):
    """An unsigned LEB128 number and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def imports(data):
    """The names that a core module imports."""
    at, names = 8, []
    while at < len(data):
        section, (size, body) = data[at], varint(data, at + 1)
        if section == 2:
            count, place = varint(data, body)
            for _ in range(count):
                parts = []
                for _ in range(2):
                    length, place = varint(data, place)
                    parts.append(data[place : place + length].decode())
                    place += length
                if data[place] != 0:
                    sys.exit(f"{parts} is no function")
                _, place = varint(data, place + 1)
                names.append(".".join(parts))
        at = body + size
    return sorted(names)


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def crate(name):
    """Version and digest of a crate."""
    return re.search(rf'name = "{name}"\nversion = "(.*)"\nsource.*\nchecksum = "(.*)"', (HERE / "Cargo.lock").read_text())


def describe(wasm, compressed):
    quickjs, zlib = crate("rquickjs-sys"), crate("libz-sys")
    zig = re.search(r"ziglang==(\S+) --hash=sha256:(\S+)", (HERE / "requirements.txt").read_text())
    packages = json.loads((HERE / "package-lock.json").read_text())["packages"]
    npm = {
        path.removeprefix("node_modules/"): {"version": package["version"], "integrity": package["integrity"], "registry": "npm"}
        for path, package in packages.items()
        if path
    }
    meta = json.loads(pathlib.Path("bundle.json").read_text())
    bundled = {re.sub(r"^node_modules/((?:@[^/]+/)?[^/]+)/.*", r"\1", path) for path in meta["inputs"] if path.startswith("node_modules/")}
    tools = {name: npm.pop(name) for name in ("@bytecodealliance/wizer-linux-x64", "@esbuild/linux-x64")}
    return {
        "name": "javascript",
        "kind": "wasi-preview1-module",
        "entry": "_start",
        "engine": {"name": "quickjs-ng", "version": "0.16.2", "source": f"crate rquickjs-sys {quickjs[1]}", "sha256": quickjs[2]},
        "zlib": {"source": f"crate libz-sys {zlib[1]}", "sha256": zlib[2]},
        "packages": {name: npm[name] for name in sorted(bundled)},
        "wasm": {"sha256": digest(wasm), "bytes": wasm.stat().st_size},
        "compressed": {"sha256": digest(compressed), "bytes": compressed.stat().st_size, "format": "zstd"},
        "tools": {
            "ziglang": {"version": zig[1], "sha256": zig[2], "registry": "PyPI"},
            **tools,
        },
        "build": "runtimes/javascript/build.sh",
        "imports": imports(wasm.read_bytes()),
    }


def main():
    made = describe(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
    if sys.argv[3:4] == ["--check"]:
        kept = json.loads(pathlib.Path(sys.argv[4]).read_text())
        # Another version of zstd may compress differently.
        if made["wasm"] != kept["wasm"]:
            sys.exit(f"built {made['wasm']}, the lock file has {kept['wasm']}")
        return
    print(json.dumps(made, indent=2))


main()
