"""Clients of the service (`sre serve`): `Client` for threads, `AsyncClient` for event loops, with the same methods.

Requests are made by the native half. A cancelled task or Ctrl-C ends a request and its connection.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any, AsyncIterator, Iterator, Optional, Union

from ._default import native
from ._waiting import wait
from .errors import InvalidOrder, InvalidType, ServiceError, ServiceUnavailable
from .records import CommitResult, OrderConfig, OrderResult, VerifyResult, order_result_of, shallow, verify_result_of

__all__ = ["AsyncClient", "Client", "Event", "OrderSummary", "ServiceError", "ServiceUnavailable"]

DEFAULT_SERVER = "http://127.0.0.1:7710"
ENDED = ("completed", "failed", "timeout")
WAIT_SECONDS = 30.0
"""How long the service is asked to wait at once."""


@dataclass
class Event:
    """Something that happened to an order. `number` counts from 1 for each order."""

    number: int
    kind: str
    data: dict[str, Any]


@dataclass
class OrderSummary:
    """One line of a list of orders."""

    order_id: str
    status: str
    submitter: Optional[str] = None
    skill: Optional[str] = None
    accepted_at: Optional[str] = None
    finished_at: Optional[str] = None


class _Base:
    """What both clients are: one service, as one token sees it."""

    def __init__(self, server: Optional[str] = None, token: Optional[str] = None, *, timeout_seconds: float = 60) -> None:
        if server is None:
            server = os.environ.get("SRE_SERVER") or DEFAULT_SERVER
        if token is None:
            token = os.environ.get("SRE_TOKEN") or None
        self._service = native().Service(server, token, timeout_seconds)

    def __repr__(self) -> str:
        # Not the token.
        return f"{type(self).__name__}({self._service.address()!r})"


class Client(_Base):
    """Talks to one service. Threads may share a client.

    `server` is by default `SRE_SERVER` or `http://127.0.0.1:7710`, `token` is `SRE_TOKEN`. `timeout_seconds` is for each answer, besides
    the time that the service is asked to wait. Every method raises `ServiceError` for what the service refuses, `ServiceUnavailable` (a
    `ConnectionError`) where there is none, and `InvalidOrder` for what would be refused anyway, before it is sent.
    """

    def submit(self, config: OrderConfig) -> OrderResult:
        """Submits an order; the same again is the same order. What it answers is not the end: see `wait`."""
        return _order(self._service.submit(_config(config), None))

    def execute(self, config: OrderConfig, *, timeout_seconds: Optional[float] = None) -> OrderResult:
        """Submits an order and waits for its result. Raises `TimeoutError` after `timeout_seconds`; the order goes on."""
        deadline = _Deadline(timeout_seconds)
        return self._wait(self.submit(config).order_id, deadline)

    def result(self, order_id: str, *, wait_seconds: float = 0) -> OrderResult:
        """An order as it is, or as it is after at most `wait_seconds` (60). Before the end `status` is queued, running or verifying."""
        return _order(self._service.order(order_id, wait_seconds, None))

    def wait(self, order_id: str, *, timeout_seconds: Optional[float] = None) -> OrderResult:
        """The result of an order, whenever it comes. Raises `TimeoutError` after `timeout_seconds`; the order goes on."""
        return self._wait(order_id, _Deadline(timeout_seconds))

    def _wait(self, order_id: str, deadline: _Deadline) -> OrderResult:
        while (result := self.result(order_id, wait_seconds=deadline.next(order_id))).status not in ENDED:
            pass
        return result

    def cancel(self, order_id: str) -> OrderResult:
        """Asks to stop an order."""
        return _order(self._service.cancel(order_id, None))

    def list(self, *, status: Optional[str] = None, skill: Optional[str] = None) -> Iterator[OrderSummary]:
        """Orders, newest first, fetched page by page. `skill` is a digest."""
        cursor = None
        while True:
            page = self._service.list(status, skill, cursor, None)
            yield from _summaries(page)
            cursor = page.get("next_cursor")
            if not cursor:
                return

    def events(self, order_id: str, *, after: int = 0) -> Iterator[Event]:
        """What happens to an order, as it happens, to its end. A connection that breaks is made again where it broke."""
        stream = self._service.events(order_id, after)
        while (event := stream.next(None)) is not None:
            yield Event(**event)

    def verify(self, claim: Union[str, CommitResult, OrderResult]) -> VerifyResult:
        """A verdict on an order of the service, by id, or on a claim whose bytes it has."""
        if type(claim) is str:
            return verify_result_of(self._service.verify_order(claim, None))
        return verify_result_of(self._service.verify_claim(*_claim(claim), None))

    def bundle(self, order_id: str, *, with_runtime: bool = False) -> bytes:
        """The receipt of an order that has ended and everything it names, fetched and put into one file, of which these are the bytes.

        `verify_receipt` and `sre verify` check it anywhere, without the service; nothing the service said is believed before. With
        `with_runtime` the interpreter of a script is in it too. Needs the scope `read`.
        """
        bundle: bytes = self._service.bundle(order_id, with_runtime, None)
        return bundle


class AsyncClient(_Base):
    """As `Client`, for event loops. Cancelling a task ends its request; loops may share a client."""

    async def submit(self, config: OrderConfig) -> OrderResult:
        """As `Client.submit`."""
        config = _config(config)
        return _order(await wait(lambda waiter: self._service.submit(config, waiter)))

    async def execute(self, config: OrderConfig, *, timeout_seconds: Optional[float] = None) -> OrderResult:
        """As `Client.execute`. Cancelling does not stop the order: see `cancel`."""
        deadline = _Deadline(timeout_seconds)
        return await self._wait((await self.submit(config)).order_id, deadline)

    async def result(self, order_id: str, *, wait_seconds: float = 0) -> OrderResult:
        """As `Client.result`."""
        return _order(await wait(lambda waiter: self._service.order(order_id, wait_seconds, waiter)))

    async def wait(self, order_id: str, *, timeout_seconds: Optional[float] = None) -> OrderResult:
        """As `Client.wait`."""
        return await self._wait(order_id, _Deadline(timeout_seconds))

    async def _wait(self, order_id: str, deadline: _Deadline) -> OrderResult:
        while (result := await self.result(order_id, wait_seconds=deadline.next(order_id))).status not in ENDED:
            pass
        return result

    async def cancel(self, order_id: str) -> OrderResult:
        """As `Client.cancel`."""
        return _order(await wait(lambda waiter: self._service.cancel(order_id, waiter)))

    async def list(self, *, status: Optional[str] = None, skill: Optional[str] = None) -> AsyncIterator[OrderSummary]:
        """As `Client.list`."""
        cursor = None
        while True:
            page = await wait(lambda waiter: self._service.list(status, skill, cursor, waiter))
            for summary in _summaries(page):
                yield summary
            cursor = page.get("next_cursor")
            if not cursor:
                return

    async def events(self, order_id: str, *, after: int = 0) -> AsyncIterator[Event]:
        """As `Client.events`."""
        stream = self._service.events(order_id, after)
        while (event := await wait(stream.next)) is not None:
            yield Event(**event)

    async def verify(self, claim: Union[str, CommitResult, OrderResult]) -> VerifyResult:
        """As `Client.verify`."""
        if type(claim) is str:
            order_id = claim
            return verify_result_of(await wait(lambda waiter: self._service.verify_order(order_id, waiter)))
        values, output = _claim(claim)
        return verify_result_of(await wait(lambda waiter: self._service.verify_claim(values, output, waiter)))

    async def bundle(self, order_id: str, *, with_runtime: bool = False) -> bytes:
        """As `Client.bundle`."""
        bundle: bytes = await wait(lambda waiter: self._service.bundle(order_id, with_runtime, waiter))
        return bundle


class _Deadline:
    """When waiting ends, if it does."""

    def __init__(self, seconds: Optional[float]) -> None:
        if seconds is not None:
            if type(seconds) not in (int, float):
                raise InvalidType(f"timeout_seconds: must be an int or a float, found {type(seconds).__name__}", "invalid_type", "timeout_seconds")
            if not 0 <= seconds <= 10**9:  # NaN is not, either
                raise InvalidOrder("timeout_seconds: must lie between 0 and 10**9, or be None", "order_invalid", "timeout_seconds")
        self._seconds = seconds
        self._end = None if seconds is None else time.monotonic() + seconds

    def next(self, order_id: str) -> float:
        """How long to wait next."""
        if self._end is None:
            return WAIT_SECONDS
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"order {order_id} has not ended after {self._seconds} s")
        return min(left, WAIT_SECONDS)


def _config(config: Any) -> Any:
    # The type and not the object is asked: an object may say anything of itself.
    if not issubclass(type(config), OrderConfig):
        raise InvalidType(f"config: must be an OrderConfig, found {type(config).__name__}", "invalid_type", "config")
    return config


def _claim(claim: Any) -> tuple[dict[str, Any], Any]:
    output = None
    if issubclass(type(claim), OrderResult):
        claim, output = claim.commit_result, claim.output
    if not issubclass(type(claim), CommitResult):
        raise InvalidType(f"claim: must be a CommitResult, found {type(claim).__name__}", "invalid_type", "claim")
    return shallow(claim), output


def _order(values: Any) -> OrderResult:
    """An order that has not ended lacks what only its end decides."""
    try:
        return order_result_of({"commit_result": None, "verification": None, "execution_time_ms": 0, **values})
    except (TypeError, AttributeError) as error:
        raise _another(error) from error


def _summaries(page: Any) -> list[OrderSummary]:
    known = OrderSummary.__dataclass_fields__
    try:
        return [OrderSummary(**{n: v for n, v in order.items() if n in known}) for order in page["orders"]]
    except (KeyError, TypeError, AttributeError) as error:
        raise _another(error) from error


def _another(error: Exception) -> ServiceError:
    return ServiceError(f"the answer has another form than expected ({error}); is this the service?", "answer_invalid")
