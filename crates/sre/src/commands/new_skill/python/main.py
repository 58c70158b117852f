"""Puts its input into an object under "echo"."""

import json
import sys


def run(data: dict) -> dict:
    return {"echo": data}


if __name__ == "__main__":
    json.dump(run(json.load(sys.stdin)), sys.stdout)
