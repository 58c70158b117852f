"""What a Python script needs, read from its syntax tree. The modules beside it that it imports are read too."""

from __future__ import annotations

import ast
import functools
import pathlib
import re
from collections.abc import Iterable, Iterator, Mapping

from . import rules
from .find import Script, Skill
from .rules import Need

READS = frozenset("glob iglob iterdir listdir read_bytes read_text rglob scandir walk read_csv read_excel".split())
WRITES = frozenset(
    """copy2 copyfile copytree makedirs mkdir mkdtemp move rmtree save savefig symlink_to to_csv to_excel touch unlink
    write_bytes write_text ZipFile""".split()
)
STARTS = frozenset("Popen call check_call check_output getoutput run".split())
THREADS = frozenset("ProcessPoolExecutor Thread ThreadPoolExecutor run_in_executor to_thread".split())
# Attributes of `os` that the runtime lacks.
MISSING_CALLS = frozenset("execv execvp fork forkpty getppid getuid umask".split())
SECRET = re.compile(r"(API_?KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|ACCESS_KEY)", re.IGNORECASE)


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
        nodes = _nodes(module.source)
        if nodes is None:
            found.add(Need("syntax", module.path.as_posix()))
            continue
        for name in _imports(nodes):
            local = _locate(skill, module, name)
            if local is None:
                found |= _imported(name)
            waiting.extend(local or ())
        found |= {need for need in _used(nodes) if module is script or need.kind != "arguments"}
    return found | _printed(_nodes(script.source) or ())


@functools.cache
def _nodes(source: str) -> tuple[ast.AST, ...] | None:
    """All nodes of a module, or `None` where it is not Python as this interpreter knows it."""
    try:
        return tuple(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError):
        return None


def _imports(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Dotted names, with leading dots where they are relative, that the program cannot do without."""
    optional = {id(node) for part in nodes if _is_optional(part) for node in ast.walk(part)}
    for node in nodes:
        if id(node) in optional:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            # `from package import module` may name a module or a value: both are tried.
            yield from (f"{base}{'' if base.endswith('.') or not base else '.'}{alias.name}" for alias in node.names)


def _is_optional(node: ast.AST) -> bool:
    """An import that may fail (`try: … except ImportError: x = None`), or that only a type checker sees."""
    if isinstance(node, ast.If):
        return isinstance(node.test, (ast.Name, ast.Attribute)) and "TYPE_CHECKING" in ast.dump(node.test)
    if not isinstance(node, ast.Try) or not any(isinstance(part, (ast.Import, ast.ImportFrom)) for part in node.body):
        return False
    ends = ("exit", "quit", "_exit")
    return not any(
        isinstance(part, ast.Raise) or isinstance(part, ast.Call) and _called(part)[-1] in ends
        for handler in node.handlers
        for part in ast.walk(handler)
    )


def _locate(skill: Skill, module: Script, name: str) -> list[Script] | None:
    """The package's own files behind an import; `None` if it is not the package's own."""
    level = len(name) - len(name.lstrip("."))
    parts = [part for part in name.split(".") if part]
    if level:
        base = module.path.parents[level - 1] if level <= len(module.path.parents) else module.path.parent
        starts = [base]
    elif parts[0] in rules.PYTHON_LIBRARY:
        return None
    else:
        # The folders of `sys.path`, and any other: scripts add folders of their own.
        starts = [module.path.parent, *sorted({path.parent for path in skill.scripts}), *module.path.parents]
    for start in starts:
        for length in range(len(parts), 0, -1):
            stem = start.joinpath(*parts[:length])
            files = [skill.scripts.get(path) for path in (stem.with_name(stem.name + ".py"), stem / "__init__.py")]
            if any(files):
                return [file for file in files if file]
    folders = {part for path in skill.scripts for part in path.parts[:-1]}
    return [] if level or parts[0] in folders else None


def _imported(name: str) -> set[Need]:
    """What it takes to import a module that is not the package's."""
    parts = name.split(".")
    dotted = {".".join(parts[:length]) for length in range(1, len(parts) + 1)}
    top = parts[0]
    if top in rules.PYTHON_LIBRARY:
        if dotted & rules.PYTHON_NETWORK:
            return {Need("network")}
        module = name if name in rules.PYTHON_MODULES else name.rpartition(".")[0] or name
        return set() if module in rules.PYTHON_MODULES else {Need("module", module)}
    kind = "compiled package" if dotted & rules.COMPILED else "pure package"
    return {Need(kind, top)} | ({Need("network")} if dotted & rules.NETWORK_PACKAGES else set())


def _called(call: ast.Call) -> tuple[str, ...]:
    """`("subprocess", "run")` for `subprocess.run(…)`."""
    names: list[str] = []
    node: ast.AST = call.func
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    names.append(node.id if isinstance(node, ast.Name) else "")
    return tuple(reversed(names))


def _used(nodes: Iterable[ast.AST]) -> Iterator[Need]:
    commands = {
        name.id: node.value
        for node in nodes
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.List)
        for name in node.targets
        if isinstance(name, ast.Name)
    }
    for node in nodes:
        if isinstance(node, ast.Call):
            yield from _call(node, _called(node), commands)
        elif isinstance(node, ast.Attribute) and node.attr == "argv":
            yield Need("arguments")
        elif isinstance(node, ast.Attribute) and node.attr in MISSING_CALLS:
            yield Need("module", f"os.{node.attr}")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if node.value.startswith("~/") and "\n" not in node.value:
                yield Need("state")
        elif (
            isinstance(node, ast.Subscript)
            and isinstance(node.slice, ast.Constant)
            and "environ" in ast.dump(node.value)
        ):
            yield from _variable(node.slice.value)


