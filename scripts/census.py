#!/usr/bin/env python3
"""Tells which programs of public skills would run here and, if not, why.

    scripts/census.py DIR…                          tables: a folder is a collection of skills
    scripts/census.py --before DIR…                 the same if the JSON contract were all there is
    scripts/census.py --sre target/debug/sre DIR…   `sre skill check` has the last word on each package
    scripts/census.py --list DIR…                   one line a program
    scripts/census.py --format json DIR…            everything, for machines

Every folder with a SKILL.md is a skill. Its programs are the scripts with a `__main__` guard, with arguments or output
at the top level, or executable with an interpreter line; not tests, templates, assets and other people's packages.
Scripts are read, not run, so the figures are estimates: what a script needs in one branch only counts, and what it can
do without (`except ImportError`) does not. What would run is data in `skill_reader/rules.py`.
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import dataclasses
import json
import pathlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence

from skill_reader import javascript, python, rules, shell
from skill_reader.find import Script, Skill, skills
from skill_reader.rules import Contract, Need

READERS = {"python": python.needs, "javascript": javascript.needs, "typescript": javascript.needs, "shell": shell.needs}
LANGUAGES = ("python", "javascript", "typescript", "shell", "other")


@dataclasses.dataclass(frozen=True)
class Entry:
    """One program and what stands in its way, the first reason first."""

    collection: str
    skill: str
    path: str
    language: str
    needs: tuple[Need, ...]
    reasons: tuple[Need, ...]


@dataclasses.dataclass(frozen=True)
class Collection:
    name: str
    skills: int
    with_entries: int
    entries: tuple[Entry, ...]

    @property
    def run(self) -> int:
        return sum(not entry.reasons for entry in self.entries)


def needs(skill: Skill, script: Script) -> tuple[Need, ...]:
    found = {Need("language", script.language)}
    if script.language in READERS:
        found |= READERS[script.language](skill, script)
    return tuple(sorted(found, key=lambda need: (rules.KINDS.index(need.kind), need.name)))


def front_matter(skill: Skill, contract: Contract) -> list[Need]:
    """What refuses a package under the JSON contract, roughly. The command contract needs no front matter."""
    if not contract.strict_front_matter:
        return []
    if skill.front_matter is None:
        return [Need("front matter", "missing")]
    keys = re.findall(r"^([^\s:#'\"-][^:\n]*):", skill.front_matter, re.MULTILINE)
    unknown = [key for key in keys if key not in rules.FRONT_MATTER_KEYS]
    if unknown:
        return [Need("front matter", f"unknown key {unknown[0]}")]
    return [] if "runtime" in keys else [Need("front matter", "no runtime block")]


def checked(skill: Skill, sre: pathlib.Path) -> list[Need]:
    """What `sre skill check` says against a package."""
    with tempfile.TemporaryDirectory() as data:
        command: list[str | pathlib.Path] = [sre, "skill", "check", skill.folder, "--format", "json"]
        command += ["--data-dir", data]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return []
    try:
        detail = json.loads(done.stderr.strip().splitlines()[-1])["detail"]
    except (ValueError, LookupError, TypeError):
        detail = done.stderr.strip() or f"exit code {done.returncode}"
    return [Need("front matter", detail)]


def read(folder: pathlib.Path, contract: Contract, sre: pathlib.Path | None) -> Collection:
    found = skills(folder)
    with_entries = [skill for skill in found if skill.entries]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        packages = list(
            pool.map(lambda skill: checked(skill, sre) if sre else front_matter(skill, contract), with_entries)
        )
    entries = []
    for skill, refused in zip(with_entries, packages, strict=True):
        for script in skill.entries:
            wanted = needs(skill, script)
            reasons = (*refused, *(need for need in wanted if contract.refuses(need)))
            entries.append(Entry(folder.name, skill.name, script.path.as_posix(), script.language, wanted, reasons))
    return Collection(folder.name, len(found), len(with_entries), tuple(entries))


def table(rows: Sequence[Sequence[object]]) -> str:
    """Columns of equal width, the first to the left."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    lines = (
        "  ".join(
            cell.ljust(width) if not index else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in texts
    )
    return "\n".join(line.rstrip() for line in lines)


