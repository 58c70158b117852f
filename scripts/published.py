#!/usr/bin/env python3
"""Runs programs of public skills, and compares exit code, standard output and files with those of a native run.

    scripts/published.py MIRROR --sre target/debug/sre    every case through `sre run`
    scripts/published.py MIRROR --sre … --native          the same; a native run shows the first line that differs
    scripts/published.py MIRROR --native                  the native side against the record
    scripts/published.py MIRROR --native --record         writes the record anew

MIRROR holds the collections, each a folder or a bare git repository, named OWNER+NAME. The cases name their scripts by
path and digest; a script that has changed since is skipped. Nothing of the collections is kept here: inputs and
drivers are our own, and of what the scripts print there are digests. A case with `needs` waits for what it names.

The native side needs Linux, bubblewrap and the interpreters; TypeScript a Node that strips types, 22.18 or newer.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import json
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Mapping

from skill_cases.execution import TIMEOUT_SECONDS, native, through_sre
from skill_cases.materials import Materials, Skipped
from skill_cases.outcome import Case, Outcome, differences, first_differences

CASES = pathlib.Path(__file__).resolve().parents[1] / "tests" / "published" / "cases.json"
VERDICTS = ("same", "differs", "skipped")


@dataclasses.dataclass
class Runner:
    materials: Materials
    sre: pathlib.Path | None
    native: bool
    record: bool
    node: str | None

    def run(self, case: Case) -> tuple[str, list[str]]:
        """One of `VERDICTS`, and why."""
        try:
            package = self.materials.package(case)
            if self.sre:
                found = through_sre(case, package, self.materials, self.sre)
            else:
                found = native(case, package, self.materials, self.node)
                if self.record:
                    case["expected"] = found.record()
            return self._judge(case, package, found)
        except Skipped as reason:
            return "skipped", [str(reason)]
        except subprocess.TimeoutExpired:
            return "differs", [f"it did not end within {TIMEOUT_SECONDS} s"]

    def _judge(self, case: Case, package: pathlib.Path, found: Outcome) -> tuple[str, list[str]]:
        if "expected" not in case:
            raise Skipped("nothing is recorded of it")
        notes = list(differences(case["expected"], found.record()))
        if not notes:
            return "same", []
        if self.sre and self.native:
            notes += first_differences(native(case, package, self.materials, self.node), found)
        return "differs", notes + [f"log: {line}" for line in found.log.strip().splitlines()[-4:]]


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mirror", type=pathlib.Path, metavar="MIRROR")
    parser.add_argument("--sre", type=pathlib.Path, metavar="PATH", help="the binary")
    parser.add_argument("--native", action="store_true", help="run natively")
    parser.add_argument("--record", action="store_true", help="with --native: this is what is expected")
    parser.add_argument("--node", metavar="PATH", help="another Node than the one on PATH, for the native side")
    parser.add_argument("--cases", type=pathlib.Path, default=CASES, metavar="FILE", help="the record")
    parser.add_argument("--case", action="append", metavar="NAME", help="only this case; may be repeated")
    parser.add_argument("--language", action="append", help="only this language; may be repeated")
    parser.add_argument("--collection", action="append", help="only this collection; may be repeated")
    parser.add_argument("--needs", choices=("nothing", "anything"), help="only cases without, or with, needs")
    chosen = parser.parse_args()
    if not chosen.sre and not chosen.native:
        parser.error("give --sre PATH, --native, or both")
    if chosen.record and (chosen.sre or not chosen.native):
        parser.error("--record goes with --native alone")
    return chosen


def is_chosen(case: Case, chosen: argparse.Namespace) -> bool:
    if chosen.needs and bool(case.get("needs")) != (chosen.needs == "anything"):
        return False
    filters = ((chosen.case, "name"), (chosen.language, "language"), (chosen.collection, "collection"))
    return all(values is None or case[key] in values for values, key in filters)


def print_table(counts: Mapping[tuple[str, str], collections.Counter[str]]) -> None:
    """The sums by collection and language."""
    rows = [(collection, language, verdicts) for (collection, language), verdicts in sorted(counts.items())]
    rows.append(("total", "", sum(counts.values(), collections.Counter())))
    width = max(len(collection) for collection, _, _ in rows)
    print(f"\n{'collection':{width}}  {'language':10}" + "".join(f"  {name:>7}" for name in VERDICTS))
    for collection, language, verdicts in rows:
        print(f"{collection:{width}}  {language:10}" + "".join(f"  {verdicts[name]:7}" for name in VERDICTS))


def main() -> None:
    chosen = options()
    record = json.loads(chosen.cases.read_text("utf-8"))
    cases = [case for case in record["cases"] if is_chosen(case, chosen)]
    if not cases:
        sys.exit("error: no such case")
    commits = {name: collection["commit"] for name, collection in record["collections"].items()}
    counts: dict[tuple[str, str], collections.Counter[str]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        materials = Materials(chosen.mirror.resolve(), commits, chosen.cases.parent / "inputs", pathlib.Path(scratch))
        runner = Runner(materials, chosen.sre and chosen.sre.resolve(), chosen.native, chosen.record, chosen.node)
        for case in cases:
            verdict, notes = runner.run(case)
            counts.setdefault((case["collection"], case["language"]), collections.Counter())[verdict] += 1
            print(f"{verdict:8} {case['name']}", *notes, sep="\n         " if len(notes) > 1 else "  ", flush=True)
    if chosen.record:
        chosen.cases.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", "utf-8")
    print_table(counts)
    sys.exit(any(verdicts["differs"] for verdicts in counts.values()))


if __name__ == "__main__":
    main()
