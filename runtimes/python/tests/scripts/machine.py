"""What a command sees of its machine."""

import json
import os
import pathlib
import sys
import tempfile

sys.stdout.buffer.write(b"\xff\n")
print(
    json.dumps(
        {
            "argv": sys.argv,
            "file": __file__,
            "path": sys.path,
            "folder": os.getcwd(),
            "env": dict(sorted(os.environ.items())),
            "root": sorted(os.listdir("/")),
            "home": str(pathlib.Path.home()),
            "tmp": tempfile.gettempdir(),
            "rest": sys.stdin.read(),
        },
        sort_keys=True,
    )
)