def _call(call: ast.Call, names: tuple[str, ...], commands: Mapping[str, ast.List]) -> Iterator[Need]:
    first = call.args[0] if call.args else None
    last = names[-1]
    if last in ("ArgumentParser", "OptionParser", "getopt") or names[0] in ("click", "typer", "fire"):
        yield Need("arguments")
    if last == "open" and len(names) == 1 or last == "open" and names[0] not in ("os", "webbrowser", "Image"):
        modes = [
            part.value
            for part in (*call.args, *(word.value for word in call.keywords))
            if isinstance(part, ast.Constant)
        ]
        mode = next((text for text in modes if isinstance(text, str) and re.fullmatch(r"[rwaxbt+]{1,4}", text)), "r")
        yield Need("output files" if set(mode) & set("wax+") else "input files")
    if last in READS:
        yield Need("input files")
    if last in WRITES:
        yield Need("output files")
    if last in THREADS:
        yield Need("threads")
    if last in ("home", "expanduser"):
        yield Need("state")
    if (names[0] == "subprocess" or len(names) == 1) and last in STARTS - {"run", "call"} or names in (
        ("subprocess", "run"), ("subprocess", "call"), ("os", "system"), ("os", "popen"),
    ):  # fmt: skip
        command = commands.get(first.id) if isinstance(first, ast.Name) else first
        yield Need("program", _program(command))
    if last == "getenv" or last == "get" and "environ" in names:
        yield from _variable(first.value if isinstance(first, ast.Constant) else None)


def _program(command: ast.expr | None) -> str:
    """The program's name, or `?` where only a run would tell."""
    if isinstance(command, ast.List) and command.elts:
        command = command.elts[0]
    if isinstance(command, ast.JoinedStr) and command.values:
        command = command.values[0]
    if isinstance(command, ast.Constant) and isinstance(command.value, str) and command.value.split():
        return command.value.split()[0].rpartition("/")[2]
    return "python3" if command is not None and "executable" in ast.dump(command) else "?"


def _variable(name: object) -> Iterator[Need]:
    if name == "HOME":
        yield Need("state")
    elif isinstance(name, str) and SECRET.search(name):
        yield Need("secrets", name)


def _printed(nodes: Iterable[ast.AST]) -> set[Need]:
    """`text output`, unless all that is printed to standard output is printed by `json.dumps` or `json.dump`."""
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    prints = [
        call for call in calls if _called(call)[-1] == "print" and not any(word.arg == "file" for word in call.keywords)
    ]
    as_json = [call for call in prints if len(call.args) == 1 and "dumps" in ast.dump(call.args[0])]
    dumps = any(_called(call)[-2:] == ("json", "dump") and "stdout" in ast.dump(call) for call in calls)
    return set() if len(prints) == len(as_json) and (as_json or dumps) else {Need("text output")}
