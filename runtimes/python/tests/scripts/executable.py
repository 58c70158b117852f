"""The executable bit of files that a script makes, copies and unpacks."""
import io
import os
import pathlib
import shutil
import tarfile

pathlib.Path("made.sh").write_text("made\n")
os.chmod("made.sh", 0o755)
shutil.copy("made.sh", "copied.sh")
pathlib.Path("unmade.sh").write_text("unmade\n")
pathlib.Path("unmade.sh").chmod(0o755)
pathlib.Path("unmade.sh").chmod(0o644)
with tarfile.open("tools.tar", "w") as archive:
    member = tarfile.TarInfo("unpacked.sh")
    member.mode, member.size = 0o755, 9
    archive.addfile(member, io.BytesIO(b"unpacked\n"))
with tarfile.open("tools.tar") as archive:
    archive.extractall(filter="data")
os.remove("tools.tar")
for path in ("nowhere", __file__):
    try:
        os.chmod(path, 0o755)
    except OSError as error:
        print(error)
