"""Removes personal data from a text. JSON on standard input, JSON on standard output; the work is done in `redact`."""

import json
import sys

from redact import KINDS, redact


def problem(request: dict) -> str | None:
    """What is wrong with the request, if anything."""
    if not isinstance(request.get("text"), str):
        return "`text` must be a text"
    unknown = [kind for kind in request.get("kinds", KINDS) if kind not in KINDS]
    if unknown:
        return f"`kinds`: {unknown[0]!r} is none of {', '.join(KINDS)}"
    if request.get("mode", "token") not in ("token", "mask"):
        return "`mode` must be token or mask"
    return None


def main() -> int:
    request = json.load(sys.stdin)
    if wrong := problem(request):
        print(f"error: {wrong}", file=sys.stderr)
        return 2
    text, findings = redact(
        request["text"],
        kinds=request.get("kinds", KINDS),
        mask=request.get("mode") == "mask",
        keep=request.get("keep", ()),
    )
    json.dump({"text": text, "findings": findings}, sys.stdout, ensure_ascii=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
