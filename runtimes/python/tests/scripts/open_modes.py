"""Open modes × operations: what a file holds and where its position is, as POSIX and CPython have it."""

import hashlib
import json
import os
import sys
import tempfile

OPERATIONS = {
    "write": lambda f, text: f.write(text("XY")),
    "read": lambda f, text: f.read(),
    "read 1": lambda f, text: f.read(1),
    "line": lambda f, text: f.readline(),
    "tell": lambda f, text: f.tell(),
    "to start": lambda f, text: f.seek(0),
    "to end": lambda f, text: f.seek(0, 2),
    "stay": lambda f, text: f.seek(0, 1),
    "to 2": lambda f, text: f.seek(2),
    "cut 3": lambda f, text: f.truncate(3),
    "cut": lambda f, text: f.truncate(),
    "flush": lambda f, text: f.flush(),
}
SEQUENCES = [
    [],
    ["read"],
    ["write", "to start", "read"],
    ["read 1", "write", "read", "tell"],
    ["write", "read", "tell"],
    ["to start", "read 1", "tell", "write", "tell", "read"],
    ["to start", "line", "write", "flush", "tell", "to start", "read"],
    ["to end", "write", "tell", "to 2", "read", "write", "tell"],
    ["read 1", "to end", "read", "to start", "read"],
    ["read 1", "stay", "write", "flush", "read 1", "tell"],
    ["to 2", "write", "write", "to start", "read 1", "read 1", "write", "stay", "read"],
    ["cut 3", "tell", "write", "to start", "read"],
    ["to 2", "cut", "write", "tell", "to start", "read"],
    ["tell", "write", "tell", "flush", "tell", "to start", "tell"],
    ["to start", "read", "read", "write", "to start", "line", "line"],
]


def outcome(path, mode, buffering, sequence):
    binary = "b" in mode
    text = str.encode if binary else str
    seen = []
    with open(path, "w") as file:
        file.write("abc\ndef")
    try:
        with open(path, mode, buffering=buffering) as file:
            for name in sequence:
                try:
                    result = OPERATIONS[name](file, text)
                except (OSError, ValueError) as error:
                    result = type(error).__name__
                seen.append(result.decode() if isinstance(result, bytes) else result)
    except OSError as error:
        seen.append(type(error).__name__)
    with open(path) as file:
        return [*seen, file.read()]


def descriptors(path):
    """The same by descriptors, where nothing is buffered."""
    seen = {}
    for name, flags in {
        "r+": os.O_RDWR,
        "a+": os.O_RDWR | os.O_APPEND,
        "a": os.O_WRONLY | os.O_APPEND,
        "w+": os.O_RDWR | os.O_TRUNC,
    }.items():
        with open(path, "w") as file:
            file.write("abcdef")
        fd = os.open(path, flags)
        row = []
        for step in (
            lambda: os.lseek(fd, 0, os.SEEK_CUR),
            lambda: os.read(fd, 3).decode(),
            lambda: os.lseek(fd, 0, os.SEEK_CUR),
            lambda: os.write(fd, b"XY"),
            lambda: os.lseek(fd, 0, os.SEEK_CUR),
            lambda: os.read(fd, 3).decode(),
            lambda: os.lseek(fd, -2, os.SEEK_END),
            lambda: os.write(fd, b"Z"),
            lambda: os.read(fd, 9).decode(),
            # Linux appends here, against POSIX.
            lambda: os.pwrite(fd, b"0", 0) if flags & os.O_APPEND == 0 else None,
            lambda: os.lseek(fd, 1, os.SEEK_SET),
            lambda: os.read(fd, 9).decode(),
            lambda: os.lseek(fd, 0, os.SEEK_CUR),
            lambda: os.ftruncate(fd, 2),
            lambda: os.lseek(fd, 0, os.SEEK_CUR),
            lambda: os.write(fd, b"!"),
            lambda: os.lseek(fd, -99, os.SEEK_SET),
        ):
            try:
                row.append(step())
            except OSError as error:
                row.append([error.errno, os.strerror(error.errno)])
        os.close(fd)
        with open(path, "rb") as file:
            seen[name] = [*row, file.read().decode()]
    return seen


with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "file")
    table = {}
    for mode in "r r+ w w+ a a+ rb r+b wb w+b ab a+b".split():
        for buffering in (-1, 0) if "b" in mode else (-1, 1):
            for sequence in SEQUENCES:
                table[f"{mode} {buffering}: {', '.join(sequence)}"] = outcome(path, mode, buffering, sequence)
    table["descriptors"] = descriptors(path)
    if sys.argv[1:] == ["--table"]:
        print(json.dumps(table, indent=1))
    else:
        rows = [[name, row] for name, row in table.items()]
        digest = hashlib.sha256(json.dumps(rows).encode()).hexdigest()
        print(
            json.dumps(
                {
                    "rows": len(rows),
                    "sha256": digest,
                    "a+": table["a+ -1: write, to start, read"],
                    "descriptors": table["descriptors"],
                }
            )
        )
