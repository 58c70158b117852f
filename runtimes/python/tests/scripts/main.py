"""Counts words."""
import json
import re
import sys
from collections import Counter


def main():
    data = json.load(sys.stdin)
    words = re.findall(r"[\w']+", data.get("text", "the cat and the hat").lower())
    counts = Counter(words)
    top = [{"word": w, "count": n} for w, n in counts.most_common(int(data.get("top", 10)))]
    print(json.dumps({"total": len(words), "distinct": len(counts), "top": top}))


if __name__ == "__main__":
    main()
