import ctypes

ctypes.CDLL("libc.so.6").puts(b"never")
