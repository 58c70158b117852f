"""How results look in a notebook."""

from __future__ import annotations

import base64
import csv
import itertools
import json
import os
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .commands import LeftFile
    from .records import OrderResult

TEXT_LIMIT_CHARACTERS = 2000
FILES_LIMIT = 20
SHOWN_LIMIT_BYTES = 2 << 20
CSV_LIMIT_ROWS = 20

# A picture in SVG may hold scripts; as the source of an image they do not run.
_SHOWN = {
    ".csv": "text/csv",
    ".gif": "image/gif",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
}


def table(result: OrderResult) -> str:
    """A small table. Everything in it came from strangers and is escaped."""
    verification = result.verification
    rows = [("order", result.order_id), ("status", result.status)]
    if verification is not None:
        passed = sum(check.status == "passed" for check in verification.checks)
        rows.append(("verdict", f"{verification.verdict}: {passed} checks passed"))
    if result.finality is not None:
        state = "final" if result.finality.is_final else "not final"
        disputed = f", {result.finality.disputed} dispute it" if result.finality.disputed else ""
        rows.append(("finality", f"{state}: {result.finality.matched} of {result.finality.required} verdicts matched{disputed}"))
    took = f"{result.execution_time_ms} ms in all, {result.attempts} attempt(s)"
    if result.commit_result is not None:
        took += f", {result.commit_result.execution_time_ms} ms in the sandbox"
    rows.append(("took", took))
    if result.error_message is not None:
        rows.append(("error", f"{result.error_message} ({result.error_code})"))
    if result.output is not None:
        rows.append(("output", _preformatted(json.dumps(result.output, indent=2, ensure_ascii=False))))
    if result.exit_code is not None:
        rows.append(("exit code", str(result.exit_code)))
    if result.stdout is not None and result.stdout.text:
        rows.append(("printed", _preformatted(result.stdout.text)))
    for file in list(result.files.values())[:FILES_LIMIT]:
        rows.append((file.path, _file(file)))
    if result.files_changed > FILES_LIMIT:
        rows.append(("files", f"{result.files_changed - FILES_LIMIT} more"))
    if result.logs:
        rows.append(("log", _preformatted(result.logs)))
    cells = (f"<tr><th style='text-align:left'>{escape(name)}</th><td style='text-align:left'>{_cell(value)}</td></tr>" for name, value in rows)
    return f"<table>{''.join(cells)}</table>"


def _file(file: LeftFile) -> str:
    """A picture, a table or a document, or else the size. Nothing in it is executed: pictures are loaded as pictures."""
    media = _SHOWN.get(os.path.splitext(file.path)[1].lower())
    if media is None or file.size is None or file.size > SHOWN_LIMIT_BYTES:
        return f"{file.change}, {file.size or 0} bytes"
    try:
        content = file.read_bytes()
    except Exception as error:
        return f"{file.change}; it cannot be shown: {error}"
    if media == "text/csv":
        return _csv(content)
    address = f"data:{media};base64,{base64.b64encode(content).decode('ascii')}"
    if media == "application/pdf":
        return _Html(f"<embed type='application/pdf' src='{address}' width='100%' height='480'>")
    return _Html(f"<img style='max-width:100%' src='{address}' alt='{escape(file.path, quote=True)}'>")


def _csv(content: bytes) -> _Html:
    text = content.decode("utf-8", "replace")
    lines = list(itertools.islice(csv.reader(text.splitlines()), CSV_LIMIT_ROWS))
    rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in line)}</tr>" for line in lines)
    return _Html(f"<table>{rows}</table>")


class _Html(str):
    """Text that is HTML already."""


def _cell(value: str) -> str:
    return value if isinstance(value, _Html) else escape(value)


def _preformatted(text: str) -> _Html:
    cut = len(text) - TEXT_LIMIT_CHARACTERS
    shown = text if cut <= 0 else f"{text[:TEXT_LIMIT_CHARACTERS]}\n[{cut} more characters]"
    return _Html(f"<pre style='margin:0'>{escape(shown)}</pre>")
