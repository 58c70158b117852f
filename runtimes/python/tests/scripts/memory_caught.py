import json

try:
    big = bytearray((1 << 31) - 64)
except MemoryError:
    pass
blocks = []
try:
    while True:
        blocks.append(bytearray(1 << 20))
except MemoryError:
    caught = len(blocks) > 10
    blocks.clear()
print(json.dumps(caught))
