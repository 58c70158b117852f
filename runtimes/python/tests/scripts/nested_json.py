"""Data nested more deeply than the engine's stack allows for: RecursionError on a stack of 8 MiB, a trap on 1 MiB."""
import json

try:
    json.loads("[" * 100_000)
except RecursionError as error:
    print(json.dumps(type(error).__name__))
