#!/usr/bin/env python3
import json
import math
import os
import sys
from statistics import NormalDist

NORMAL = NormalDist()


def read_input() -> dict:
    """From the environment if it is there (containers), otherwise from standard input."""
    text = os.environ.get("INPUT_JSON") or sys.stdin.read()
    try:
        data = json.loads(text)
    except ValueError as error:
        sys.exit(f"input is not JSON: {error}")
    if not isinstance(data, dict):
        sys.exit("input must be a JSON object")
    return data


def group(data: dict, name: str) -> tuple[int, int]:
    """Visitors and conversions of a group."""
    counts = data.get(name)
    if not isinstance(counts, dict):
        sys.exit(f"{name}: must be an object with visitors and conversions")
    for field in ("visitors", "conversions"):
        value = counts.get(field)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            sys.exit(f"{name}.{field}: must be a whole number, 0 or more, not {value!r}")
    visitors, conversions = counts["visitors"], counts["conversions"]
    if visitors == 0:
        sys.exit(f"{name}.visitors: must be at least 1")
    if conversions > visitors:
        sys.exit(f"{name}: {conversions} conversions of {visitors} visitors")
    return visitors, conversions


def share(data: dict, name: str, default: float) -> float:
    value = data.get(name, default)
    if not isinstance(value, (int, float)) or not 0 < value < 1:
        sys.exit(f"{name}: must be between 0 and 1, not {value!r}")
    return value


def wilson(n: int, k: int, z: float) -> dict:
    """Wilson score interval of a rate (E. B. Wilson, 1927)."""
    p = k / n
    scale = 1 + z * z / n
    middle = (p + z * z / (2 * n)) / scale
    half = z / scale * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return {"rate": rounded(p), "low": rounded(max(0.0, middle - half)), "high": rounded(min(1.0, middle + half))}


def p_value(n1: int, k1: int, n2: int, k2: int) -> float:
    """Two-sided, of the z-test with pooled variance."""
    pooled = (k1 + k2) / (n1 + n2)
    error = math.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n2))
    if error == 0:
        return 1.0
    return math.erfc(abs(k2 / n2 - k1 / n1) / error / math.sqrt(2))


def visitors_needed(p1: float, p2: float, confidence: float, power: float) -> int | None:
    if p1 == p2:
        return None
    z = NORMAL.inv_cdf(1 - (1 - confidence) / 2) + NORMAL.inv_cdf(power)
    return math.ceil(z * z * (p1 * (1 - p1) + p2 * (1 - p2)) / (p2 - p1) ** 2)


def rounded(value: float) -> float:
    # Six digits are more than such data can say, and the same on every C library.
    return round(value, 6) + 0.0


def main() -> None:
    data = read_input()
    n1, k1 = group(data, "control")
    n2, k2 = group(data, "variant")
    confidence, power = share(data, "confidence", 0.95), share(data, "power", 0.8)

    p1, p2 = k1 / n1, k2 / n2
    z = NORMAL.inv_cdf(1 - (1 - confidence) / 2)
    half = z * math.sqrt(p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2)
    p = p_value(n1, k1, n2, k2)
    significant = p < 1 - confidence
    result = {
        "rates": {"control": wilson(n1, k1, z), "variant": wilson(n2, k2, z)},
        "lift": rounded(p2 / p1 - 1) if p1 else None,
        "difference": {"value": rounded(p2 - p1), "low": rounded(p2 - p1 - half), "high": rounded(p2 - p1 + half)},
        "p_value": rounded(p),
        "significant": significant,
        "verdict": (
            f"the variant is {'better' if p2 > p1 else 'worse'}, at {confidence:.0%} confidence"
            if significant
            else f"no difference shown, at {confidence:.0%} confidence"
        ),
        "visitors_needed": visitors_needed(p1, p2, confidence, power),
    }
    if min(k1, k2, n1 - k1, n2 - k2) < 10:
        result["warning"] = "fewer than ten visitors with or without a conversion in a group: the test is unreliable"
        print(result["warning"], file=sys.stderr)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
