import json

missing = []
for name in ("lzma", "bz2", "mmap", "tkinter", "numpy"):
    try:
        __import__(name)
    except ImportError as error:
        missing.append(type(error).__name__)
print(json.dumps(missing))
