#!/usr/bin/env python3
"""Writes `python.lock.json`: `lock.py COMPONENT FOLDER`, after the other files of FOLDER are written."""

import hashlib
import json
import pathlib
import re
import sys

from finish import leb, sections

IMPORTS = 10  # section number in a component
PYTHON_VERSION = "3.14.0"


def imports(data):
    """Names of the component's imports, in order."""
    for number, at, _ in sections(data, 0, len(data)):
        if number == IMPORTS:
            count, at = leb(data, at)
            for _ in range(count):
                length, at = leb(data, at + 1)
                yield data[at : at + length].decode()
                _, at = leb(data, at + length + 1)  # the kind (an instance, always) and the index of its type


def main(component, folder):
    folder = pathlib.Path(folder)
    data = pathlib.Path(component).read_bytes()
    packed = (folder / "python.wasm.zst").read_bytes()
    tools = dict(re.findall(r"^([\w-]+)==(\S+)", (folder / "requirements.txt").read_text(), re.M))
    names = list(imports(data))
    lock = {
        "name": "python",
        "language": {"name": "CPython", "version": PYTHON_VERSION},
        "world": "wasi:cli/run@0.2.12",
        "sha256": hashlib.sha256(data).hexdigest(),
        "size_bytes": len(data),
        "compressed": {
            "file": "python.wasm.zst",
            "sha256": hashlib.sha256(packed).hexdigest(),
            "size_bytes": len(packed),
        },
        "built_with": tools,
        "build_command": "./build.sh",
        "modules": {"file": "modules.txt", "sha256": hashlib.sha256((folder / "modules.txt").read_bytes()).hexdigest()},
        "licenses": "LICENSES/README.md",
        "imports": [name for name in names if not name.startswith("wasi:sockets/")],
        "imports_never_called": [name for name in names if name.startswith("wasi:sockets/")],
    }
    (folder / "python.lock.json").write_text(json.dumps(lock, indent=2) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
