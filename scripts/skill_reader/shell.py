"""What a shell script needs, by regular expressions over its text without comments and here-documents."""

from __future__ import annotations

import re

from . import rules
from .find import Script, Skill
from .python import SECRET
from .rules import Need

HERE_DOCUMENT = re.compile(r"<<-?\s*(['\"]?)(\w+)\1(?P<rest>[^\n]*)\n.*?^\s*\2\s*$", re.DOTALL | re.MULTILINE)
COMMAND = re.compile(
    r"""(?:^|[|;&(`]|\$\(|\b(?:then|do|else|if|elif|while|until|exec|command|time|sudo|xargs|nohup)\s)\s*(?:\w+=\S*\s+)*"""
    r"""(?P<name>[A-Za-z][\w.+-]*)""",
    re.MULTILINE,
)


def needs(_: Skill, script: Script) -> set[Need]:
    text = re.sub(r"(^|\s)#[^\n]*", r"\1", HERE_DOCUMENT.sub(lambda found: found["rest"], script.source))
    commands = {match["name"] for match in COMMAND.finditer(text)}
    found = {Need("program", name) for name in commands & rules.PROGRAMS}
    if commands & rules.NETWORK_PROGRAMS or "/dev/tcp/" in text:
        found.add(Need("network"))
    if re.search(r"\$[1-9@*#]|\$\{[1-9@*#]|\bgetopts\b", text):
        found.add(Need("arguments"))
    if commands & {"cat", "grep", "find", "sed", "awk", "head", "tail", "ls", "sort", "wc", "source", "jq", "test"}:
        found.add(Need("input files"))
    if commands & {"cp", "mv", "mkdir", "rm", "touch", "tee", "install", "ln"} or re.search(
        r"(?<![<&\d-])>>?\s*[\"$\w./]", text
    ):
        found.add(Need("output files"))
    if re.search(r"\$\{?HOME\b|(^|[\s=\"])~/", text):
        found.add(Need("state"))
    found |= {
        Need("secrets", name) for name in re.findall(r"\$\{?(\w+)", text) if SECRET.search(name) and name.isupper()
    }
    return found | {Need("text output")}
