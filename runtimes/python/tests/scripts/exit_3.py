import atexit
import sys

atexit.register(print, "atexit ran", file=sys.stderr)
print('"printed"', end="")
sys.exit(3)