def share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def collections_table(found: Sequence[Collection]) -> str:
    rows: list[Sequence[object]] = [("collection", "skills", "with programs", "programs", "run here", "share")]
    for one in found:
        rows.append(
            (one.name, one.skills, one.with_entries, len(one.entries), one.run, share(one.run, len(one.entries)))
        )
    sums = [
        sum(column)
        for column in zip(*((one.skills, one.with_entries, len(one.entries), one.run) for one in found), strict=True)
    ]
    rows.append(("total", *sums, share(sums[3], sums[2])))
    return table(rows)


def column(language: str) -> str:
    return language if language in LANGUAGES else "other"


def reasons_table(entries: Sequence[Entry]) -> str:
    """First reasons by language, how often each is a reason at all, and what would run without it and those above."""
    rows: list[Sequence[object]] = [
        ("first reason", *LANGUAGES, "all", "share", "also first or later", "would run without")
    ]
    gone: set[str] = set()
    for kind in (None, *rules.KINDS):
        first = [entry for entry in entries if (entry.reasons[0].kind if entry.reasons else None) == kind]
        any_of = sum(any(reason.kind == kind for reason in entry.reasons) for entry in entries)
        if kind:
            gone.add(kind)
        if not first and not any_of and kind:
            continue
        by_language = collections.Counter(column(entry.language) for entry in first)
        left = sum(all(reason.kind in gone for reason in entry.reasons) for entry in entries)
        counts = (by_language[name] or "" for name in LANGUAGES)
        rows.append(
            (
                kind or "none: it runs",
                *counts,
                len(first),
                share(len(first), len(entries)),
                any_of or "",
                share(left, len(entries)),
            )
        )
    totals = collections.Counter(column(entry.language) for entry in entries)
    rows.append(("total", *(totals[name] or "" for name in LANGUAGES), len(entries), "", "", ""))
    return table(rows)


def names(entries: Iterable[Entry]) -> str:
    """Every kind of reason with its names, the most frequent first."""
    found: dict[str, collections.Counter[str]] = {}
    for entry in entries:
        for reason in entry.reasons:
            if reason.name:
                found.setdefault(reason.kind, collections.Counter())[reason.name] += 1
    return "\n".join(
        f"{kind}: " + ", ".join(f"{name} {count}" for name, count in found[kind].most_common(40))
        for kind in rules.KINDS
        if kind in found
    )


def as_json(contract: Contract, found: Sequence[Collection]) -> dict[str, object]:
    entries = [entry for one in found for entry in one.entries]
    return {
        "contract": contract.name,
        "collections": [
            {
                "name": one.name,
                "skills": one.skills,
                "with_programs": one.with_entries,
                "programs": len(one.entries),
                "run": one.run,
            }
            for one in found
        ],
        "first_reasons": collections.Counter(entry.reasons[0].kind if entry.reasons else "none" for entry in entries),
        "programs": [
            dataclasses.asdict(entry)
            | {
                "needs": list(map(str, entry.needs)),
                "reasons": list(map(str, entry.reasons)),
                "runs": not entry.reasons,
            }
            for entry in entries
        ],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=pathlib.Path, metavar="DIR")
    parser.add_argument("--before", action="store_true", help="the JSON contract only: one JSON value in, one out")
    parser.add_argument("--sre", type=pathlib.Path, metavar="PATH", help="the binary that checks the packages")
    parser.add_argument("--list", action="store_true", help="one line a program")
    parser.add_argument("--format", choices=("human", "json"), default="human")
    options = parser.parse_args()
    for folder in options.folders:
        if not folder.is_dir():
            parser.error(f"{folder} is no folder")
    contract = rules.JSON_CONTRACT if options.before else rules.COMMAND_CONTRACT
    found = [read(folder.resolve(), contract, options.sre and options.sre.resolve()) for folder in options.folders]
    entries = [entry for one in found for entry in one.entries]
    if options.format == "json":
        json.dump(as_json(contract, found), sys.stdout, indent=1)
        print()
    elif options.list:
        for entry in entries:
            verdict = f"no    {entry.reasons[0]}" if entry.reasons else "runs"
            print(f"{entry.collection}/{entry.skill}/{entry.path}\t{entry.language}\t{verdict}")
    else:
        served = ", ".join(kind for kind in rules.KINDS if kind in contract.serves) or "one JSON value in, one out"
        print(f"{contract.name}: {', '.join(sorted(contract.languages))}; {served}\n")
        print(collections_table(found), reasons_table(entries), names(entries), sep="\n\n")


if __name__ == "__main__":
    main()
