"""Typical work of a script, run before the snapshot. What it prints is thrown away."""
import json
import os
import re
import sys
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

TEXT = "The quick brown fox, 12 dogs; naïve café — and the lazy dog's \"bone\". " * 4


@dataclass
class Entry:
    word: str
    count: int


def main():
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
