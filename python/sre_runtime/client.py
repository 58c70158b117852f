"""A client of the service (`sre serve`), with nothing but the standard library."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import time
from dataclasses import dataclass
from typing import Any, AsyncIterator, Callable, Iterator, Optional, TypeVar, Union
from urllib.parse import quote, urlencode, urlsplit

from .errors import InvalidOrder, OperatingError, OrderConflict, SreError
from .records import (
    CommitResult,
    OrderConfig,
    OrderResult,
    SandboxConfig,
    VerifyResult,
    order_result_of,
    shallow,
    verify_result_of,
)

__all__ = ["AsyncClient", "Client", "Event", "OrderSummary", "ServiceError", "ServiceUnavailable"]

DEFAULT_SERVER = "http://127.0.0.1:7710"
ENDED = ("completed", "failed", "timeout")
WAIT_SECONDS = 30
ANSWER_LIMIT_BYTES = 64 << 20
T = TypeVar("T")


class ServiceError(SreError):
    """The service refused a request. `code` is that of its problem document, `status` the one of HTTP."""

    status: int = 0


class ServiceUnavailable(ServiceError, OperatingError, ConnectionError):
    """The service cannot be reached, or asks to come back later."""


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


class Client:
    """Talks to one service. Every call opens a connection of its own, so threads may share a client.

    `server` is by default `SRE_SERVER` or `http://127.0.0.1:7710`, `token` is `SRE_TOKEN`. `timeout_seconds` is for each answer.
    """

    def __init__(
        self, server: Optional[str] = None, token: Optional[str] = None, *, timeout_seconds: float = 60
    ) -> None:
        address = urlsplit(server or os.environ.get("SRE_SERVER") or DEFAULT_SERVER)
        if address.scheme not in ("http", "https") or not address.hostname or address.username or address.query:
            raise InvalidOrder("server: must be an http or https URL without credentials", "server_invalid", "server")
        self._address = address
        self._token = token or os.environ.get("SRE_TOKEN")
        self._timeout = timeout_seconds

    def __repr__(self) -> str:
        # Not the token.
        return f"Client({self._address.geturl()!r})"

    def submit(self, config: OrderConfig) -> OrderResult:
        """Submits an order; the same again is the same order. What it answers is not the end: see `wait`."""
        return order_result_of(_open(self._json("POST", "/v1/orders", _order(config))))

    def execute(self, config: OrderConfig, *, timeout_seconds: Optional[float] = None) -> OrderResult:
        """Submits an order and waits for its result."""
        return self.wait(self.submit(config).order_id, timeout_seconds=timeout_seconds)

    def result(self, order_id: str, *, wait_seconds: int = 0) -> OrderResult:
        """An order as it is, or as it is after at most `wait_seconds`. Before the end `status` is queued, running or verifying."""
        query = f"?wait={wait_seconds}" if wait_seconds else ""
        return order_result_of(_open(self._json("GET", f"{_path(order_id)}{query}")))

    def wait(self, order_id: str, *, timeout_seconds: Optional[float] = None) -> OrderResult:
        """The result of an order, whenever it comes. Raises `TimeoutError` after `timeout_seconds`; the order goes on."""
        end = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while True:
            left = WAIT_SECONDS if end is None else end - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"order {order_id} has not ended after {timeout_seconds} s")
            result = self.result(order_id, wait_seconds=max(1, min(WAIT_SECONDS, int(left))))
            if result.status in ENDED:
                return result

    def cancel(self, order_id: str) -> OrderResult:
        """Asks to stop an order."""
        return order_result_of(_open(self._json("POST", f"{_path(order_id)}/cancel")))

    def list(self, *, status: Optional[str] = None, skill: Optional[str] = None) -> Iterator[OrderSummary]:
        """Orders, newest first, fetched page by page."""
        wanted = {"status": status, "skill": skill}
        query = {name: value for name, value in wanted.items() if value is not None}
        while True:
            page = self._json("GET", f"/v1/orders?{urlencode(query)}")
            known = OrderSummary.__dataclass_fields__
            for order in page["orders"]:
                yield OrderSummary(**{name: value for name, value in order.items() if name in known})
            if not page.get("next_cursor"):
                return
            query["cursor"] = page["next_cursor"]

    def events(self, order_id: str, *, after: int = 0) -> Iterator[Event]:
        """What happens to an order, as it happens, to its end. A connection that breaks is made again where it broke."""
        failures = 0
        while True:
            try:
                connection, response = self._send("GET", f"{_path(order_id)}/events", None, {"Last-Event-ID": str(after)} if after else {})
            except ServiceUnavailable:
                failures += 1
                if failures > 5:
                    raise
                time.sleep(0.2 * 2**failures)
                continue
            try:
                if response.status == 204:
                    return
                for event in _read_events(response):
                    after, failures = event.number, 0
                    yield event
                    if event.kind == "finished":
                        return
            except (OSError, http.client.HTTPException):
                failures += 1
                if failures > 5:
                    raise
            finally:
                connection.close()

    def verify(self, claim: Union[str, CommitResult, OrderResult]) -> VerifyResult:
        """A verdict on an order of the service, by id, or on a claim whose bytes it has."""
        if isinstance(claim, str):
            question: dict[str, Any] = {"order_id": claim}
        elif isinstance(claim, OrderResult):
            question = {"claim": _claim(claim.commit_result), "reported_output": claim.output}
        else:
            question = {"claim": _claim(claim)}
        return verify_result_of(self._json("POST", "/v1/verify", question))

    def _json(self, method: str, path: str, body: Any = None) -> Any:
        text = None if body is None else json.dumps(body, allow_nan=False, ensure_ascii=False).encode()
        connection, response = self._send(method, path, text, {})
        try:
            answer = response.read(ANSWER_LIMIT_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:
            raise ServiceUnavailable(f"the answer of {self._address.netloc} broke off: {error}", "unreachable") from error
        finally:
            connection.close()
        if len(answer) > ANSWER_LIMIT_BYTES:
            raise ServiceError(f"the answer is longer than {ANSWER_LIMIT_BYTES} bytes", "answer_invalid")
        try:
            return json.loads(answer)
        except (ValueError, RecursionError) as error:
            raise ServiceError("the answer is no JSON; is this the service?", "answer_invalid") from error

    def _send(self, method: str, path: str, body: Optional[bytes], headers: dict[str, str]) -> tuple[Any, Any]:
        address = self._address
        secure = address.scheme == "https"
        connection: http.client.HTTPConnection
        if secure:
            context = ssl.create_default_context()
            connection = http.client.HTTPSConnection(address.hostname or "", address.port, timeout=self._timeout, context=context)
        else:
            connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=self._timeout)
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        try:
            connection.request(method, address.path.rstrip("/") + path, body, headers)
            response = connection.getresponse()
            if response.status >= 400:
                raise _problem(response.status, response.read(1 << 20))
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            if isinstance(error, SreError):
                raise
            raise ServiceUnavailable(f"{address.netloc} cannot be reached: {error}", "unreachable") from error
        except BaseException:
            connection.close()
            raise
        return connection, response


class AsyncClient:
    """As `Client`, for event loops: the same calls, each on a thread of the loop's default executor."""

    def __init__(
        self, server: Optional[str] = None, token: Optional[str] = None, *, timeout_seconds: float = 60
    ) -> None:
        self._client = Client(server, token, timeout_seconds=timeout_seconds)

    async def submit(self, config: OrderConfig) -> OrderResult:
        return await _on_thread(lambda: self._client.submit(config))

    async def execute(self, config: OrderConfig) -> OrderResult:
        return await self.wait((await self.submit(config)).order_id)

    async def result(self, order_id: str, *, wait_seconds: int = 0) -> OrderResult:
        return await _on_thread(lambda: self._client.result(order_id, wait_seconds=wait_seconds))

    async def wait(self, order_id: str) -> OrderResult:
        # In short turns: a thread cannot be cancelled, and is free soon after its waiter has gone.
        while (result := await self.result(order_id, wait_seconds=5)).status not in ENDED:
            pass
        return result

    async def cancel(self, order_id: str) -> OrderResult:
        return await _on_thread(lambda: self._client.cancel(order_id))

    async def list(self, *, status: Optional[str] = None, skill: Optional[str] = None) -> AsyncIterator[OrderSummary]:
        async for order in _each(self._client.list(status=status, skill=skill)):
            yield order

    async def events(self, order_id: str, *, after: int = 0) -> AsyncIterator[Event]:
        async for event in _each(self._client.events(order_id, after=after)):
            yield event

    async def verify(self, claim: Union[str, CommitResult, OrderResult]) -> VerifyResult:
        return await _on_thread(lambda: self._client.verify(claim))


