"""Checks callbacks of the runtime: Standard Webhooks (https://www.standardwebhooks.com), signature `v1`."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from typing import Any, Mapping, Optional, Union

from .errors import InvalidOrder, InvalidType, SreError
from .records import OrderResult, order_result_of

__all__ = ["WebhookInvalid", "verify_webhook"]

TOLERANCE_SECONDS = 300


class WebhookInvalid(SreError, ValueError):
    """The request is no callback that was signed with this secret, or an old one."""


def verify_webhook(
    headers: Mapping[str, str],
    body: Union[bytes, str],
    secret: str,
    *,
    tolerance_seconds: float = TOLERANCE_SECONDS,
    now: Optional[float] = None,
) -> OrderResult:
    """The result that a callback delivers, if its signature holds.

    `secret` is the `whsec_…` that `sre token callback-keys` prints. `body` is what was received, byte for byte: parse it afterwards. Requests
    older or newer than `tolerance_seconds` are refused, since they may be replays; remember `webhook-id` to refuse repetitions within
    that time. Raises `WebhookInvalid`.
    """
    if type(body) is str:
        body = body.encode("utf-8", "surrogatepass")
    if type(body) is not bytes:
        raise _wrong("body", "must be bytes or str", body)
    key = _key(secret)
    tolerance_seconds = _number(tolerance_seconds, "tolerance_seconds")
    now = time.time() if now is None else _number(now, "now")
    given = _lower(headers)
    parts = [given.get(name) for name in ("webhook-id", "webhook-timestamp", "webhook-signature")]
    if not all(parts):
        raise _refused("the headers webhook-id, webhook-timestamp and webhook-signature are not all there")
    identity, timestamp, signatures = map(str, parts)
    # Before the signature, which is made over the text: nothing else is read of it.
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise _refused("webhook-timestamp is no time")
    if abs(now - int(timestamp)) > tolerance_seconds:
        raise _refused(f"the request is more than {tolerance_seconds:g} s old, or from the future")
    signed = f"{identity}.{timestamp}.".encode("utf-8", "surrogatepass") + body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
    # Every signature is compared, each in constant time.
    found = [signature[3:] for signature in signatures.split(" ") if signature.startswith("v1,")]
    if not any([hmac.compare_digest(expected, each.encode("utf-8", "surrogatepass")) for each in found]):
        raise _refused("the signature does not hold")
    return _result(body)


def _lower(headers: Any) -> dict[str, str]:
    """Names of headers are the same in any case. Those that are no text are not ours."""
    try:
        pairs = list(headers.items())
        return {name.lower(): value for name, value in pairs if type(name) is str and type(value) is str}
    except Exception as error:
        raise _wrong("headers", "must be a mapping of names to values", headers) from error


def _number(value: Any, field: str) -> float:
    if type(value) not in (int, float):
        raise _wrong(field, "must be an int or a float", value)
    if not abs(value) < 10**15:  # NaN is not, either
        raise InvalidOrder(f"{field}: must be a time in seconds", "order_invalid", field)
    return float(value)


def _wrong(field: str, wanted: str, value: Any) -> InvalidType:
    return InvalidType(f"{field}: {wanted}, found {type(value).__name__}", "invalid_type", field)


def _key(secret: str) -> bytes:
    if type(secret) is not str:
        raise InvalidType("secret: must be a str", "invalid_type", "secret")
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        # Not the secret itself: messages end up in logs.
        raise InvalidType("secret: must be what `sre token callback-keys` prints, whsec_ and base64", "invalid_type", "secret")
    return key


def _result(body: bytes) -> OrderResult:
    try:
        return order_result_of(json.loads(body))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise _refused("the body is no OrderResult") from error


def _refused(message: str) -> WebhookInvalid:
    return WebhookInvalid(message, "webhook_invalid")
