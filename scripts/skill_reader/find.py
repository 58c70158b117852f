"""Finds the skills below a folder and the programs in each. It follows no symbolic link and runs nothing."""

from __future__ import annotations

import ast
import dataclasses
import os
import pathlib
import re

from . import rules


@dataclasses.dataclass(frozen=True)
class Script:
    """A file that can be read as a program."""

    path: pathlib.PurePosixPath  # in the skill
    language: str
    source: str


@dataclasses.dataclass(frozen=True)
class Skill:
    folder: pathlib.Path
    name: str  # its folder, below the collection's
    front_matter: str | None
    scripts: dict[pathlib.PurePosixPath, Script]  # modules and programs
    entries: tuple[Script, ...]  # programs


def skills(collection: pathlib.Path) -> list[Skill]:
    """Every skill below a folder, by path. A `SKILL.md` that is a link is another skill's."""
    found = []
    for here, folders, files in os.walk(collection):
        folders[:] = sorted(name for name in folders if name != ".git")
        description = pathlib.Path(here, "SKILL.md")
        if "SKILL.md" in files and not description.is_symlink():
            found.append(_skill(collection, pathlib.Path(here), _text(description) or ""))
    return found


def _skill(collection: pathlib.Path, folder: pathlib.Path, description: str) -> Skill:
    scripts: dict[pathlib.PurePosixPath, Script] = {}
    entries = []
    for here, folders, files in os.walk(folder):
        # A folder with a SKILL.md of its own is another skill.
        folders[:] = sorted(name for name in folders if not pathlib.Path(here, name, "SKILL.md").is_file())
        for name in sorted(files):
            file = pathlib.Path(here, name)
            path = pathlib.PurePosixPath(file.relative_to(folder).as_posix())
            script = None if file.is_symlink() else _script(file, path)
            if script is None:
                continue
            scripts[path] = script
            if rules.SKIPPED_FOLDERS.isdisjoint(path.parts) and is_program(script, os.access(file, os.X_OK)):
                entries.append(script)
    matter = re.match(r"\ufeff?---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(\r?\n|$)", description, re.DOTALL)
    name = folder.relative_to(collection).as_posix()
    return Skill(folder, name, matter and matter[1], scripts, tuple(entries))


def _script(file: pathlib.Path, path: pathlib.PurePosixPath) -> Script | None:
    language = rules.EXTENSIONS.get(path.suffix)
    if language is None and path.suffix:
        return None
    source = _text(file)
    if source is None:
        return None
    language = language or interpreter(source)
    return language and Script(path, language, source) or None


def _text(file: pathlib.Path) -> str | None:
    try:
        return file.read_text("utf-8")
    except (UnicodeDecodeError, OSError):
        return None


def interpreter(source: str) -> str | None:
    """The language that an interpreter line names."""
    if not source.startswith("#!"):
        return None
    words = source[2:].splitlines()[0].split()
    words = [word for word in words if not word.startswith("-")]
    if words and words[0].endswith("/env"):
        words = words[1:]
    return rules.INTERPRETERS.get(re.sub(r"[\d.]+$", "", words[0].rpartition("/")[2])) if words else None


def is_program(script: Script, executable: bool) -> bool:
    """Whether a script does something when it is started, and is not a test or a library."""
    stem = script.path.stem
    if re.match(r"test_|conftest$|setup$|__init__$", stem) or re.search(r"_test$|[.](test|spec|config|d)$", stem):
        return False
    if script.source.startswith("#!") and executable:
        return True
    match script.language:
        case "python":
            return _python_program(script.source)
        case "javascript" | "typescript":
            return _javascript_program(script.source)
        case "shell":
            return _shell_program(script.source)
        case _:
            return True


def _python_program(source: str) -> bool:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return bool(re.search(r"__name__\s*==|sys\.argv|^print", source, re.MULTILINE))
    top = [node for node in tree.body if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))]
    guards = [node for node in top if isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)]
    if guards:
        # `raise RuntimeError("import me")` is a library's guard.
        return any(not isinstance(part, ast.Raise) for guard in guards for part in guard.body)
    words = {
        node.id if isinstance(node, ast.Name) else node.attr
        for part in top
        for node in ast.walk(part)
        if isinstance(node, (ast.Name, ast.Attribute))
    }
    return not words.isdisjoint({"argv", "print", "input", "stdin", "parse_args"})


def _javascript_program(source: str) -> bool:
    if source.startswith("#!") or re.search(
        r"process\.argv|require\.main\s*===|import\.meta\.(main\b|url\s*===)", source
    ):
        return True
    browser = re.search(r"\b(document|window)\.", source) and not re.search(
        r"\brequire\(|^import\s", source, re.MULTILINE
    )
    return not browser and bool(
        re.search(r"^(await )?(console\.log|process\.(stdin|stdout)|main)\b.*\(", source, re.MULTILINE)
    )


def _shell_program(source: str) -> bool:
    without_functions = re.sub(r"^(function\s+)?[\w-]+\s*\(\)\s*\{.*?^\}", "", source, flags=re.DOTALL | re.MULTILINE)
    lines = (line.strip() for line in without_functions.splitlines())
    return any(line and not re.match(r"#|set |export |readonly |source |\. |\w+=", line) for line in lines)