async def _on_thread(call: Callable[[], T]) -> T:
    import asyncio

    return await asyncio.to_thread(call)


async def _each(items: Iterator[T]) -> AsyncIterator[T]:
    end = object()
    while (item := await _on_thread(lambda: next(items, end))) is not end:
        yield item  # type: ignore[misc]


def _path(order_id: str) -> str:
    return f"/v1/orders/{quote(order_id, safe='')}"


def _order(config: OrderConfig) -> dict[str, Any]:
    values = {name: value for name, value in shallow(config).items() if value is not None}
    if isinstance(config.sandbox_config, SandboxConfig):
        values["sandbox_config"] = {n: v for n, v in shallow(config.sandbox_config).items() if v is not None}
    return values


def _claim(claim: Any) -> dict[str, Any]:
    if not isinstance(claim, CommitResult):
        raise InvalidOrder("commit_result: must be a CommitResult", "invalid_type", "commit_result")
    return {name: value for name, value in shallow(claim).items() if value is not None}


def _open(values: dict[str, Any]) -> dict[str, Any]:
    """An order that has not ended lacks what only its end decides."""
    return {"commit_result": None, "verification": None, "execution_time_ms": 0, **values}


def _read_events(response: Any) -> Iterator[Event]:
    """Server-sent events, as the service writes them: one line of each field."""
    fields: dict[str, str] = {}
    while line := response.readline(1 << 20):
        text = line.decode().rstrip("\n")
        if text:
            name, _, value = text.partition(": ")
            fields[name] = value
        elif "data" in fields:
            yield Event(int(fields["id"]), fields["event"], json.loads(fields["data"]))
            fields = {}


def _problem(status: int, body: bytes) -> ServiceError:
    try:
        problem = json.loads(body)
        code, detail = str(problem["code"]), str(problem.get("detail") or problem.get("title"))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        code, detail = "answer_invalid", f"the service answered {status} without a problem document"
    error: ServiceError
    if code == "order_conflict":
        error = _Conflict(detail, code, "order_id")
    elif status in (429, 503):
        error = ServiceUnavailable(detail, code)
    elif status == 422:
        error = _Invalid(detail, code)
    else:
        error = ServiceError(detail, code)
    error.status = status
    return error


class _Invalid(ServiceError, InvalidOrder):
    """The service refused the order."""


class _Conflict(ServiceError, OrderConflict):
    """The service has another order under this id."""
