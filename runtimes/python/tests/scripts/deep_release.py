"""An exception of very deep recursion is caught, and what it held is let go of."""

import json
import sys

sys.setrecursionlimit(50_000)
seen = {}


def down(n):
    kept = [n]
    return down(n + 1) + len(kept)


class Node:
    def __init__(self, inner):
        self.inner = inner


def nested(make):
    value = None
    for _ in range(50_000):
        value = make(value)
    del value
    return "released"


def caught_again():
    for _ in range(3):
        try:
            down(0)
        except RecursionError as error:
            frames = 0
            trace = error.__traceback__
            while trace:
                frames, trace = frames + 1, trace.tb_next
    return frames > 100


def chained():
    error = None
    for n in range(50_000):
        new = ValueError(n)
        new.__context__ = error
        error = new
    del error, new
    return "released"


def generators():
    def wrap(inner):
        yield from inner

    value = iter(())
    for _ in range(50_000):
        value = wrap(value)
    del value
    return "released"


for name, call in {
    "again": caught_again,
    "list": lambda: nested(lambda v: [v]),
    "tuple": lambda: nested(lambda v: (v,)),
    "dict": lambda: nested(lambda v: {1: v}),
    "object": lambda: nested(Node),
    "closure": lambda: nested(lambda v: lambda: v),
    "partial": lambda: nested(lambda v: iter([v])),
    "chained": chained,
    "generators": generators,
}.items():
    try:
        seen[name] = call()
    except (RecursionError, MemoryError) as error:
        seen[name] = type(error).__name__
print(json.dumps(seen))
