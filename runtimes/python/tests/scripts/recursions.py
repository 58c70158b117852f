"""Deep recursion of every kind is a RecursionError, and the interpreter lives on."""
import functools
import json
import re
import sys


class Attribute:
    def __getattr__(self, name):
        return getattr(self, name + "x")


class Compared:
    def __eq__(self, other):
        return self == other


class Shown:
    def __repr__(self):
        return repr(self)


class Called:
    def __call__(self, *args):
        return sorted([1, 2], key=lambda _: self(*args))


class Initialised:
    def __init__(self):
        Initialised()


class Property:
    @property
    def value(self):
        return self.value


class Added:
    def __add__(self, other):
        return sum([self, other], self)



def generator():
    yield from generator()


@functools.lru_cache
def cached(n):
    return cached(n + 1)


def mapped(n):
    return list(map(mapped, [n + 1]))


def caught(n=0):
    try:
        return caught(n + 1)
    finally:
        len("")


def plain():
    plain()


seen = {}
for name, call in {
    "plain": plain,
    "getattr": lambda: Attribute().a,
    "eq": lambda: Compared() == Compared(),
    "repr": lambda: repr(Shown()),
    "call": Called(),
    "init": Initialised,
    "property": lambda: Property().value,
    "add": lambda: Added() + 1,
    "generator": lambda: list(generator()),
    "cached": lambda: cached(0),
    "mapped": lambda: mapped(0),
    "finally": caught,
    "eval": lambda: eval("(" * 5000 + ")" * 5000),
    "compile": lambda: eval("-" * 100_000 + "1"),
    "regex": lambda: re.compile("(" * 20_000 + ")" * 20_000),
}.items():
    try:
        call()
        seen[name] = "returned"
    except (RecursionError, MemoryError, SyntaxError, NameError, OverflowError) as error:
        seen[name] = type(error).__name__
sys.setrecursionlimit(100_000)
for name, call in {"raised getattr": lambda: Attribute().a, "raised mapped": lambda: mapped(0),
                   "raised call": Called()}.items():
    try:
        call()
        seen[name] = "returned"
    except (RecursionError, MemoryError) as error:
        seen[name] = type(error).__name__
print(json.dumps(seen))
