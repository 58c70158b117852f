"""input(), iteration and bytes of standard input."""
import json
import sys

print(json.dumps([input(), sys.stdin.buffer.read().decode()]))
