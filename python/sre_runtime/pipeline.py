"""Orders from end to end."""

from __future__ import annotations

import os
from typing import Any, Awaitable, Callable, Iterable, Optional, Union

from . import _replaced, stages
from ._default import open_runtime
from ._waiting import wait
from .errors import InvalidType
from .records import CommitResult, OrderConfig, OrderResult, VerifyResult, order_result_of

__all__ = [
    "Orchestrator",
    "clear_failure_callbacks",
    "clear_success_callbacks",
    "default_orchestrator",
    "execute_skill_order",
    "execute_skill_order_sync",
    "execute_skill_orders",
    "register_failure_callback",
    "register_success_callback",
]

Listener = Callable[[OrderResult], object]
CommitStage = Callable[..., Union[CommitResult, Awaitable[CommitResult]]]
VerifyStage = Callable[..., Union[VerifyResult, Awaitable[VerifyResult]]]


class Orchestrator:
    """Runs orders in one data folder. Keep one for all of a program's orders; threads and event loops may share it.

    `data_dir` is by default `SRE_DATA_DIR` or the platform's data folder, `cache_dir` likewise. `commit_result` and `verify_result`
    replace a stage by a coroutine function with the arguments of `sre_runtime.commit_result` and `sre_runtime.verify_result`. Retries and
    time limits stay as they are.
    """

    def __init__(
        self,
        *,
        data_dir: Union[str, os.PathLike[str], None] = None,
        cache_dir: Union[str, os.PathLike[str], None] = None,
        commit_result: Optional[CommitStage] = None,
        verify_result: Optional[VerifyStage] = None,
    ) -> None:
        self._commit_result = commit_result
        self._verify_result = verify_result
        self._listeners: dict[bool, tuple[Listener, ...]] = {True: (), False: ()}
        # Not `self._tell` itself: that would be a reference from the pipeline back to its owner.
        listeners = self._listeners
        self._runtime = open_runtime(
            lambda values: _tell(listeners, values),
            None if data_dir is None else os.fspath(data_dir),
            None if cache_dir is None else os.fspath(cache_dir),
        )

    async def execute_skill_order(self, config: OrderConfig) -> OrderResult:
        """Runs an order and returns its result once that is durable.

        The same order again returns the same result. A skill that fails is a result; an exception (see `errors`) means that the order
        was refused or that the machine failed. Cancelling stops the guest and leaves the order open: it can be run again.
        """
        return await self._execute(config, self._commit_result, self._verify_result)

    def execute_skill_order_sync(self, config: OrderConfig) -> OrderResult:
        """As `execute_skill_order`, for callers without an event loop. Ctrl-C stops the guest."""
        return self._execute_sync(config, self._commit_result, self._verify_result)

    async def result(self, order_id: str) -> Optional[OrderResult]:
        """How an order ended; `None` if it is open or was never accepted here."""
        values = await wait(lambda waiter: self._runtime.result(order_id, waiter))
        return None if values is None else order_result_of(values)

    def register_failure_callback(self, callback: Listener) -> None:
        """Calls `callback` with every result that is not `completed`, before whoever waits for it gets it.

        It is called on a thread of the pipeline. An exception in it is logged and changes nothing.
        """
        self._register(False, callback)

    def clear_failure_callbacks(self) -> None:
        """Forgets all failure callbacks."""
        self._clear(False)

    def register_success_callback(self, callback: Listener) -> None:
        """As `register_failure_callback`, for results that are `completed`."""
        self._register(True, callback)

    def clear_success_callbacks(self) -> None:
        """Forgets all success callbacks."""
        self._clear(True)

    def _register(self, completed: bool, callback: Listener) -> None:
        if not callable(callback):
            raise InvalidType("callback: must be callable", "invalid_type", "callback")
        self._listeners[completed] += (callback,)
        self._runtime.listen(completed, True)

    def _clear(self, completed: bool) -> None:
        self._runtime.listen(completed, False)
        self._listeners[completed] = ()

    async def _execute(self, config: OrderConfig, commit: Any, verify: Any) -> OrderResult:
        _check(config)
        commit = None if commit in (None, stages.commit_result) else _replaced.commit(commit, config)
        verify = None if verify in (None, stages.verify_result) else _replaced.verify(verify)
        values = await wait(lambda waiter: self._runtime.execute(config, waiter, commit, verify))
        return _finished(values)

    def _execute_sync(self, config: OrderConfig, commit: Any, verify: Any) -> OrderResult:
        _check(config)
        if commit in (None, stages.commit_result) and verify in (None, stages.verify_result):
            return _finished(self._runtime.execute(config, None, None, None))
        # Replaced stages are coroutines and need a loop.
        import asyncio

        return asyncio.run(self._execute(config, commit, verify))


