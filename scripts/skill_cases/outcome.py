"""What a program did, as it is recorded and compared."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pathlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

Case = dict[str, Any]
Tree = dict[str, tuple[bytes | str, bool]]  # content, or a link's target; executable
Changes = dict[str, tuple[bytes | str | None, bool]]  # the same, or nothing where a file was deleted


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a program did to the working folder and printed."""

    exit_code: int
    stdout: bytes
    changes: Changes
    log: str

    def normal(self, case: Case) -> Outcome:
        """With the canonical text of a JSON value, and without the figures that a case says no two runs share."""
        stdout = canonical(json.loads(self.stdout)) if "input" in case and self.stdout else self.stdout
        for pattern, replacement in case.get("normalise", ()):
            stdout = re.sub(pattern.encode(), replacement.encode(), stdout)
        return dataclasses.replace(self, stdout=stdout)

    def record(self) -> dict[str, Any]:
        return {
            "exit_code": self.exit_code,
            "stdout": _digest(self.stdout),
            "files": [_change(path, *self.changes[path]) for path in sorted(self.changes)],
        }


def _digest(content: bytes) -> dict[str, Any]:
    return {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _change(path: str, content: bytes | str | None, executable: bool) -> dict[str, Any]:
    if content is None:
        return {"path": path, "deleted": True}
    if isinstance(content, str):
        return {"path": path, "link": content}
    return {"path": path, **_digest(content), **({"executable": True} if executable else {})}


def canonical(value: Any) -> bytes:
    """One text for one JSON value: integral numbers without a point, sorted keys."""

    def plain(part: Any) -> Any:
        if isinstance(part, float) and part.is_integer():
            return int(part)
        if isinstance(part, list):
            return [plain(one) for one in part]
        return {key: plain(one) for key, one in part.items()} if isinstance(part, dict) else part

    return json.dumps(plain(value), ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def tree(folder: pathlib.Path) -> Tree:
    found: Tree = {}
    for file in sorted(folder.rglob("*")):
        path = file.relative_to(folder).as_posix()
        if file.is_symlink():
            found[path] = (os.readlink(file), False)
        elif file.is_file():
            found[path] = (file.read_bytes(), os.access(file, os.X_OK))
    return found


def changes(before: Tree, after: Tree) -> Changes:
    found: Changes = {path: (None, False) for path in before if path not in after}
    return found | {path: content for path, content in after.items() if before.get(path) != content}


def differences(expected: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    """Between two records, in words."""
    if expected["exit_code"] != found["exit_code"]:
        yield f"exit code {found['exit_code']}, not {expected['exit_code']}"
    if expected["stdout"] != found["stdout"]:
        yield f"standard output of {found['stdout']['size']} bytes, not the {expected['stdout']['size']} recorded"
    wanted, present = ({one["path"]: one for one in side["files"]} for side in (expected, found))
    for path in sorted(wanted.keys() | present.keys()):
        if path not in present:
            yield f"{path} is as it was"
        elif path not in wanted:
            yield f"{path} is changed"
        elif wanted[path] != present[path]:
            keys = ("deleted", "link", "size", "sha256", "executable")
            other = [key for key in keys if wanted[path].get(key) != present[path].get(key)]
            yield f"{path} has another {' and another '.join(other)}"


def first_differences(native: Outcome, here: Outcome) -> Iterator[str]:
    """Between two outcomes, the first line of each text that differs."""
    texts: list[tuple[str, Any, Any]] = [("standard output", native.stdout, here.stdout)]
    texts += [(path, native.changes[path][0], here.changes[path][0]) for path in native.changes if path in here.changes]
    for name, left, right in texts:
        if left != right and isinstance(left, bytes) and isinstance(right, bytes):
            lines = zip([*left.splitlines(), b"(end)"], [*right.splitlines(), b"(end)"], strict=False)
            number, one, other = next(
                ((number, *pair) for number, pair in enumerate(lines, 1) if pair[0] != pair[1]), (0, b"", b"")
            )
            yield f"{name}, line {number}: natively {one[:200]!r}, here {other[:200]!r}"
