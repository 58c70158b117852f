"""Expands meetings to dates and writes an iCalendar file. JSON on standard input, JSON on standard output."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from itertools import islice
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
MAX_TIMES = 366


class InputError(Exception):
    """What is wrong with the input, for the person who sent it."""


@dataclass(frozen=True, order=True)
class Occurrence:
    # In UTC: local times neither compare nor add up across a change of the clocks.
    start: datetime
    end: datetime
    title: str
    location: str

    def as_json(self, zone: ZoneInfo) -> dict:
        return {
            "title": self.title,
            "start": self.start.astimezone(zone).isoformat(),
            "end": self.end.astimezone(zone).isoformat(),
            "start_utc": stamp(self.start),
        }


def dates(first: date, repeat: dict) -> Iterator[date]:
    """Days of a repeated event, from `first` on, without end."""
    on = {DAYS.index(day) for day in repeat["on"]} if "on" in repeat else {first.weekday()}
    day = first
    while True:
        if repeat["every"] == "day" or day.weekday() in on:
            yield day
        day += timedelta(days=1)


def occurrences(event: dict, zone: ZoneInfo) -> Iterator[Occurrence]:
    local = parsed(datetime.strptime, event["start"], "%Y-%m-%dT%H:%M")
    repeat = event.get("repeat", {"every": "day", "times": 1})
    if repeat["every"] not in ("day", "week") or not 1 <= repeat["times"] <= MAX_TIMES:
        raise InputError(f"{event['title']}: a repetition is every day or week, 1 to {MAX_TIMES} times")
    if repeat["every"] == "day" and "on" in repeat:
        raise InputError(f"{event['title']}: `on` is for weeks")
    if not set(repeat.get("on", DAYS)) or not set(repeat.get("on", [])) <= set(DAYS):
        raise InputError(f"{event['title']}: `on` lists some of {', '.join(DAYS)}")
    left_out = {parsed(date.fromisoformat, day) for day in repeat.get("except", [])}
    for day in islice(dates(local.date(), repeat), repeat["times"]):
        if day not in left_out:
            start = datetime.combine(day, local.time(), zone).astimezone(UTC)
            yield Occurrence(start, start + timedelta(minutes=event["minutes"]), event["title"], event.get("location", ""))


def parsed(parse, text: str, *format: str):
    try:
        return parse(text, *format)
    except ValueError:
        raise InputError(f"{text!r} is no such date or time") from None


def conflicts(sorted_occurrences: list[Occurrence]) -> list[dict]:
    found = []
    for first, one in enumerate(sorted_occurrences):
        for second in range(first + 1, len(sorted_occurrences)):
            other = sorted_occurrences[second]
            if other.start >= one.end:
                break
            overlap = min(one.end, other.end) - other.start
            found.append({"first": first, "second": second, "minutes": overlap // timedelta(minutes=1)})
    return found


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y%m%dT%H%M%SZ")


def escaped(text: str) -> str:
    for plain, written in (("\\", "\\\\"), (";", "\\;"), (",", "\\,"), ("\n", "\\n")):
        text = text.replace(plain, written)
    return text


def folded(line: str) -> str:
    """A content line in pieces of at most 75 bytes, no character torn (RFC 5545, 3.1)."""
    pieces, size = [""], 0
    for character in line:
        width = len(character.encode())
        if size + width > 75:
            pieces.append(" ")
            size = 1
        pieces[-1] += character
        size += width
    return "\r\n".join(pieces)


def icalendar(all_occurrences: list[Occurrence], issued: datetime) -> str:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//sre-runtime//meeting-calendar 1.0//EN"]
    for number, occurrence in enumerate(all_occurrences):
        identity = sha256(f"{number}\n{occurrence.title}\n{stamp(occurrence.start)}".encode()).hexdigest()[:32]
        lines += [
            "BEGIN:VEVENT",
            f"UID:{identity}@meeting-calendar",
            f"DTSTAMP:{stamp(issued)}",
            f"DTSTART:{stamp(occurrence.start)}",
            f"DTEND:{stamp(occurrence.end)}",
            f"SUMMARY:{escaped(occurrence.title)}",
            *([f"LOCATION:{escaped(occurrence.location)}"] if occurrence.location else []),
            "END:VEVENT",
        ]
    lines.append("END:VCALENDAR")
    return "".join(f"{folded(line)}\r\n" for line in lines)


def run(request: dict) -> dict:
    try:
        zone = ZoneInfo(request["timezone"])
        issued = parsed(datetime.strptime, request["issued"], "%Y-%m-%dT%H:%M:%SZ")
        found = sorted(one for event in request["events"] for one in occurrences(event, zone))
    except KeyError as missing:
        if isinstance(missing, ZoneInfoNotFoundError):
            raise InputError(f"no time zone is called {request['timezone']!r}") from None
        raise InputError(f"the field {missing} is missing") from None
    return {
        "occurrences": [one.as_json(zone) for one in found],
        "conflicts": conflicts(found),
        "icalendar": icalendar(found, issued),
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
