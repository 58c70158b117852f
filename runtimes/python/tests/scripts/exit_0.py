import atexit
import sys

atexit.register(lambda: print("2]"))
print("[1,")
sys.exit()
