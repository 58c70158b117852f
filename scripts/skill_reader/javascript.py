"""What a JavaScript or TypeScript program needs, by regular expressions over its text without comments."""

from __future__ import annotations

import pathlib
import posixpath
import re

from . import rules
from .find import Script, Skill
from .python import SECRET
from .rules import Need

IMPORT = re.compile(
    r"""(?:\brequire\(\s*|\bimport\(\s*|\bfrom\s+|^\s*import\s+)(['"])(?P<name>[^'"\n]+)\1""",
    re.MULTILINE,
)
TYPES_ONLY = re.compile(r"""^\s*import\s+type\b[^;]*?from\s+['"][^'"\n]+['"]""", re.MULTILINE)
COMMENT = re.compile(
    r"""(?P<kept>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`)|/\*.*?\*/|(?<![:\\])//[^\n]*""", re.DOTALL
)
STARTS = re.compile(
    r"""\b(?:exec|execSync|execFile|execFileSync|spawn|spawnSync|fork)\(\s*(?:['"`](?P<name>[\w./-]+))?"""
)
SIGNS = (
    (Need("arguments"), r"process\.argv|\bparseArgs\("),
    (Need("input files"), r"\b(readFile|readFileSync|readdir|readdirSync|createReadStream|opendir)\b"),
    (
        Need("output files"),
        r"\b(writeFile|writeFileSync|appendFile|appendFileSync|mkdir|mkdirSync|copyFileSync|createWriteStream)\b",
    ),
    (Need("state"), r"\bhomedir\(|process\.env\.HOME\b|['\"`]~/"),
    (Need("network"), r"(?<![\w.])fetch\(|\bnew (WebSocket|EventSource|XMLHttpRequest)\b|\bcreateServer\("),
    (Need("module", "fs streams"), r"\bcreate(Read|Write)Stream\(|\bfs\.watch"),
    (Need("module", "crypto.createHmac"), r"\bcreateHmac\("),
    (Need("module", "crypto.createHash of another algorithm"), r"\bcreateHash\(\s*['\"](?!sha-?256)"),
    (Need("module", "util.parseArgs"), r"\bparseArgs\("),
    (Need("module", "Intl"), r"\bIntl\."),
)


def needs(skill: Skill, script: Script) -> set[Need]:
    """The needs of a program and of the package's modules that it imports."""
    found: set[Need] = set()
    seen: set[pathlib.PurePosixPath] = set()
    waiting = [script]
    while waiting:
        module = waiting.pop()
        if module.path in seen:
            continue
        seen.add(module.path)
        text = COMMENT.sub(lambda found: found["kept"] or " ", module.source)
        for name in sorted({match["name"] for match in IMPORT.finditer(TYPES_ONLY.sub("", text))}):
            if name.startswith((".", "/")):
                waiting.extend(_locate(skill, module, name))
            else:
                found |= _imported(skill, name)
        found |= {need for need, sign in SIGNS if re.search(sign, text)}
        if "child_process" in text:
            found |= {Need("program", (match["name"] or "?").rpartition("/")[2]) for match in STARTS.finditer(text)}
        variables = re.findall(r"""process\.env(?:\.|\[['"])(\w+)""", text)
        found |= {Need("secrets", name) for name in variables if SECRET.search(name)}
    printed = re.findall(r"\bconsole\.log\((\s*JSON\.stringify)?", script.source)
    return found | (set() if printed and all(printed) else {Need("text output")})


def _locate(skill: Skill, module: Script, name: str) -> list[Script]:
    base = posixpath.normpath(posixpath.join(module.path.parent.as_posix(), name))
    stem = re.sub(r"[.][cm]?js$", "", base)
    names = [
        base,
        *(base + extension for extension in rules.EXTENSIONS),
        *(f"{base}/index{extension}" for extension in rules.EXTENSIONS),
    ]
    names += [stem + extension for extension in (".ts", ".mts", ".cts")]
    found = (skill.scripts.get(pathlib.PurePosixPath(path)) for path in names)
    return [script for script in found if script][:1]


def _imported(skill: Skill, name: str) -> set[Need]:
    built_in = name.removeprefix("node:")
    if name.startswith("node:") or built_in in rules.NODE_LIBRARY:
        if built_in in rules.NODE_NETWORK:
            return {Need("network")}
        if built_in == "child_process":
            return set()  # what it starts is a need of its own
        return set() if built_in in rules.NODE_MODULES else {Need("module", built_in)}
    package = "/".join(name.split("/")[: 2 if name.startswith("@") else 1])
    if any(
        path.parts[:1] == ("vendor",) and package.split("/")[0] in path.parts[1]
        for path in skill.scripts
        if len(path.parts) > 1
    ):
        return set()
    kind = "compiled package" if package in rules.COMPILED_JAVASCRIPT else "pure package"
    return {Need(kind, package)} | ({Need("network")} if package in rules.NETWORK_PACKAGES else set())
