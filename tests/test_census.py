"""`scripts/census.py` on made-up skills: what counts as a program, what it needs, and whether it would run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import BINARY, needs_service

CENSUS = Path(__file__).parent.parent / "scripts" / "census.py"
GUARD = "\nif __name__ == '__main__':\n    main()\n"


def census(*arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-B", CENSUS, *map(str, arguments)], capture_output=True, text=True, check=True
    )
    return done.stdout


def skill(folder: Path, files: dict[str, str], front_matter: str = "name: made-up\ndescription: Made up.") -> Path:
    for path, text in {"SKILL.md": f"---\n{front_matter}\n---\n# Made up\n", **files}.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    return folder


def programs(folder: Path, *arguments: str) -> dict[str, dict]:
    found = json.loads(census("--format", "json", *arguments, folder))
    return {program["path"]: program for program in found["programs"]}


def reasons(folder: Path, files: dict[str, str]) -> dict[str, list[str]]:
    return {path: program["reasons"] for path, program in programs(skill(folder, files)).items()}


def test_a_file_is_a_program_if_it_does_something_when_started(tmp_path):
    skill(
        tmp_path,
        {
            "scripts/guarded.py": "def main():\n    print('x')\n" + GUARD,
            "scripts/plain.py": "import sys\nprint(sys.argv)\n",
            "scripts/library.py": "def helper():\n    print('x')\n",
            "scripts/refusing.py": "class A: ...\nif __name__ == '__main__':\n    raise RuntimeError('import me')\n",
            "scripts/test_it.py": "print('x')\n",
            "assets/sample.py": "print('x')\n",
            "scripts/run": '#!/usr/bin/env bash\necho "$1"\n',
            "scripts/functions.sh": '# sourced\nsay() {\n  echo "$1"\n}\n',
            "scripts/go.mjs": "console.log(process.argv.length)\n",
            "scripts/page.js": "document.title = 'x'\nconsole.log(document.title)\n",
            "scripts/notes.txt": "print('x')\n",
        },
    )
    assert sorted(programs(tmp_path)) == ["scripts/go.mjs", "scripts/guarded.py", "scripts/plain.py", "scripts/run"]


def test_arguments_files_and_text_run_under_the_command_contract_and_not_under_the_json_contract(tmp_path):
    source = "import sys\nopen(sys.argv[2], 'w').write(open(sys.argv[1]).read().upper())\nprint('done')\n"
    skill(tmp_path, {"scripts/up.py": source})
    assert programs(tmp_path)["scripts/up.py"]["runs"]
    before = programs(tmp_path, "--before")["scripts/up.py"]
    assert before["reasons"] == [
        "front matter no runtime block",
        "arguments",
        "input files",
        "output files",
        "text output",
    ]


def test_json_in_and_json_out_runs_under_the_json_contract(tmp_path):
    block = "name: made-up\ndescription: Made up.\nruntime:\n  entrypoint: main.py"
    skill(tmp_path, {"main.py": "import json, sys\nprint(json.dumps(json.load(sys.stdin)))\n"}, block)
    assert programs(tmp_path, "--before")["main.py"]["runs"]


def test_an_unknown_key_is_a_reason_under_the_json_contract_only(tmp_path):
    skill(
        tmp_path,
        {"main.py": "import json\nprint(json.dumps({}))\n"},
        "name: x\nauthor: A\nruntime:\n  entrypoint: main.py",
    )
    assert programs(tmp_path, "--before")["main.py"]["reasons"] == ["front matter unknown key author"]
    assert programs(tmp_path)["main.py"]["runs"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import numpy", ["compiled package numpy"]),
        ("import yaml", ["pure package yaml"]),
        ("import requests", ["pure package requests", "network"]),
        ("import urllib.request", ["network"]),
        ("import webbrowser", []),
        ("import subprocess\nsubprocess.run(['git', 'log'])", ["program git"]),
        ("import subprocess\ncommand = ['/usr/bin/dot', '-V']\nsubprocess.check_output(command)", ["program dot"]),
        ("import os\nos.getenv('EXAMPLE_API_KEY')", ["secrets EXAMPLE_API_KEY"]),
        ("from concurrent.futures import ThreadPoolExecutor\nThreadPoolExecutor()", ["threads"]),
        ("try:\n    import yaml\nexcept ImportError:\n    yaml = None", []),
        ("try:\n    import yaml\nexcept ImportError:\n    raise SystemExit('install it')", ["pure package yaml"]),
        ("import csv, sqlite3, zoneinfo, xml.etree.ElementTree", []),
        ("def broken(:", ["syntax main.py"]),
    ],
)
def test_a_python_program_needs_what_it_imports_and_starts(tmp_path, source, expected):
    assert reasons(tmp_path, {"main.py": f"{source}\nprint('x')\nif __name__ == '__main__':\n    pass\n"}) == {
        "main.py": expected
    }


def test_a_program_needs_what_its_own_modules_need(tmp_path):
    files = {
        "scripts/main.py": "from helpers.tables import rows\nfrom common import x\nprint(rows, x)\n",
        "scripts/helpers/__init__.py": "",
        "scripts/helpers/tables.py": "from .deep import rows\n",
        "scripts/helpers/deep.py": "import pandas\nrows = []\n",
        "lib/common.py": "x = 1\n",
        "scripts/alone.py": "print('x')\n",
    }
    assert reasons(tmp_path, files) == {"scripts/alone.py": [], "scripts/main.py": ["compiled package pandas"]}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("const fs = require('fs'); const path = require('node:path')", []),
        ("import { marked } from 'marked'", ["pure package marked"]),
        ("import sharp from 'sharp'", ["compiled package sharp"]),
        ("import zlib from 'node:zlib'", ["module zlib"]),
        ("const { execSync } = require('child_process'); execSync('git log')", ["program git"]),
        ("await fetch('http://example.org/')", ["network"]),
        ("// import x from 'marked'\n/* require('sharp') */", []),
        ("const key = process.env.EXAMPLE_TOKEN", ["secrets EXAMPLE_TOKEN"]),
    ],
)
def test_a_javascript_program_needs_what_it_imports_and_calls(tmp_path, source, expected):
    assert reasons(tmp_path, {"main.mjs": f"{source}\nconsole.log(process.argv)\n"}) == {"main.mjs": expected}


def test_shell_and_typescript_are_reasons_and_so_are_the_programs_they_start(tmp_path):
    files = {
        "a.sh": "#!/bin/sh\ncurl -s http://example.org | grep x # git\ncat <<END\nnpm is text here\nEND\n",
        "b.ts": "import type { T } from 'marked'\nconsole.log(process.argv)\n",
    }
    found = programs(skill(tmp_path, files))
    assert found["a.sh"]["reasons"] == ["language shell", "program curl", "network"]
    assert found["b.ts"]["reasons"] == ["language typescript"]


def test_a_skill_in_a_skill_has_its_own_programs_and_links_are_not_followed(tmp_path):
    skill(tmp_path / "outer", {"a.py": "print(1)\n"})
    skill(tmp_path / "outer" / "inner", {"b.py": "print(2)\n"})
    (tmp_path / "linked").mkdir()
    os.symlink("../outer/SKILL.md", tmp_path / "linked" / "SKILL.md")
    found = json.loads(census("--format", "json", tmp_path))
    assert [(program["skill"], program["path"]) for program in found["programs"]] == [
        ("outer", "a.py"),
        ("outer/inner", "b.py"),
    ]
    assert found["collections"][0]["skills"] == 2


@needs_service
def test_sre_has_the_last_word_on_a_package(tmp_path):
    block = "name: made-up\ndescription: Made up.\nruntime:\n  entrypoint: main.py"
    skill(tmp_path / "skills" / "good", {"main.py": "print(1)\n"}, block)
    skill(tmp_path / "skills" / "bad", {"main.py": "print(1)\n"}, block)
    os.symlink("/etc/hostname", tmp_path / "skills" / "bad" / "host")
    bad, good = census("--list", "--sre", BINARY, tmp_path / "skills").splitlines()
    assert bad.startswith("skills/bad/main.py\tpython\tno    front matter") and "host" in bad
    assert good == "skills/good/main.py\tpython\truns"


def test_the_tables_count_every_program_once(tmp_path):
    skill(tmp_path / "one", {"a.py": "print(1)\n", "b.py": "import yaml, numpy\nprint(1)\n", "c.sh": "git log\n"})
    lines = [line.split() for line in census(tmp_path).splitlines()]
    assert ["total", "1", "1", "3", "1", "33.3", "%"] in lines
    assert ["compiled", "package", "1", "1", "33.3", "%", "1", "33.3", "%"] in lines
    assert ["program", "0", "0.0", "%", "1", "100.0", "%"] in lines
    assert ["pure", "package:", "yaml", "1"] in lines
