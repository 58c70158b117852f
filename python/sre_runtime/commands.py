"""Programs of a package run as commands: what they are given, and what they leave."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Iterator, Literal, Mapping, Optional, Union

__all__ = ["Invocation", "LeftFile", "LeftFiles", "Stdout"]

Content = Union[str, bytes, "os.PathLike[str]", Mapping[str, Any]]
"""A file's text or bytes, a file of this machine, or the wire form: {"sha256": …}, {"link": …}, {"text": …, "executable": True}."""

Folder = Union[str, "os.PathLike[str]", Mapping[str, Any]]
"""A folder of this machine, files by path, {"tree": DIGEST}, or {"order": ID} for what that order left."""

Fetch = Callable[[str], bytes]


@dataclass
class Invocation:
    """One program of a package, run as a command: with arguments, files and text instead of one JSON value in and one out.

    `entry` is its path in the package, by default the package's entrypoint. `work` is what its working folder `/workspace` holds at the
    start, `home` the same for its home folder, which then is part of the result. `accept_exit` are the exit codes that complete the order,
    or "any". `collect` says which changes below `/workspace` are part of the result.

        >>> Invocation("scripts/merge.py", ["raw", "out.txt"], work={"raw/a.txt": "one"})._wire()["work"]
        {'raw/a.txt': {'text': 'one'}}
    """

    entry: Optional[str] = None
    args: list[str] = field(default_factory=list)
    stdin: Union[str, bytes, Mapping[str, Any], None] = None
    env: dict[str, str] = field(default_factory=dict)
    work: Optional[Folder] = None
    home: Optional[Folder] = None
    accept_exit: Union[list[int], Literal["any"]] = field(default_factory=lambda: [0])
    collect: list[str] = field(default_factory=lambda: ["**"])

    def _wire(self) -> dict[str, Any]:
        """The JSON form of an order. Reads the folders of this machine that are named."""
        wire: dict[str, Any] = {
            "args": list(self.args),
            "env": dict(self.env),
            "accept_exit": self.accept_exit,
            "collect": list(self.collect),
        }
        if self.entry is not None:
            wire["entry"] = self.entry
        if self.stdin is not None:
            wire["stdin"] = _content(self.stdin)
        if self.work is not None:
            wire["work"] = _folder(self.work)
        if self.home is not None:
            wire["home"] = _folder(self.home)
        return wire


def _folder(folder: Folder) -> dict[str, Any]:
    if not isinstance(folder, Mapping):
        return dict(_read_folder(Path(folder)))
    if set(folder) in ({"tree"}, {"order"}) and all(isinstance(value, str) for value in folder.values()):
        return dict(folder)
    return {path: _content(content) for path, content in folder.items()}


def _content(content: Content) -> dict[str, Any]:
    if isinstance(content, Mapping):
        return dict(content)
    if isinstance(content, str):
        return {"text": content}
    if isinstance(content, bytes):
        return {"base64": base64.b64encode(content).decode("ascii")}
    path = Path(content)
    return _file(path, path.stat().st_mode)


def _file(path: Path, mode: int) -> dict[str, Any]:
    entry = _content(path.read_bytes())
    if mode & 0o100:
        entry["executable"] = True
    return entry


def _read_folder(root: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for folder, folders, names in os.walk(root, onerror=_raise):
        # A link to a folder is a link like any other.
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        for name in sorted([*names, *links]):
            path = Path(folder, name)
            inside = path.relative_to(root).as_posix()
            if path.is_symlink():
                yield inside, {"link": os.readlink(path)}
            else:
                yield inside, _file(path, path.stat().st_mode)


def _raise(error: OSError) -> None:
    raise error


@dataclass
class Stdout:
    """What a command printed to standard output. `text` is `None` where it is not UTF-8 or longer than 64 KiB."""

    sha256: str
    size: int
    text: Optional[str] = None


@dataclass
class LeftFile:
    """A file or link that a command added, changed or deleted below its working folder."""

    path: str
    change: str
    size: Optional[int] = None
    sha256: Optional[str] = None
    executable: bool = False
    uri: Optional[str] = None
    link: Optional[str] = None

    def __post_init__(self) -> None:
        # Not a field: it belongs to the place where the order ran, and is not part of what was left.
        self._fetch: Optional[Fetch] = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_fetch": None}

    def read_bytes(self) -> bytes:
        """The content. `ValueError` for a link and for what was deleted; `BlobNotFound` where the store has lost it."""
        if self.uri is None:
            what = "a link" if self.link is not None else "deleted"
            raise ValueError(f"{self.path} is {what}, and has no content")
        if self._fetch is None:
            raise ValueError(f"{self.path} cannot be read from here; fetch {self.uri} from where the order ran")
        return self._fetch(self.uri)

    def read_text(self, encoding: str = "utf-8") -> str:
        """The content as text."""
        return self.read_bytes().decode(encoding)


class LeftFiles(dict[str, LeftFile]):
    """What a command changed below its working folder, by path: `result.files["out.pdf"].read_bytes()`."""


def left_files_of(values: list[dict[str, Any]], fetch: Optional[Fetch]) -> LeftFiles:
    files = LeftFiles()
    for each in values:
        file = LeftFile(**{name: value for name, value in each.items() if name in LeftFile.__dataclass_fields__})
        file._fetch = fetch
        files[file.path] = file
    return files
