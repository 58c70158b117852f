"""Counts the words of a file and writes a report, as a command."""

import argparse
import os
import pathlib
import sys

parser = argparse.ArgumentParser(description="Counts words.")
parser.add_argument("file", type=pathlib.Path)
parser.add_argument("--out", type=pathlib.Path, default="out/report.txt")
arguments = parser.parse_args()
try:
    words = arguments.file.read_text(encoding="utf-8").split()
except OSError as error:
    print(f"Error: {error}")
    sys.exit(1)
arguments.out.parent.mkdir(parents=True, exist_ok=True)
arguments.out.write_text("".join(f"{word}\n" for word in sorted(set(words))), encoding="utf-8")
print(f"{len(words)} words → {arguments.out.resolve()} in {os.getcwd()}")
print(sys.stdin.read(), end="")
