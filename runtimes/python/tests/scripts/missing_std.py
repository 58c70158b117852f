import json

missing = []
for name in ("ssl", "ctypes", "lzma", "bz2", "multiprocessing", "tkinter", "numpy"):
    try:
        __import__(name)
    except ImportError as error:
        missing.append(type(error).__name__)
print(json.dumps(missing))
