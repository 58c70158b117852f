#!/usr/bin/env python3
"""Changes to a finished component that Python itself cannot make: `finish.py COMPONENT FOLDER` edits it in place.
FOLDER has the lists that the bootstrap wrote.

**Immortal objects.** `objects.bin` is what `bootstrap/sre_pages.py` recorded: pairs of 32-bit addresses, of an
object and of its type. An object of CPython starts with its reference count and its type (`Include/object.h`);
since PEP 683 a count of 5 << 28 says "immortal" on 32-bit platforms. Objects that died after they were recorded
are passed over: a freed object has a count of zero, or the address of the next free one where its count or its
type was.

**Recursion in C.** CPython raises RecursionError when its C stack runs out, but sees only the part of it that
is in linear memory; the engine's own stack, which the same calls use several times faster, it cannot see. So
the limit in the thread state (`c_stack_soft_limit` in `Include/internal/pycore_tstate.h`) is moved towards the
top.

**Permission bits.** WASI has none, and archives that a script writes would have none either. The C library's
tables from kinds of files to modes get those that Linux gives new files.

**Compiled functions.** See `patches.py`.
"""

import bisect
import json
import sys
from array import array

import patches

IMMORTAL = 5 << 28
IMMORTAL_MINIMUM = 1 << 30
COUNT_LIMIT = 1 << 20  # no object has so many references; an address in the place of a count is larger
# Top and soft and hard limit of the C stack as CPython sets them, and how much of it Python code may use, in bytes.
C_STACK = (0x100000, 0x4000, 0x2000)
C_STACK_LIMIT_BYTES = 128 << 10
# Kinds of files in `st_mode`, in the order of WASI's `descriptor-type` (device, terminal, folder, pipe, link, file, socket), and
# which permissions they get.
STAT_MODES = [0x6000, 0x2000, 0x4000, 0, 0xA000, 0x8000, 0xC000]
PERMISSIONS = {0x4000: 0o755, 0xA000: 0o777, 0x8000: 0o644}
CORE_MODULE, DATA = 1, 11  # section numbers: in a component, in a core module


def leb(data, at):
    """An unsigned LEB128 number and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def signed_leb(data, at):
    value, end = leb(data, at)
    bits = 7 * (end - at)
    return (value - (1 << bits) if value >> (bits - 1) else value), end


def sections(data, at, end):
    """Sections of a module or component: number, start and end of the content."""
    at += 8
    while at < end:
        number = data[at]
        size, at = leb(data, at + 1)
        yield number, at, at + size
        at += size


def segments(data, at):
    """Active data segments of memory 0: address, start and end of the bytes in the file."""
    count, at = leb(data, at)
    for _ in range(count):
        flags, at = leb(data, at)
        address = None
        if flags == 0:
            if data[at] == 0x41:  # i32.const
                address, at = signed_leb(data, at + 1)
            else:  # global.get: a segment of a library, placed by the linker
                _, at = leb(data, at + 1)
            at += 1  # end
        elif flags != 1:
            raise SystemExit(f"data segment of kind {flags}")
        size, at = leb(data, at)
        if address is not None:
            yield address & 0xFFFFFFFF, at, at + size
        at += size


def snapshot(data):
    """The segments of the core module that holds the snapshot: the one with the most bytes."""
    best = []
    for number, start, end in sections(data, 0, len(data)):
        if number == CORE_MODULE:
            for inner, inner_start, _ in sections(data, start, end):
                if inner == DATA:
                    found = list(segments(data, inner_start))
                    if sum(e - s for _, s, e in found) > sum(e - s for _, s, e in best):
                        best = found
    return sorted(best)


class Memory:
    """The snapshot's memory, readable and writable in the file. What no segment covers is zero and cannot be written."""

    def __init__(self, data):
        self.data, self.segments = data, snapshot(data)
        self.starts = [start for start, _, _ in self.segments]

    def place(self, address):
        """Where in the file the byte at this address is, or None."""
        index = bisect.bisect_right(self.starts, address) - 1
        if index < 0:
            return None
        start, begin, end = self.segments[index]
        place = begin + address - start
        return place if place < end else None

    def read(self, address):
        places = [self.place(address + i) for i in range(4)]
        return int.from_bytes(bytes(0 if place is None else self.data[place] for place in places), "little")

    def write(self, address, value):
        """Says whether all bytes that change could be written."""
        for i, byte in enumerate(value.to_bytes(4, "little")):
            place = self.place(address + i)
            if place is None and byte:
                return False
            if place is not None:
                self.data[place] = byte
        return True


