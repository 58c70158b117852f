"""The stages of the pipeline by themselves, in the default data folder. Each is a coroutine function with a synchronous twin."""

from __future__ import annotations

import os
from typing import Any, Callable, Optional, Union

from ._default import open_runtime
from ._waiting import Waiter, wait
from .errors import InvalidType
from .records import (
    CommitResult,
    OrderConfig,
    OrderResult,
    SandboxConfig,
    SandboxResult,
    VerifyResult,
    commit_result_of,
    sandbox_result_of,
    shallow,
    verify_result_of,
)

__all__ = [
    "commit_result",
    "commit_result_sync",
    "execute_in_sandbox",
    "execute_in_sandbox_sync",
    "fetch_bytes",
    "fetch_bytes_sync",
    "fetch_result",
    "fetch_result_sync",
    "store_bytes",
    "store_bytes_sync",
    "store_result",
    "store_result_sync",
    "verify_result",
    "verify_result_sync",
]

Start = Callable[[Waiter], Any]


async def commit_result(
    order_id: str,
    skill_package: dict[str, Any],
    input_data: dict[str, Any],
    sandbox_config: Optional[SandboxConfig] = None,
) -> CommitResult:
    """Executes a skill once, stores the evidence and binds it in a commitment. The journal is not involved.

    Raises `InvalidOrder`, `OrderTimeout`, `SandboxUnavailable`, `StoreFailed`.
    """
    return commit_result_of(await wait(_commit(order_id, skill_package, input_data, sandbox_config)))


def commit_result_sync(
    order_id: str,
    skill_package: dict[str, Any],
    input_data: dict[str, Any],
    sandbox_config: Optional[SandboxConfig] = None,
) -> CommitResult:
    """As `commit_result`, for callers without an event loop."""
    return commit_result_of(_commit(order_id, skill_package, input_data, sandbox_config)(None))


def _commit(order_id: Any, skill_package: Any, input_data: Any, sandbox_config: Any) -> Start:
    config = OrderConfig(order_id, skill_package, input_data, sandbox_config=sandbox_config)
    return lambda waiter: _runtime().commit(config, waiter)


async def verify_result(claim: Union[CommitResult, OrderResult]) -> VerifyResult:
    """Fetches everything a claim names, recomputes every digest, replays and compares.

    With an `OrderResult`, its `output` is compared as well. Whatever it finds is a verdict and no exception.
    """
    return verify_result_of(await wait(_verify(claim)))


def verify_result_sync(claim: Union[CommitResult, OrderResult]) -> VerifyResult:
    """As `verify_result`, for callers without an event loop."""
    return verify_result_of(_verify(claim)(None))


def _verify(claim: Any) -> Start:
    reported = None
    if issubclass(type(claim), OrderResult):
        claim, reported = claim.commit_result, claim.output
    if not issubclass(type(claim), CommitResult):
        raise InvalidType(
            f"commit_result: must be a CommitResult, found {type(claim).__name__}", "invalid_type", "commit_result"
        )
    values = shallow(claim)
    return lambda waiter: _runtime().verify(values, reported, waiter)


async def execute_in_sandbox(
    skill_package: dict[str, Any],
    input_data: Optional[dict[str, Any]] = None,
    config: Optional[SandboxConfig] = None,
    *,
    order_id: str = "sandbox",
) -> SandboxResult:
    """Executes a skill once. Nothing is stored or verified. `order_id` decides the default random seed.

    Raises `InvalidOrder`, `OrderTimeout`, `SandboxUnavailable`.
    """
    return sandbox_result_of(await wait(_execute(skill_package, input_data, config, order_id)))


def execute_in_sandbox_sync(
    skill_package: dict[str, Any],
    input_data: Optional[dict[str, Any]] = None,
    config: Optional[SandboxConfig] = None,
    *,
    order_id: str = "sandbox",
) -> SandboxResult:
    """As `execute_in_sandbox`, for callers without an event loop."""
    return sandbox_result_of(_execute(skill_package, input_data, config, order_id)(None))


def _execute(skill_package: Any, input_data: Any, config: Any, order_id: Any) -> Start:
    order = OrderConfig(order_id, skill_package, {} if input_data is None else input_data, sandbox_config=config)
    return lambda waiter: _runtime().run_in_sandbox(order, waiter)


async def store_result(value: Any) -> str:
    """Stores a JSON value in its canonical form (RFC 8785), durably, and returns its address: `da:sha256:…`."""
    return await wait(lambda waiter: _runtime().store_json(value, waiter))  # type: ignore[no-any-return]


def store_result_sync(value: Any) -> str:
    """As `store_result`, for callers without an event loop."""
    return _runtime().store_json(value, None)  # type: ignore[no-any-return]


async def fetch_result(uri: str) -> Any:
    """The JSON value at an address, checked against the digest in it.

    Raises `BlobNotFound`, `BlobTampered`, and `InvalidOrder` for what is no address or holds no JSON.
    """
    return await wait(lambda waiter: _runtime().fetch(uri, True, waiter))


def fetch_result_sync(uri: str) -> Any:
    """As `fetch_result`, for callers without an event loop."""
    return _runtime().fetch(uri, True, None)


async def store_bytes(data: bytes) -> str:
    """Stores bytes as they are, durably, and returns their address."""
    _check_bytes(data)
    return await wait(lambda waiter: _runtime().store(data, waiter))  # type: ignore[no-any-return]


def store_bytes_sync(data: bytes) -> str:
    """As `store_bytes`, for callers without an event loop."""
    _check_bytes(data)
    return _runtime().store(data, None)  # type: ignore[no-any-return]


async def fetch_bytes(uri: str) -> bytes:
    """The bytes at an address, checked against the digest in it."""
    return await wait(lambda waiter: _runtime().fetch(uri, False, waiter))  # type: ignore[no-any-return]


def fetch_bytes_sync(uri: str) -> bytes:
    """As `fetch_bytes`, for callers without an event loop."""
    return _runtime().fetch(uri, False, None)  # type: ignore[no-any-return]


def _check_bytes(data: Any) -> None:
    if type(data) is not bytes:
        raise InvalidType(f"data: must be bytes, found {type(data).__name__}", "invalid_type", "data")


_runtimes: dict[tuple[Optional[str], Optional[str]], Any] = {}


def _runtime() -> Any:
    key = (os.environ.get("SRE_DATA_DIR"), os.environ.get("SRE_CACHE_DIR"))
    found = _runtimes.get(key)
    return found if found is not None else _runtimes.setdefault(key, open_runtime(lambda _: None))