def _check(config: Any) -> None:
    # The type and not the object is asked: an object may say anything of itself.
    if not issubclass(type(config), OrderConfig):
        raise InvalidType(f"config: must be an OrderConfig, found {type(config).__name__}", "invalid_type", "config")


def _finished(values: dict[str, Any]) -> OrderResult:
    result = order_result_of(values)
    if result.status != "completed":
        _log().warning("order %s %s: %s (%s)", result.order_id, result.status, result.error_message, result.error_code)
    return result


def _tell(listeners: dict[bool, tuple[Listener, ...]], values: dict[str, Any]) -> None:
    completed = values["status"] == "completed"
    for callback in listeners[completed]:
        try:
            # Each gets its own: what it does with it changes nothing.
            callback(order_result_of(values))
        except Exception:
            _log().exception("a %s callback failed", "success" if completed else "failure")


def _log() -> Any:
    import logging

    return logging.getLogger("sre_runtime")


_orchestrators: dict[tuple[Optional[str], Optional[str]], Orchestrator] = {}


def default_orchestrator() -> Orchestrator:
    """The orchestrator of the default data folder, which the environment names."""
    key = (os.environ.get("SRE_DATA_DIR"), os.environ.get("SRE_CACHE_DIR"))
    found = _orchestrators.get(key)
    # Two threads may make one each; one of them is forgotten before it has opened anything.
    return found if found is not None else _orchestrators.setdefault(key, Orchestrator())


async def execute_skill_order(config: OrderConfig) -> OrderResult:
    """`Orchestrator.execute_skill_order` in the default data folder."""
    return await default_orchestrator().execute_skill_order(config)


def execute_skill_order_sync(config: OrderConfig) -> OrderResult:
    """`Orchestrator.execute_skill_order_sync` in the default data folder."""
    return default_orchestrator().execute_skill_order_sync(config)


async def execute_skill_orders(
    configs: Iterable[OrderConfig], *, orchestrator: Optional[Orchestrator] = None
) -> list[OrderResult]:
    """Runs many orders at once and returns their results in the same sequence.

    Shows progress on a terminal or in a notebook where tqdm is installed. The first exception cancels the rest.
    """
    import asyncio

    runner = orchestrator or default_orchestrator()
    tasks = [asyncio.ensure_future(runner.execute_skill_order(config)) for config in configs]
    progress = _progress(len(tasks))
    try:
        for task in tasks:
            task.add_done_callback(lambda _: progress.update(1))
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        progress.close()


class _Silent:
    def update(self, _: int) -> None:
        pass

    def close(self) -> None:
        pass


def _progress(total: int) -> Any:
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return _Silent()
    # `None`: quiet unless standard error is a terminal.
    return tqdm(total=total, unit="order", disable=None, leave=False)


def register_failure_callback(callback: Listener) -> None:
    """`Orchestrator.register_failure_callback` in the default data folder."""
    default_orchestrator().register_failure_callback(callback)


def clear_failure_callbacks() -> None:
    """`Orchestrator.clear_failure_callbacks` in the default data folder."""
    default_orchestrator().clear_failure_callbacks()


def register_success_callback(callback: Listener) -> None:
    """`Orchestrator.register_success_callback` in the default data folder."""
    default_orchestrator().register_success_callback(callback)


def clear_success_callbacks() -> None:
    """`Orchestrator.clear_success_callbacks` in the default data folder."""
    default_orchestrator().clear_success_callbacks()
