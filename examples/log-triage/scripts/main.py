"""Condenses a log into patterns and figures. Reads one JSON object on standard input, writes one on standard output."""

import json
import math
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

LEVELS = ["none", "debug", "info", "warning", "error", "fatal"]
SPELLINGS = {"trace": "debug", "notice": "info", "warn": "warning", "err": "error", "critical": "fatal", "panic": "fatal"}

TIME = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d)(:\d\d(?:[.,]\d+)?)?\s?(Z|[+-]\d\d:?\d\d)?")
WORD = re.compile(r"[A-Za-z]+")
DURATION = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)\s?(ms|s)\b")

# What varies between two messages of one kind, most specific first.
VARIABLE = re.compile(
    r"""
      (?P<uuid>\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b)
    | (?P<ip>\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b)
    | (?P<str>"[^"]*"|'[^']*')
    | (?P<path>(?<![\w<])(?:/[\w.@%+-]+)+/?)
    | (?P<hex>\b(?:0x[0-9a-f]+|(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,})\b)
    | (?P<n>(?<![A-Za-z])\d+(?:\.\d+)?)
    """,
    re.VERBOSE | re.IGNORECASE,
)


class InputError(Exception):
    """What is wrong with the input, for the person who sent it."""


@dataclass(frozen=True)
class Entry:
    line: int
    minute: str | None
    time: str | None
    level: str
    message: str


@dataclass
class Pattern:
    pattern: str
    level: str
    count: int
    first_line: int
    last_line: int
    example: str


def level_of(message: str) -> tuple[str, str]:
    """The level among the first three words, and the message without what stands before and the level itself."""
    for match in list(WORD.finditer(message[:80]))[:3]:
        word = match[0].lower()
        level = SPELLINGS.get(word, word)
        if level in LEVELS[1:]:
            return level, message[match.end() :].lstrip(" ]:|-")
    return "none", message


def entries(log: str) -> Iterator[Entry]:
    """The log's entries; indented and empty lines belong to the entry before."""
    for number, line in enumerate(log.splitlines(), start=1):
        if not line.strip() or line[0].isspace():
            continue
        time = TIME.match(line)
        level, message = level_of(line[time.end() :].lstrip(" ]:|-") if time else line)
        yield Entry(number, time and time[1].replace(" ", "T"), time and time[0].strip(), level, message.strip())


def pattern_of(message: str) -> str:
    return VARIABLE.sub(lambda match: f"<{match.lastgroup}>", message)


def patterns(log: list[Entry], min_level: str, top: int) -> list[Pattern]:
    found: dict[tuple[str, str], Pattern] = {}
    for entry in log:
        if LEVELS.index(entry.level) < LEVELS.index(min_level):
            continue
        text = pattern_of(entry.message)
        pattern = found.setdefault((entry.level, text), Pattern(text, entry.level, 0, entry.line, 0, entry.message[:300]))
        pattern.count += 1
        pattern.last_line = entry.line
    return sorted(found.values(), key=lambda p: (-p.count, p.first_line))[:top]


def durations(log: list[Entry]) -> dict | None:
    found = sorted(
        float(number) * (1000 if unit == "s" else 1)
        for entry in log
        for number, unit in DURATION.findall(entry.message)
    )
    if not found:
        return None

    def percentile(share: int) -> float:
        return round(found[math.ceil(len(found) * share / 100) - 1], 3)

    return {"count": len(found), **{f"p{share}": percentile(share) for share in (50, 95, 99)}, "max": percentile(100)}


def peak(log: list[Entry]) -> dict | None:
    minutes = Counter(entry.minute for entry in log if entry.minute and entry.level in ("warning", "error", "fatal"))
    if not minutes:
        return None
    minute, count = min(minutes.items(), key=lambda item: (-item[1], item[0]))
    return {"minute": minute, "count": count}


def run(request: dict) -> dict:
    text, top, min_level = request.get("log"), request.get("top", 10), request.get("min_level", "warning")
    if not isinstance(text, str):
        raise InputError("`log` must be a text")
    if not isinstance(top, int) or top < 0:
        raise InputError("`top` must be a whole number, 0 or more")
    if min_level not in LEVELS:
        raise InputError(f"`min_level` must be one of {', '.join(LEVELS)}")
    log = list(entries(text))
    times = [entry.time for entry in log if entry.time]
    counts = Counter(entry.level for entry in log)
    return {
        "lines": len(log),
        "levels": {level: counts[level] for level in LEVELS if counts[level]},
        "span": {"first": times[0], "last": times[-1]} if times else None,
        "patterns": [vars(pattern) for pattern in patterns(log, min_level, top)],
        "peak": peak(log),
        "durations_ms": durations(log),
    }


def main() -> int:
    try:
        result = run(json.load(sys.stdin))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    json.dump(result, sys.stdout, ensure_ascii=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
