"""Where personal data stands in a text."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from . import checks


@dataclass(frozen=True)
class Found:
    start: int
    end: int
    kind: str
    value: str


def _name_pattern() -> str:
    one_of = "|".join(map(re.escape, checks.titles()))
    return rf"\b(?:{one_of})\.? (?P<value>[^\W\d_][\w'’-]*(?: (?:(?:van|von|de|der|la) )*[^\W\d_a-zà-ÿ][\w'’-]*){{0,2}})"


# In this order: what comes first wins where two overlap.
_PATTERNS: dict[str, tuple[str, Callable[[str], bool]]] = {
    "email": (r"[\w.!#$%&'*+/=?^`{|}~-]+@(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}", lambda _: True),
    "iban": (r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b", checks.is_iban),
    "card": (r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-])", checks.is_card),
    "ip": (r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7})(?![\w:])", checks.is_ip),
    "phone": (r"(?<![\w.+/-])(?:\+\d|0\d|\(\d{2,5}\) ?\d)[\d /().-]{4,20}\d(?![\w-])", checks.is_phone),
    "name": (_name_pattern(), lambda _: True),
}

KINDS = list(_PATTERNS)


def find(text: str, kinds: Iterable[str]) -> list[Found]:
    """Everything of these kinds, from left to right, nothing overlapping."""
    taken: list[Found] = []
    for kind in (kind for kind in KINDS if kind in set(kinds)):
        pattern, check = _PATTERNS[kind]
        # Names begin with capitals; everything else is found in any case.
        for match in re.finditer(pattern, text, 0 if kind == "name" else re.IGNORECASE):
            group = "value" if kind == "name" else 0
            start, end = match.span(group)
            if check(match[group]) and not any(start < other.end and other.start < end for other in taken):
                taken.append(Found(start, end, kind, match[group]))
    return sorted(taken, key=lambda found: found.start)
