"""What goes in and what comes out, as dataclasses with the names of `docs/reference/results.md`.

Nothing is checked when one is made: an order is checked as a whole when it is executed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Optional, Union

from .commands import Fetch, Invocation, LeftFiles, Stdout, left_files_of

__all__ = [
    "Check",
    "CommitResult",
    "Finality",
    "NativeConfig",
    "OrderConfig",
    "OrderResult",
    "Receipt",
    "SandboxConfig",
    "SandboxResult",
    "VerifyResult",
]


@dataclass
class SandboxConfig:
    """Limits of one execution. `None` is the default of the runtime; nothing may exceed the operator's caps."""

    mem_limit: Union[int, str, None] = "512m"
    cpu_period: Optional[int] = 100_000
    cpu_quota: Optional[int] = 50_000
    timeout_seconds: Optional[float] = 30
    network_disabled: Optional[bool] = True
    fuel: Optional[int] = None
    output_limit: Union[int, str, None] = "1m"
    pids_limit: Optional[int] = 64
    backend: Optional[str] = "auto"
    clock_start: Optional[str] = None
    random_seed: Optional[str] = None
    min_isolation: Optional[str] = None


@dataclass
class OrderConfig:
    """What to run, on what, and within which limits.

    `invocation` runs one program of the package as a command; then there is no `input_data`.
    `verdicts_required`: how many keys of others must have signed `matched` before the order counts as final; see `OrderResult.finality`.
    """

    order_id: str
    skill_package: dict[str, Any]
    input_data: dict[str, Any] = field(default_factory=dict)
    timeout_seconds: float = 300
    max_retries: int = 0
    callback_url: Optional[str] = None
    sandbox_config: Optional[SandboxConfig] = None
    retry_on_timeout: bool = False
    priority: int = 0
    verdicts_required: int = 0
    invocation: Optional[Invocation] = None


@dataclass
class NativeConfig:
    """Lets native skills run: processes of this machine in a Linux jail (`docs/reference/native-skills.md`). Without it they are refused.

    `without` names layers of the jail that may be missing: "memory_limit", "cpu_limit", "process_limit", "landlock",
    "repeatability". A host that lacks another one refuses to run anything. `root` is a folder, or an OCI image layout, with the programs
    that skills may use, instead of the host's `/usr`.
    `warm_jails` is how many jails are kept made ahead, at most 64; each takes the memory of an idle interpreter.
    """

    without: tuple[str, ...] = ()
    root: Optional[str] = None
    warm_jails: int = 0

    # What the launcher of jails is started with.
    @property
    def _interpreter(self) -> str:
        import sys

        return sys.executable or ""

    @property
    def _module(self) -> str:
        from . import _native

        return _native.__file__ or ""


@dataclass
class CommitResult:
    """What was executed and committed."""

    order_id: str
    result_uri: Optional[str] = None
    result_hash: Optional[str] = None
    execution_time_ms: int = 0
    status: str = "success"
    error_message: Optional[str] = None
    commitment: Optional[dict[str, str]] = None
    commitment_hash: Optional[str] = None
    commitment_uri: Optional[str] = None
    backend: Optional[str] = None
    backend_note: Optional[str] = None
    resources: Optional[dict[str, Any]] = None
    isolation: Optional[dict[str, Any]] = None


@dataclass
class Check:
    """One check of a verification."""

    name: str
    status: str
    detail: Optional[str] = None


@dataclass
class VerifyResult:
    """What the verification found."""

    is_valid: bool
    verdict: Optional[str] = None
    method: Optional[str] = None
    expected_hash: Optional[str] = None
    actual_hash: Optional[str] = None
    error: Optional[str] = None
    checks: list[Check] = field(default_factory=list)
    divergence: Optional[dict[str, Any]] = None


@dataclass
class Receipt:
    """Who vouches for a result: a signed envelope (DSSE, in-toto) and the proof of its place in the node's log."""

    envelope: bytes
    proof: Optional[bytes] = None


@dataclass
class SandboxResult:
    """What one execution in the sandbox did. Nothing of it was stored."""

    status: str
    output: Any = None
    logs: str = ""
    error_code: Optional[str] = None
    error_message: Optional[str] = None
    execution_time_ms: int = 0
    backend: Optional[str] = None
    resources: Optional[dict[str, Any]] = None


@dataclass
class Finality:
    """The verdicts of others that an order needs and has; each key counts once, with its latest.

    An order is final from the moment when `required` keys say `matched`, and stays so. `disputed` counts keys that say `diverged` or
    `tampered`.
    """

    required: int
    matched: int = 0
    disputed: int = 0
    is_final: bool = False
    final_at: Optional[str] = None


@dataclass
class OrderResult:
    """How an order ended. `finality` is there for orders with `verdicts_required`, as it was when the result was asked for.

    After a command there are `exit_code`, `stdout`, `files` (what it changed below its working folder, by path; at most 10,000 of
    `files_changed`), `tree` and `home_tree` (digests of what the folders held at the end).
    """

    order_id: str
    status: str
    commit_result: Optional[CommitResult]
    verification: Optional[VerifyResult]
    execution_time_ms: int
    error_message: Optional[str] = None
    error_code: Optional[str] = None
    output: Any = None
    attempts: int = 1
    logs: str = ""
    finality: Optional[Finality] = None
    exit_code: Optional[int] = None
    stdout: Optional[Stdout] = None
    files: LeftFiles = field(default_factory=LeftFiles)
    files_changed: int = 0
    tree: Optional[str] = None
    home_tree: Optional[str] = None

    def _repr_html_(self) -> str:
        """The table that a notebook shows."""
        from ._notebook import table

        return table(self)


def _known(cls: type, values: dict[str, Any]) -> dict[str, Any]:
    """The fields this version knows: a later one may send more."""
    known = cls.__dataclass_fields__  # type: ignore[attr-defined]
    return {name: value for name, value in values.items() if name in known}


def commit_result_of(values: dict[str, Any]) -> CommitResult:
    return CommitResult(**_known(CommitResult, values))


def verify_result_of(values: dict[str, Any]) -> VerifyResult:
    result = VerifyResult(**_known(VerifyResult, values))
    result.checks = [Check(**_known(Check, check)) for check in values.get("checks", ())]
    return result


def sandbox_result_of(values: dict[str, Any]) -> SandboxResult:
    return SandboxResult(**_known(SandboxResult, values))


def order_result_of(values: dict[str, Any], fetch: Optional[Fetch] = None) -> OrderResult:
    """`fetch` gets the bytes at the address of a file that was left."""
    result = OrderResult(**_known(OrderResult, values))
    if result.stdout is not None:
        result.stdout = Stdout(**_known(Stdout, result.stdout))  # type: ignore[arg-type]
    result.files = left_files_of(values.get("files", []), fetch)
    if result.commit_result is not None:
        result.commit_result = commit_result_of(result.commit_result)  # type: ignore[arg-type]
    if result.verification is not None:
        result.verification = verify_result_of(result.verification)  # type: ignore[arg-type]
    if result.finality is not None:
        result.finality = Finality(**_known(Finality, result.finality))  # type: ignore[arg-type]
    return result


def shallow(record: Any) -> dict[str, Any]:
    """The fields as a dict, without copying what is in them."""
    return {each.name: getattr(record, each.name) for each in fields(record)}
