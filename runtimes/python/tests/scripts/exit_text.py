import sys

sys.exit("text")
