"""What a script sees of its process."""

import json
import os
import sys

print(
    json.dumps(
        {
            "argv": sys.argv,
            "name": __name__,
            "file": __file__,
            "path": sys.path,
            "cwd": os.getcwd(),
            "env": {name: os.environ[name] for name in ("LANG", "TMPDIR", "TZ")},
            "home": os.environ["HOME"] == os.path.expanduser("~"),
            "input": json.loads(os.environ["INPUT_JSON"]) == json.load(sys.stdin),
            "rest": sys.stdin.read(),
            "version": sys.version_info[:2],
            "main": sys.modules["__main__"].__dict__ is globals(),
            "names": sorted(name for name in globals() if name not in ("json", "os", "sys")),
        }
    )
)
