"""Counts words: JSON, a regular expression and a Counter."""

import json
import re
import sys
from collections import Counter


def main() -> None:
    data = json.load(sys.stdin)
    words = re.findall(r"[\w']+", data["text"].lower())
    counts = Counter(words)
    print(json.dumps({"total": len(words), "distinct": len(counts), "top": counts.most_common(10)}))


if __name__ == "__main__":
    main()
