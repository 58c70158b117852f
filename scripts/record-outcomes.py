#!/usr/bin/env python3
"""Writes examples/outcomes.json: what every example does on its first case, by digest.

    cargo build && scripts/record-outcomes.py target/debug/sre
"""

import json
import pathlib
import subprocess
import sys

FIELDS = ("skill", "input", "profile", "outcome", "fuel")


def outcome(sre: str, skill: pathlib.Path, cases: pathlib.Path) -> dict:
    first = min(cases.glob("*.input.json"))
    command = [sre, "determinism", str(skill), "--input-file", str(first), "--runs", "8", "--warm", "--format", "json"]
    found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return {name: found[name] for name in FIELDS}


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    examples = pathlib.Path(__file__).resolve().parent.parent / "examples"
    outcomes = {
        cases.name: outcome(sys.argv[1], examples / cases.name, cases) for cases in sorted((examples / "cases").iterdir())
    }
    (examples / "outcomes.json").write_text(json.dumps(outcomes, indent=1) + "\n")


if __name__ == "__main__":
    main()
