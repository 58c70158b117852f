"""Replaces what was found."""

import re
from collections.abc import Iterable

from .finders import Found, find


def _same(found: Found) -> str:
    """What two spellings of one value have in common."""
    text = found.value.casefold()
    return re.sub(r"[ /().-]", "", text) if found.kind in ("iban", "card", "phone") else text


def redact(text: str, kinds: Iterable[str], mask: bool, keep: Iterable[str]) -> tuple[str, list[dict]]:
    """The text without personal data, and what was taken out of it."""
    kept = {value.casefold() for value in keep}
    findings: dict[tuple[str, str], dict] = {}
    numbers: dict[str, int] = {}
    pieces, at = [], 0
    for found in find(text, kinds):
        if found.value.casefold() in kept:
            continue
        finding = findings.get((found.kind, _same(found)))
        if finding is None:
            numbers[found.kind] = numbers.get(found.kind, 0) + 1
            finding = {"kind": found.kind, "token": f"[{found.kind.upper()}-{numbers[found.kind]}]", "count": 0}
            findings[found.kind, _same(found)] = finding
        finding["count"] += 1
        pieces += [text[at : found.start], re.sub(r"\w", "*", found.value) if mask else finding["token"]]
        at = found.end
    return "".join(pieces) + text[at:], list(findings.values())
