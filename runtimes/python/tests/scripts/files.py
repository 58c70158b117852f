"""Reading the package, writing to /tmp."""
import json
import os
import pathlib
import shutil
import tempfile

text = open("data/note.json").read()
assert text == open("/skill/data/note.json", encoding="utf-8").read() == pathlib.Path("data/note.json").read_text()
here = pathlib.Path(__file__).parent
with tempfile.TemporaryDirectory() as folder:
    copy = shutil.copy("data/note.json", folder)
    size = os.stat(copy).st_size
    pathlib.Path(folder, "sub").mkdir()
    listed = sorted(os.listdir(folder))
with tempfile.NamedTemporaryFile("w+") as file:
    file.write("x" * 10)
    file.seek(0)
    back = file.read()
os.chdir("/tmp")
open("rel.txt", "w").write("1")
print(json.dumps([json.loads(text)["note"], size, listed, back, os.listdir("/tmp"), os.getcwd(),
                  sorted(os.listdir("/skill")), os.path.exists("data"), here.name, os.access("/skill/data/note.json", os.R_OK)]))
