"""Keeps runs from writing all over the snapshot: each page written to is a page fault, a copy and a reset.

What scatters writes, and what is done about it:

- reference counts: `record_objects` lists all objects for `finish.py`, which makes them immortal in the finished
  component, so that they are no longer counted;
- branch counters inside bytecode: `gather` moves the code that every script runs to neighbouring pages;
- allocations in holes between old objects: `fill_holes` fills them, so that a run allocates from one untouched range.
"""

import array
import gc
import sys

# Zeroed memory that a run allocates from, in bytes, before its memory has to grow.
ROOM_BYTES = 4 << 20

CODE_PARTS = "co_consts co_names co_filename co_name co_qualname co_linetable co_exceptiontable".split()


def gather(work):
    """Copies the code of all functions that `work` runs, one after the other, and lets the functions use the copies."""
    used = {}

    def note(frame, event, _argument):
        if event == "call":
            used[frame.f_code] = None

    sys.setprofile(note)
    work()
    sys.setprofile(None)
    functions = [found for found in gc.get_objects() if type(found) is type(gather)]
    by_code = {}
    for function in functions:
        by_code.setdefault(id(function.__code__), []).append(function)
    for code in used:
        copy = code.replace()
        for function in by_code.get(id(code), ()):
            function.__code__ = copy


def all_objects():
    """Everything reachable, each object once, by address."""
    code = type(all_objects.__code__)
    seen = {}
    waiting = gc.get_objects() + list(subtypes(object))
    while waiting:
        found = waiting.pop()
        if id(found) in seen or found is seen or found is waiting:
            continue
        seen[id(found)] = found
        if isinstance(found, code):
            waiting.extend(getattr(found, part) for part in CODE_PARTS)
        else:
            if isinstance(found, type):
                waiting.extend(gc.get_referents(found.__dict__))
            waiting.extend(gc.get_referents(found))
    return seen


def subtypes(base):
    yield base
    for kind in type.__subclasses__(base):
        yield from subtypes(kind)


def record_objects():
    """Writes pairs of addresses, of an object and of its type. Returns those that only the record refers to: they must stay
    alive until the snapshot, or the record would point into free memory."""
    objects = all_objects()
    pairs = array.array("I")
    lonely = []
    for address, found in objects.items():
        pairs.append(address)
        pairs.append(id(type(found)))
        if sys.getrefcount(found) <= 3:  # `objects`, `found`, the argument
            lonely.append(found)
    with open("/0/objects.bin", "wb") as file:
        pairs.tofile(file)
    return lonely


def fill_holes():
    """Allocates until nothing fits between old objects any more, largest holes first. Returns what must stay alive."""
    top = max([id(block) for block in [bytes(1 << 20), bytes(1 << 20), bytes(1 << 20)]])
    filling = None
    size = 1 << 19
    while size >= 17:
        while True:
            block = bytes(size - 17)
            if id(block) >= top:
                break
            filling = (block, filling)
        size = size * 31 // 32 if size > 1024 else size - 8
    return filling
