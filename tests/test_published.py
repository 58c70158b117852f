"""`scripts/published.py` on a made-up collection, and what holds for the cases of public skills."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

CASES = ROOT / "tests" / "published" / "cases.json"
SCRIPT = (
    "import os, pathlib, sys\n"
    "text = pathlib.Path(sys.argv[1]).read_text() + sys.stdin.read() + os.environ['SEASON']\n"
    "pathlib.Path('out').mkdir()\n"
    "pathlib.Path('out/loud.txt').write_text(text.upper())\n"
    "os.remove('old.txt')\n"
    "print(os.getcwd(), __file__, sorted(os.environ.keys() - {'LC_CTYPE', 'PWD'}))\n"
    "sys.exit(3)\n"
)
needs_jail = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")


def published(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-B", ROOT / "scripts" / "published.py", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def mirror(tmp_path) -> Path:
    """A collection with one skill."""
    script = tmp_path / "mirror" / "made+up" / "skills" / "loud" / "scripts" / "loud.py"
    script.parent.mkdir(parents=True)
    script.write_text(SCRIPT)
    (script.parents[1] / "SKILL.md").write_text("---\nname: loud\ndescription: Loud.\n---\n")
    return tmp_path / "mirror"


@pytest.fixture
def cases(tmp_path) -> Path:
    """The record of one case, without an outcome."""
    case = {
        "name": "loud",
        "collection": "made+up",
        "skill": "skills/loud",
        "script": "scripts/loud.py",
        "language": "python",
        "sha256": hashlib.sha256(SCRIPT.encode()).hexdigest(),
        "arguments": ["in/soft.txt"],
        "stdin": " and sweet ",
        "env": {"SEASON": "autumn"},
        "work": {"in/soft.txt": {"input": "soft.txt"}, "old.txt": "old"},
    }
    file = tmp_path / "cases.json"
    file.write_text(json.dumps({"collections": {"made+up": {"commit": "0" * 40}}, "cases": [case]}))
    (tmp_path / "inputs").mkdir()
    (tmp_path / "inputs" / "soft.txt").write_text("cloudy")
    return file


@needs_jail
def test_a_native_run_is_what_the_command_contract_gives(mirror, cases):
    recorded = published(mirror, "--native", "--record", "--cases", cases)
    assert recorded.returncode == 0, recorded.stdout + recorded.stderr
    expected = json.loads(cases.read_text())["cases"][0]["expected"]
    loud = b"CLOUDY AND SWEET AUTUMN"
    seen = b"/workspace /skill/scripts/loud.py ['HOME', 'LANG', 'PATH', 'SEASON', 'TMPDIR', 'TZ']\n"
    assert expected == {
        "exit_code": 3,
        "stdout": {"size": len(seen), "sha256": hashlib.sha256(seen).hexdigest()},
        "files": [
            {"path": "old.txt", "deleted": True},
            {"path": "out/loud.txt", "size": len(loud), "sha256": hashlib.sha256(loud).hexdigest()},
        ],
    }
    again = published(mirror, "--native", "--cases", cases)
    assert again.returncode == 0
    assert again.stdout.splitlines()[0].split() == ["same", "loud"]


@needs_jail
def test_every_difference_is_told_and_ends_in_failure(mirror, cases):
    published(mirror, "--native", "--record", "--cases", cases)
    record = json.loads(cases.read_text())
    expected = record["cases"][0]["expected"]
    expected["exit_code"] = 0
    expected["stdout"]["size"] += 1
    expected["files"][0] = {"path": "new.txt", "size": 1, "sha256": "0" * 64}
    expected["files"][1]["sha256"] = "0" * 64
    cases.write_text(json.dumps(record))
    found = published(mirror, "--native", "--cases", cases)
    assert found.returncode == 1
    for note in (
        "exit code 3, not 0",
        "standard output of ",
        "new.txt is as it was",
        "old.txt is changed",
        "out/loud.txt has another sha256",
    ):
        assert note in found.stdout


def test_a_script_that_has_changed_is_skipped_and_says_so(mirror, cases):
    (mirror / "made+up" / "skills" / "loud" / "scripts" / "loud.py").write_text(SCRIPT + "\n")
    found = published(mirror, "--native", "--cases", cases)
    assert found.returncode == 0
    assert "skipped  loud  the collection has moved on" in found.stdout


@needs_jail
def test_a_collection_may_be_a_bare_repository(mirror, cases):
    published(mirror, "--native", "--record", "--cases", cases)
    collection = mirror / "made+up"
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", "-C", collection]
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "one"]):
        subprocess.run([*git, *arguments], check=True, capture_output=True)
    subprocess.run(["git", "clone", "-q", "--bare", collection, mirror / "bare"], check=True, capture_output=True)
    shutil.rmtree(collection)
    (mirror / "bare").rename(collection)
    found = published(mirror, "--native", "--cases", cases)
    assert "same" in found.stdout.splitlines()[0]


def test_the_cases_of_public_skills_are_complete():
    record = json.loads(CASES.read_text("utf-8"))
    cases = record["cases"]
    names = [case["name"] for case in cases]
    assert len(set(names)) == len(names) >= 60
    assert all(re.fullmatch(r"[0-9a-f]{40}", collection["commit"]) for collection in record["collections"].values())
    assert {case["collection"] for case in cases} == record["collections"].keys()
    for case in cases:
        assert re.fullmatch(r"[0-9a-f]{64}", case["sha256"])
        assert re.fullmatch(r"[0-9a-f]{64}", case["expected"]["stdout"]["sha256"])
        assert set(case.get("needs", [])) <= {"shell", "typescript", "packages", "programs", "modules"}


def test_every_input_of_the_cases_exists_and_is_used():
    cases = json.loads(CASES.read_text("utf-8"))["cases"]
    sources = [source for case in cases for source in (*case.get("work", {}).values(), case.get("stdin", ""))]
    named = {source["input"] for source in sources if isinstance(source, dict) and "input" in source}
    assert named == {file.name for file in (CASES.parent / "inputs").iterdir()}
