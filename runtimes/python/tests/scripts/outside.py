"""Reading what is not in the package, writing into it."""
import json

seen = []
for path, mode in (("/etc/passwd", "r"), ("../../etc/passwd", "r"), ("/proc/self/environ", "r"), ("data/note.json", "w"),
                   ("new.txt", "w"), ("/skill/scripts/helper.py", "a")):
    try:
        open(path, mode)
        seen.append("opened")
    except OSError as error:
        seen.append(type(error).__name__)
print(json.dumps(seen))
