"""What tells a card number or an IBAN from any other long number, and the data files that this takes."""

import ipaddress
import json
from functools import cache
from pathlib import Path

DATA = Path(__file__).resolve().parents[2] / "data"


@cache
def iban_lengths() -> dict[str, int]:
    return json.loads((DATA / "iban-lengths.json").read_text(encoding="utf-8"))


@cache
def titles() -> list[str]:
    lines = (DATA / "titles.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def is_card(text: str) -> bool:
    """Luhn formula, 13 to 19 digits (ISO/IEC 7812)."""
    digits = [int(character) for character in text if character.isdigit()]
    if not 13 <= len(digits) <= 19 or len(set(digits)) == 1:
        return False
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def is_iban(text: str) -> bool:
    """The country's length, and modulo 97 (ISO 13616)."""
    iban = text.replace(" ", "").upper()
    if len(iban) != iban_lengths().get(iban[:2]):
        return False
    return int("".join(str(int(character, 36)) for character in iban[4:] + iban[:4])) % 97 == 1


def is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_phone(text: str) -> bool:
    """7 to 15 digits (E.164); how they begin is a matter of the pattern."""
    return 7 <= sum(character.isdigit() for character in text) <= 15
