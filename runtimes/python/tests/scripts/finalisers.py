"""What is still open or alive at the end is flushed and finalised."""
import io
import sys


class Last:
    def __del__(self):
        print(", 2]")


last = Last()
sys.stdout = io.TextIOWrapper(sys.stdout.detach(), encoding="utf-8")
print("[1", end="")
