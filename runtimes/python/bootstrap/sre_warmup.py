"""Typical work of a script, run before the snapshot. What it prints is thrown away."""

import argparse
import csv
import json
import os
import re
import sys
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

TEXT = 'The quick brown fox, 12 dogs; naïve café — and the lazy dog\'s "bone". ' * 4


@dataclass
class Entry:
    word: str
    count: int


def command(folder):
    """What a script with arguments does with files."""
    parser = argparse.ArgumentParser(description="Counts words.")
    parser.add_argument("file", type=Path, help="what to read")
    parser.add_argument("--top", "-t", type=int, default=10, help="how many")
    parser.add_argument("--format", choices=["text", "json"], default="text")
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args([f"{folder}/warmup/a.csv", "--top", "3"])
    arguments.file.parent.mkdir(parents=True, exist_ok=True)
    arguments.file.write_text("word,count\nnaïve,1\n", encoding="utf-8")
    with open(arguments.file, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    with open(arguments.file, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["word", "count"])
        writer.writerows([row["word"], row["count"]] for row in rows)
    with open(arguments.file, encoding="utf-8") as file:
        lines = [line.strip() for line in file]
    for folder, _, names in os.walk(arguments.file.parent):
        for name in sorted(names):
            path = os.path.join(folder, name)
            if os.path.exists(path) and Path(path).suffix == ".csv":
                os.remove(path)
    arguments.file.parent.rmdir()
    print(f"{len(lines)} lines", file=sys.stdout)


def main():
    command("/0")
    re.purge()
    for pattern in (r"\w+", r"[\w']+", r"^(\d{4})-(\d\d)$", r"(?i)a|bc|\s*[^,;]+?", r"(?P<name>[A-Za-z_]\w*)=(.*)"):
        re.sub(pattern, " ", TEXT)
    json.loads(sys.stdin.read() or "{}")
    data = json.loads(json.dumps({"text": TEXT, "top": 3, "list": [1, 2.5, True, None, {"a": []}]}))
    words = re.findall(r"\w+", data["text"].lower())
    counts = Counter(words)
    entries = [Entry(word, count) for word, count in counts.most_common(data.get("top", 10))]
    lengths = defaultdict(list)
    for word in sorted(counts):
        lengths[len(word)].append(word)
    day = datetime(2026, 1, 2) + timedelta(days=len(words))
    result = {
        "words": len(words),
        "entries": [asdict(entry) for entry in entries],
        "lengths": {str(k): ", ".join(v) for k, v in lengths.items()},
        "day": day.isoformat(),
        "name": str(Path("/tmp") / "a.txt"),
        "home": os.environ.get("HOME"),
        "mean": sum(counts.values()) / max(1, len(counts)),
    }
    print(json.dumps(result, indent=2, sort_keys=True))
    print(json.dumps(result, ensure_ascii=False))
    json.dump(result, sys.stdout)
    sys.stdout.write(f"{len(words):>5} {result['mean']:.2f}\n")


if __name__ == "__main__":
    main()
