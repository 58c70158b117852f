"""What a case runs on: a fresh copy of the published package, and the inputs that were made for it."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping

from .outcome import Case


class Skipped(Exception):
    """The case cannot be run, which says nothing about its outcome."""


class Materials:
    """`mirror` holds the collections, `inputs` the files that cases name; packages are unpacked in `scratch`."""

    def __init__(self, mirror: pathlib.Path, commits: Mapping[str, str], inputs: pathlib.Path, scratch: pathlib.Path):
        self.mirror = mirror
        self.commits = commits
        self.inputs = inputs
        self.scratch = scratch

    def package(self, case: Case) -> pathlib.Path:
        """The skill, with the files that the case adds and the packages that it requires in `vendor`."""
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.scratch)) / pathlib.PurePath(case["skill"]).name
        self._unpack(case["collection"], case["skill"], folder)
        script = folder / case["script"]
        if not script.is_file():
            raise Skipped(f"the collection has no {case['skill']}/{case['script']} any more")
        if hashlib.sha256(script.read_bytes()).hexdigest() != case["sha256"]:
            raise Skipped("the collection has moved on: its script is not the one that was recorded")
        write(folder, self.files(case, "package"))
        if case.get("requirements"):
            _install(case["requirements"], folder / "vendor")
        return folder

    def files(self, case: Case, name: str) -> dict[str, bytes]:
        return {path: self._content(source) for path, source in case.get(name, {}).items()}

    def stdin(self, case: Case) -> bytes:
        return self._content(case.get("stdin", ""))

    def _content(self, source: str | dict[str, str]) -> bytes:
        """A text, or an object with `base64` or `input`, the name of a file."""
        if isinstance(source, str):
            return source.encode()
        return (self.inputs / source["input"]).read_bytes() if "input" in source else base64.b64decode(source["base64"])

    def _unpack(self, name: str, skill: str, folder: pathlib.Path) -> None:
        collection = self.mirror / name
        for git in (collection, collection / "repo", collection / ".git", collection / "repo" / ".git"):
            if (git / "HEAD").is_file() and (git / "objects").is_dir():
                _archive(git, self.commits.get(name, "HEAD"), skill, folder)
                return
        if not (collection / skill).is_dir():
            raise Skipped(f"there is no {collection / skill}")
        shutil.copytree(collection / skill, folder, symlinks=True)


def write(folder: pathlib.Path, files: Mapping[str, bytes]) -> None:
    for path, content in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


def _archive(git: pathlib.Path, commit: str, skill: str, folder: pathlib.Path) -> None:
    """A folder as of the recorded commit, or of the newest where that one is not there."""
    command = ["git", f"--git-dir={git}"]
    if subprocess.run([*command, "cat-file", "-e", commit], capture_output=True, check=False).returncode:
        commit = "HEAD"
    done = subprocess.run([*command, "archive", "--format=tar", commit, "--", skill], capture_output=True, check=False)
    if done.returncode:
        raise Skipped(f"the collection has no {skill} any more")
    whole = folder.parent / "whole"
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(whole, filter="data")
    (whole / skill).rename(folder)


def _install(requirements: list[str], folder: pathlib.Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    command += ["--no-deps", "--only-binary", ":all:", "--target", str(folder), *requirements]
    environment = {**os.environ, "PIP_ROOT_USER_ACTION": "ignore"}
    if subprocess.run(command, check=False, stdout=sys.stderr, env=environment).returncode:
        raise Skipped("pip cannot fetch what it requires")
