"""How results look in a notebook."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .records import OrderResult

TEXT_LIMIT_CHARACTERS = 2000


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
    if result.logs:
        rows.append(("log", _preformatted(result.logs)))
    cells = (f"<tr><th style='text-align:left'>{name}</th><td style='text-align:left'>{_cell(value)}</td></tr>" for name, value in rows)
    return f"<table>{''.join(cells)}</table>"


class _Html(str):
    """Text that is HTML already."""


def _cell(value: str) -> str:
    return value if isinstance(value, _Html) else escape(value)


def _preformatted(text: str) -> _Html:
    cut = len(text) - TEXT_LIMIT_CHARACTERS
    shown = text if cut <= 0 else f"{text[:TEXT_LIMIT_CHARACTERS]}\n[{cut} more characters]"
    return _Html(f"<pre style='margin:0'>{escape(shown)}</pre>")
