"""Files in the working folder, as a program that keeps house there uses them."""

import csv
import glob
import os
import pathlib
import shutil
import sqlite3
import tarfile
import tempfile
import zipfile

assert os.getcwd() == "/workspace" == os.path.realpath(".") == str(pathlib.Path.cwd().resolve())
os.makedirs("data/deep")
with open("data/a.csv", "w", newline="") as file:
    csv.writer(file).writerows([["name", "count"], ["é", 1]])
with open("data/a.csv", newline="") as file:
    print(list(csv.DictReader(file)))

with sqlite3.connect("list.db") as database:
    database.execute("create table entries (number integer primary key, text)")
    database.executemany("insert into entries values (?, ?)", ((n, f"text {n}") for n in range(1000)))
database.close()
with sqlite3.connect("list.db") as database:
    database.execute("delete from entries where number % 2")
    print(database.execute("select count(*), sum(number) from entries").fetchone())
database.close()

with zipfile.ZipFile("all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
    archive.write("data/a.csv")
with zipfile.ZipFile("all.zip", "a") as archive:
    archive.writestr("more.txt", "more")
    print(archive.namelist(), oct(archive.getinfo("data/a.csv").external_attr >> 16))
with tarfile.open("all.tar.gz", "w:gz") as archive:
    archive.add("data")
with tarfile.open("all.tar.gz") as archive:
    print([(member.name, oct(member.mode)) for member in archive])
    archive.extractall("copy", filter="data")
print(
    sorted(glob.glob("**/*.csv", recursive=True)),
    [entry.name for entry in sorted(os.scandir("copy"), key=lambda e: e.name)],
)

os.symlink("../a.csv", "data/deep/link")
print(os.readlink("data/deep/link"), os.path.islink("data/deep/link"), os.path.realpath("data/deep/link"))
os.chdir("data/deep")
os.chdir("..")
print(os.getcwd(), [names for names in os.walk(".")])
os.chdir("/workspace")
for attempt in (
    lambda: open("nowhere"),
    lambda: open("data"),
    lambda: os.mkdir("data"),
    lambda: os.rmdir("data"),
    lambda: os.rename("nowhere", "somewhere"),
    lambda: os.listdir("all.zip"),
    lambda: open("/skill/new", "w"),
    lambda: os.readlink("data"),
):
    try:
        attempt()
    except OSError as error:
        print(type(error).__name__, error)

shutil.rmtree("copy")
shutil.move("data", "kept")
os.remove("list.db")
os.replace("all.zip", "kept/all.zip")
with open("log.txt", "a+") as file:
    file.write("second\n")
    file.seek(0)
    print(file.readlines())
pathlib.Path("~/state.json").expanduser().write_text("{}")
with tempfile.NamedTemporaryFile("w+", suffix=".json", delete=False) as file:
    file.write("[]")
print(os.path.dirname(file.name), sorted(str(path) for path in pathlib.Path(".").rglob("*")))
