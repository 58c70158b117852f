#!/usr/bin/env python3
"""Two changes to a finished component that Python itself cannot make: `finish.py COMPONENT OBJECTS` edits it in place.

**Immortal objects.** OBJECTS is what `bootstrap/sre_pages.py` recorded: pairs of 32-bit addresses, of an object and of its type.
An object of CPython starts with its reference count and its type (`Include/object.h`); since PEP 683 a count of 5 << 28 says
"immortal" on 32-bit platforms. Objects that died after they were recorded are passed over: a freed object has a count of zero,
or the address of the next free one where its count or its type was.

**Recursion in C.** CPython raises RecursionError when its C stack runs out, but sees only the part of it that is in linear
memory; the engine's own stack, which the same calls use several times faster, it cannot see. So the limit in the thread
state (`c_stack_soft_limit` in `Include/internal/pycore_tstate.h`) is moved towards the top.

Only bytes change, the size of the file does not.
"""

import bisect
import sys
from array import array

IMMORTAL = 5 << 28
IMMORTAL_MINIMUM = 1 << 30
COUNT_LIMIT = 1 << 20  # no object has so many references; an address in the place of a count is larger
# Top and soft and hard limit of the C stack as CPython sets them, and how much of it Python code may use, in bytes.
C_STACK = (0x100000, 0x4000, 0x2000)
C_STACK_LIMIT_BYTES = 128 << 10
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


def main(component, objects):
    with open(component, "rb") as file:
        data = bytearray(file.read())
    pairs = array("I")
    with open(objects, "rb") as file:
        pairs.frombytes(file.read())
    memory = Memory(data)
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
    limit_recursion(memory)
    with open(component, "wb") as file:
        file.write(data)
    print(f"{changed} objects made immortal, {kept} were, {gone} are gone", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
