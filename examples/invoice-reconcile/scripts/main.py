"""Matches payments to invoices. Reads one JSON object on standard input, writes one on standard output."""

import json
import re
import sys
from dataclasses import dataclass
from decimal import Decimal

CENT = Decimal("0.01")
ZERO = Decimal("0.00")


class InputError(Exception):
    """What is wrong with the input, for the person who sent it."""


@dataclass
class Invoice:
    id: str
    amount: Decimal
    customer: str | None
    paid: Decimal = ZERO

    @property
    def open(self) -> Decimal:
        return self.amount - self.paid

    def status(self, tolerance: Decimal) -> str:
        if abs(self.open) <= tolerance:
            return "paid"
        if self.open < 0:
            return "overpaid"
        return "partial" if self.paid else "open"


@dataclass(frozen=True)
class Payment:
    id: str
    amount: Decimal
    text: str
    payer: str | None


@dataclass(frozen=True)
class Allocation:
    payment: str
    invoice: str
    amount: Decimal
    by: str


def amount(text: object, where: str, *, zero_allowed: bool = False) -> Decimal:
    """The amount that a text such as `1190.00` stands for."""
    if not isinstance(text, str) or not re.fullmatch(r"[0-9]{1,13}(\.[0-9]{1,2})?", text):
        raise InputError(f"{where}: {text!r} is no amount; write it as a text such as \"1190.00\"")
    value = Decimal(text).quantize(CENT)
    if not value and not zero_allowed:
        raise InputError(f"{where}: the amount is zero")
    return value


def unique(records: list, what: str) -> list:
    """The records, whose ids must differ."""
    seen = set()
    for record in records:
        if record.id in seen:
            raise InputError(f"{what} {record.id!r} occurs twice")
        seen.add(record.id)
    return records


def key(text: str) -> str:
    """What remains of an invoice number when punctuation, spaces and case do not count."""
    return re.sub(r"[\W_]+", "", text).upper()


def named_in(text: str, invoices: list[Invoice]) -> list[Invoice]:
    """The invoices whose numbers the text names, in the order of the list."""
    words = [word for word in re.split(r"[\W_]+", text.upper()) if word]
    starts = [sum(map(len, words[:i])) for i in range(len(words) + 1)]
    run_on = "".join(words)

    def named(invoice: Invoice) -> bool:
        wanted = key(invoice.id)
        # Whole words only: INV-104 is not named by INV-1042.
        return bool(wanted) and any(
            run_on.startswith(wanted, start) and start + len(wanted) in starts for start in starts
        )

    return [invoice for invoice in invoices if named(invoice)]


def spread(payment: Payment, invoices: list[Invoice]) -> list[Allocation]:
    """Pays the invoices one after the other; the last one takes what is left."""
    allocations, left = [], payment.amount
    for invoice in invoices:
        share = left if invoice is invoices[-1] else min(left, max(invoice.open, ZERO))
        if share:
            invoice.paid += share
            left -= share
            allocations.append(Allocation(payment.id, invoice.id, share, "reference"))
    return allocations


def candidates(payment: Payment, invoices: list[Invoice]) -> list[Invoice]:
    """Untouched invoices of exactly this amount."""
    return [
        invoice
        for invoice in invoices
        if not invoice.paid
        and invoice.amount == payment.amount
        and (payment.payer is None or invoice.customer is None or key(payment.payer) == key(invoice.customer))
    ]


def reconcile(invoices: list[Invoice], payments: list[Payment]) -> tuple[list[Allocation], list[dict]]:
    allocations, unmatched, unnamed = [], [], []
    for payment in payments:
        named = named_in(payment.text, invoices)
        if named:
            allocations += spread(payment, named)
        else:
            unnamed.append(payment)
    for payment in unnamed:
        fitting = candidates(payment, invoices)
        if len(fitting) == 1:
            fitting[0].paid = payment.amount
            allocations.append(Allocation(payment.id, fitting[0].id, payment.amount, "amount"))
        else:
            unmatched.append(
                {
                    "payment": payment.id,
                    "amount": str(payment.amount),
                    "reason": f"{'several invoices' if fitting else 'no invoice'} of this amount",
                    "candidates": [invoice.id for invoice in fitting],
                }
            )
    return allocations, unmatched


def run(request: dict) -> dict:
    try:
        tolerance = amount(request.get("tolerance", "0.00"), "tolerance", zero_allowed=True)
        invoices = unique(
            [Invoice(i["id"], amount(i["amount"], f"invoice {i['id']}"), i.get("customer")) for i in request["invoices"]],
            "invoice",
        )
        payments = unique(
            [Payment(p["id"], amount(p["amount"], f"payment {p['id']}"), p["text"], p.get("payer")) for p in request["payments"]],
            "payment",
        )
    except KeyError as missing:
        raise InputError(f"the field {missing} is missing") from None
    allocations, unmatched = reconcile(invoices, payments)
    totals = {
        "invoiced": sum((i.amount for i in invoices), ZERO),
        "received": sum((p.amount for p in payments), ZERO),
        "allocated": sum((a.amount for a in allocations), ZERO),
        "unmatched": sum((Decimal(u["amount"]) for u in unmatched), ZERO),
    }
    return {
        "currency": request.get("currency", ""),
        "invoices": [
            {
                "id": i.id,
                "amount": str(i.amount),
                "paid": str(i.paid),
                "open": str(i.open),
                "status": i.status(tolerance),
            }
            for i in invoices
        ],
        "allocations": [vars(a) | {"amount": str(a.amount)} for a in allocations],
        "unmatched": unmatched,
        "totals": {name: str(total) for name, total in totals.items()},
    }


def main() -> int:
    try:
        result = run(json.load(sys.stdin))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    json.dump(result, sys.stdout, ensure_ascii=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