def limit_recursion(memory):
    """Moves the soft limit of the C stack; it must be found exactly once."""
    first = C_STACK[0].to_bytes(4, "little").lstrip(b"\0")  # leading zeros may stand in no segment
    found = []
    for start, begin, end in memory.segments:
        at = memory.data.find(first, begin, end)
        while at >= 0:
            address = (start + at - begin) & ~3
            if tuple(memory.read(address + i) for i in (0, 4, 8)) == C_STACK:
                found.append(address)
            at = memory.data.find(first, at + 1, end)
    if len(found) != 1:
        raise SystemExit(f"the limits of the C stack were found {len(found)} times")
    memory.write(found[0] + 4, C_STACK[0] - C_STACK_LIMIT_BYTES)


def give_files_permissions(memory):
    """Lets `stat` show the permission bits that files have on Linux by default: WASI knows none."""
    old = b"".join(kind.to_bytes(4, "little") for kind in STAT_MODES)
    found = 0
    for start, begin, end in memory.segments:
        at = memory.data.find(old[:12], begin, end)
        while at >= 0:
            address = start + at - begin
            if [memory.read(address + 4 * i) for i in (4, 5)] == STAT_MODES[4:6]:
                for i, kind in enumerate(STAT_MODES):
                    if kind in PERMISSIONS and not memory.write(address + 4 * i, kind | PERMISSIONS[kind]):
                        raise SystemExit("a table of modes cannot be written")
                found += 1
            at = memory.data.find(old[:12], at + 1, end)
    if not found:
        raise SystemExit("the tables of modes were not found")


def check_constants(memory, constants):
    """What `patches.py` puts into code must be where the build said it is."""
    for name, constant in constants.items():
        expected = bytes.fromhex(constant.get("bytes", ""))
        words = range(0, len(expected), 4)
        there = b"".join(memory.read(constant["address"] + at).to_bytes(4, "little") for at in words)
        if there[: len(expected)] != expected:
            raise SystemExit(f"{name} is not where it was")


def main(component, folder):
    with open(component, "rb") as file:
        data = bytearray(file.read())
    with open(f"{folder}/constants.json", "rb") as file:
        constants = json.load(file)
    pairs = array("I")
    with open(f"{folder}/objects.bin", "rb") as file:
        pairs.frombytes(file.read())
    memory = Memory(data)
    check_constants(memory, constants)
    make_immortal(memory, pairs)
    limit_recursion(memory)
    give_files_permissions(memory)
    patched = patches.patch(bytes(data), constants)
    with open(component, "wb") as file:
        file.write(patched)


def make_immortal(memory, pairs):
    """Sets the reference counts of the recorded objects."""
    changed = kept = gone = 0
    for address, kind in zip(pairs[::2], pairs[1::2]):
        count, found = memory.read(address), memory.read(address + 4)
        if found == kind and count >= IMMORTAL_MINIMUM:
            kept += 1
        elif found != kind or not 0 < count < COUNT_LIMIT:
            gone += 1
        elif memory.write(address, IMMORTAL):
            changed += 1
        else:
            gone += 1
    if gone > len(pairs) // 50:
        raise SystemExit(f"{gone} of {len(pairs) // 2} objects are not where they were: this is not their snapshot")
    print(f"{changed} objects made immortal, {kept} were, {gone} are gone", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
