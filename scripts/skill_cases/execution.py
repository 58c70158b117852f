"""The two ways to run a case: as a process of this machine, and through `sre run`."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from .materials import Materials, Skipped, write
from .outcome import Case, Outcome, changes, tree

ENVIRONMENT = {"LANG": "C.UTF-8", "TZ": "UTC", "HOME": "/home/skill", "TMPDIR": "/tmp", "PATH": "/usr/bin:/bin"}
INTERPRETERS = {"python": "python3", "javascript": "node", "typescript": "node", "shell": "bash"}
TIMEOUT_SECONDS = 120


def native(case: Case, package: pathlib.Path, materials: Materials, node: str | None) -> Outcome:
    """What the command contract gives a program, by bubblewrap: its package at `/skill`, read-only, `/workspace`, an
    empty home folder and `/tmp`, five variables, and no network."""
    if shutil.which("bwrap") is None:
        raise Skipped("the native side needs bubblewrap")
    with tempfile.TemporaryDirectory() as scratch:
        work, home = pathlib.Path(scratch, "work"), pathlib.Path(scratch, "home")
        home.mkdir()
        work.mkdir()
        write(work, materials.files(case, "work"))
        before = tree(work)
        environment = {**ENVIRONMENT, **case.get("env", {})}
        stdin = materials.stdin(case)
        if case.get("requirements"):
            environment["PYTHONPATH"] = "/skill/vendor"
        if "input" in case:
            environment["INPUT_JSON"] = json.dumps(case["input"], ensure_ascii=False)
            stdin = environment["INPUT_JSON"].encode()
        command = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--clearenv"]
        for folder in ("/usr", "/lib", "/lib64", "/bin", "/etc/alternatives", sys.base_prefix):
            command += ["--ro-bind-try", folder, folder]
        program, binding = _interpreter(case["language"], node)
        command += [
            *binding,
            "--proc",
            "/proc",
            "--dev",
            "/dev",
            "--tmpfs",
            "/tmp",
            "--ro-bind",
            str(package),
            "/skill",
        ]
        command += ["--bind", str(home), "/home/skill", "--bind", str(work), "/workspace", "--chdir", "/workspace"]
        for name, value in environment.items():
            command += ["--setenv", name, value]
        command += ["--", program, f"/skill/{entry(case)}", *case.get("arguments", [])]
        done = subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=TIMEOUT_SECONDS)
        log = done.stderr.decode(errors="replace")
        if log.startswith("bwrap: "):
            raise Skipped(log.strip())
        return Outcome(done.returncode, done.stdout, changes(before, tree(work)), log).normal(case)


def _interpreter(language: str, node: str | None) -> tuple[str, list[str]]:
    """The program's path in the jail, and what has to be bound for it. Python is the one that runs this."""
    if language == "python":
        return os.path.realpath(pathlib.Path(sys.base_prefix, "bin", "python3")), []
    name = INTERPRETERS[language]
    found = shutil.which(node if node and name == "node" else name)
    if found is None:
        raise Skipped(f"there is no {name}")
    return f"/interpreter/{name}", ["--ro-bind", os.path.realpath(found), f"/interpreter/{name}"]


def through_sre(case: Case, package: pathlib.Path, materials: Materials, sre: pathlib.Path) -> Outcome:
    """The working folder is written in place, so that deleted files show."""
    with tempfile.TemporaryDirectory() as scratch:
        data, work, stdin = (pathlib.Path(scratch, name) for name in ("data", "work", "stdin"))
        work.mkdir()
        write(work, materials.files(case, "work"))
        before = tree(work)
        command = [str(sre), "run", str(package), "--quiet", "--data-dir", str(data)]
        if "input" in case:
            stdin.write_text(json.dumps(case["input"]), "utf-8")
            command += ["--input-file", str(stdin), "--format", "json"]
        else:
            stdin.write_bytes(materials.stdin(case))
            command += ["--work", str(work), "--in-place", "--stdin", str(stdin), "--accept-exit", "any"]
            command += [part for name, value in case.get("env", {}).items() for part in ("--env", f"{name}={value}")]
            command += ["--", entry(case), *case.get("arguments", [])]
        done = subprocess.run(command, capture_output=True, check=False, timeout=TIMEOUT_SECONDS)
        stdout, log = done.stdout, done.stderr.decode(errors="replace")
        if "input" in case and stdout:
            result = json.loads(stdout)
            stdout = json.dumps(result.get("output")).encode()
            log += result.get("error_message") or ""
        return Outcome(done.returncode, stdout, changes(before, tree(work)), log).normal(case)


def entry(case: Case) -> str:
    """A script of the collection, or a file of ours that uses it."""
    return str(case.get("entry", case["script"]))
