import atexit
import os
import sys

atexit.register(print, "never", file=sys.stderr)
os._exit(7)
