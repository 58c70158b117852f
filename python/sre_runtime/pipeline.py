"""Orders from end to end."""

from __future__ import annotations

import os
import uuid
from typing import Any, Awaitable, Callable, Iterable, Literal, Optional, Union

from . import _replaced, stages
from ._default import open_runtime
from ._waiting import Waiter, wait
from .commands import Folder, Invocation
from .errors import InvalidType
from .records import CommitResult, NativeConfig, OrderConfig, OrderResult, Receipt, VerifyResult, order_result_of, verify_result_of

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
    "run_skill",
    "verify_receipt",
    "verify_receipt_sync",
]

Listener = Callable[[OrderResult], object]
CommitStage = Callable[..., Union[CommitResult, Awaitable[CommitResult]]]
VerifyStage = Callable[..., Union[VerifyResult, Awaitable[VerifyResult]]]


class Orchestrator:
    """Runs orders in one data folder. Keep one for all of a program's orders; threads and event loops may share it.

    `data_dir` is by default `SRE_DATA_DIR` or the platform's data folder, `cache_dir` likewise. `commit_result` and `verify_result`
    replace a stage by a coroutine function with the arguments of `sre_runtime.commit_result` and `sre_runtime.verify_result`. Retries and
    time limits stay as they are. `native` lets native skills run, which are refused without it.
    """

    def __init__(
        self,
        *,
        data_dir: Union[str, os.PathLike[str], None] = None,
        cache_dir: Union[str, os.PathLike[str], None] = None,
        commit_result: Optional[CommitStage] = None,
        verify_result: Optional[VerifyStage] = None,
        native: Optional[NativeConfig] = None,
    ) -> None:
        for name, stage in [("commit_result", commit_result), ("verify_result", verify_result)]:
            if stage is not None and not callable(stage):
                raise InvalidType(f"{name}: must be callable, found {type(stage).__name__}", "invalid_type", name)
        if native is not None and not issubclass(type(native), NativeConfig):
            raise InvalidType(f"native: must be a NativeConfig, found {type(native).__name__}", "invalid_type", "native")
        self._commit_result = commit_result
        self._verify_result = verify_result
        self._listeners: dict[bool, tuple[Listener, ...]] = {True: (), False: ()}
        # Not `self._tell` itself: that would be a reference from the pipeline back to its owner.
        listeners = self._listeners
        self._runtime = open_runtime(
            lambda values: _tell(listeners, values),
            _path(data_dir, "data_dir"),
            _path(cache_dir, "cache_dir"),
            native,
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
        return None if values is None else order_result_of(values, self._fetch)

    async def receipt(self, order_id: str) -> Optional[Receipt]:
        """The receipt of an order that has ended here, issued now unless there is one; `None` as for `result`.

        The node's key is made at the first receipt, below `keys` in the data folder. `bundle` puts a receipt and everything it names
        into one file.
        """
        values = await wait(lambda waiter: self._runtime.receipt(order_id, waiter))
        return None if values is None else _receipt_of(values)

    def receipt_sync(self, order_id: str) -> Optional[Receipt]:
        """As `receipt`, for callers without an event loop."""
        values = self._runtime.receipt(order_id, None)
        return None if values is None else _receipt_of(values)

    async def bundle(self, order_id: str, *, with_runtime: bool = False) -> Optional[bytes]:
        """The receipt of an order that has ended here and everything it names, as the bytes of one file; `None` as for `result`.

        What `sre bundle` writes: `verify_receipt` and `sre verify` check it anywhere, without this data folder and offline.
        `with_runtime` adds the interpreter of a script, nine megabytes, for verifiers that do not have it. `ReceiptFailed` with the code
        `evidence_lost` when something that the receipt names is not there any more.
        """
        bundle: Optional[bytes] = await wait(lambda waiter: self._runtime.bundle(order_id, with_runtime, waiter))
        return bundle

    def bundle_sync(self, order_id: str, *, with_runtime: bool = False) -> Optional[bytes]:
        """As `bundle`, for callers without an event loop."""
        bundle: Optional[bytes] = self._runtime.bundle(order_id, with_runtime, None)
        return bundle

    async def verify_receipt(
        self,
        receipt: Union[Receipt, bytes],
        *,
        proof: Optional[bytes] = None,
        trust: Optional[bytes] = None,
        require_proof: bool = False,
        witnesses: int = 0,
    ) -> VerifyResult:
        """An independent verdict on a receipt or a bundle, wherever it comes from; whatever it finds is a verdict and no exception.

        Checks form, signature, the key against the trust file, the place in the log, and replays. `receipt` is a `Receipt`, or the bytes
        of an envelope or of a bundle file; `trust` is the content of a trust file, by default that of the data folder. What a receipt names is taken
        from the bundle and the data folder. `require_proof`: a receipt without a proof in a trusted log is `unanchored`; `witnesses`: so many
        must have cosigned its checkpoint.
        """
        start = self._verify_receipt(receipt, proof, trust, require_proof, witnesses)
        return verify_result_of(await wait(start))

    def verify_receipt_sync(
        self,
        receipt: Union[Receipt, bytes],
        *,
        proof: Optional[bytes] = None,
        trust: Optional[bytes] = None,
        require_proof: bool = False,
        witnesses: int = 0,
    ) -> VerifyResult:
        """As `verify_receipt`, for callers without an event loop."""
        return verify_result_of(self._verify_receipt(receipt, proof, trust, require_proof, witnesses)(None))

    def _verify_receipt(self, receipt: Any, proof: Any, trust: Any, require_proof: Any, witnesses: Any) -> Callable[[Waiter], Any]:
        if issubclass(type(receipt), Receipt):
            receipt, proof = receipt.envelope, receipt.proof if proof is None else proof
        return lambda waiter: self._runtime.verify_receipt(receipt, proof, trust, require_proof, witnesses, waiter)

    def register_failure_callback(self, callback: Listener) -> None:
        """Calls `callback` with every result that is not `completed`, before the caller that waits gets it.

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
        commit = None if commit is None or commit is stages.commit_result else _replaced.commit(commit, config)
        verify = None if verify is None or verify is stages.verify_result else _replaced.verify(verify)
        values = await wait(lambda waiter: self._runtime.execute(config, waiter, commit, verify))
        return self._finished(values)

    def _execute_sync(self, config: OrderConfig, commit: Any, verify: Any) -> OrderResult:
        _check(config)
        if (commit is None or commit is stages.commit_result) and (verify is None or verify is stages.verify_result):
            return self._finished(self._runtime.execute(config, None, None, None))
        # Replaced stages are coroutines and need a loop.
        import asyncio

        return asyncio.run(self._execute(config, commit, verify))

    def _finished(self, values: dict[str, Any]) -> OrderResult:
        result = order_result_of(values, self._fetch)
        if result.status != "completed":
            _log().warning("order %s %s: %s (%s)", result.order_id, result.status, result.error_message, result.error_code)
        return result

    def _fetch(self, uri: str) -> bytes:
        content: bytes = self._runtime.fetch(uri, False, None)
        return content


def _path(value: Any, name: str) -> Optional[str]:
    if value is None:
        return None
    try:
        path = os.fspath(value)
    except Exception:
        path = None
    if type(path) is not str or "\0" in path:
        raise InvalidType(f"{name}: must be a str or a path, found {type(value).__name__}", "invalid_type", name)
    return path


def _receipt_of(values: dict[str, str]) -> Receipt:
    return Receipt(values["envelope"].encode(), values["proof"].encode())


def _check(config: Any) -> None:
    # The type and not the object is asked: an object may say anything of itself.
    if not issubclass(type(config), OrderConfig):
        raise InvalidType(f"config: must be an OrderConfig, found {type(config).__name__}", "invalid_type", "config")


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


def run_skill(
    skill: Union[str, os.PathLike[str]],
    entry: Optional[str] = None,
    *args: str,
    stdin: Union[str, bytes, None] = None,
    env: Optional[dict[str, str]] = None,
    work: Optional[Folder] = None,
    home: Optional[Folder] = None,
    accept_exit: Union[list[int], Literal["any"], None] = None,
    order_id: Optional[str] = None,
    **more: Any,
) -> OrderResult:
    """Runs one program of a package as a command, in the default data folder: `run_skill("my-skill", "scripts/merge.py", "raw", work="data")`.

    `skill` is a folder, an archive or a file with the JSON form; `more` are further fields of `OrderConfig`.
    """
    invocation = Invocation(
        entry,
        list(args),
        stdin,
        {} if env is None else env,
        work,
        home,
        [0] if accept_exit is None else accept_exit,
    )
    path = _path(skill, "skill")
    if path is None:
        raise InvalidType("skill: must be a str or a path, found NoneType", "invalid_type", "skill")
    order_id = f"run-{uuid.uuid4()}" if order_id is None else order_id
    return execute_skill_order_sync(OrderConfig(order_id, {"path": path}, invocation=invocation, **more))


async def verify_receipt(
    receipt: Union[Receipt, bytes],
    *,
    proof: Optional[bytes] = None,
    trust: Optional[bytes] = None,
    require_proof: bool = False,
    witnesses: int = 0,
) -> VerifyResult:
    """`Orchestrator.verify_receipt` in the default data folder."""
    return await default_orchestrator().verify_receipt(
        receipt, proof=proof, trust=trust, require_proof=require_proof, witnesses=witnesses
    )


def verify_receipt_sync(
    receipt: Union[Receipt, bytes],
    *,
    proof: Optional[bytes] = None,
    trust: Optional[bytes] = None,
    require_proof: bool = False,
    witnesses: int = 0,
) -> VerifyResult:
    """`Orchestrator.verify_receipt_sync` in the default data folder."""
    return default_orchestrator().verify_receipt_sync(
        receipt, proof=proof, trust=trust, require_proof=require_proof, witnesses=witnesses
    )


async def execute_skill_orders(
    configs: Iterable[OrderConfig], *, orchestrator: Optional[Orchestrator] = None
) -> list[OrderResult]:
    """Runs many orders at once and returns their results in the same sequence.

    Shows progress on a terminal or in a notebook where tqdm is installed. The first exception cancels the rest.
    """
    import asyncio

    runner = default_orchestrator() if orchestrator is None else orchestrator
    if not issubclass(type(runner), Orchestrator):
        found = type(runner).__name__
        raise InvalidType(f"orchestrator: must be an Orchestrator, found {found}", "invalid_type", "orchestrator")
    try:
        orders = list(configs)
    except Exception as error:
        found = type(configs).__name__
        raise InvalidType(f"configs: must be OrderConfigs, found {found}", "invalid_type", "configs") from error
    for config in orders:
        _check(config)
    tasks = [asyncio.ensure_future(runner.execute_skill_order(config)) for config in orders]
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
        from tqdm.auto import tqdm  # type: ignore[import-untyped,import-not-found,unused-ignore]
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
