"""Runs untrusted skills, commits to what they did, and proves it by replay.

    >>> from sre_runtime import OrderConfig, execute_skill_order_sync
    >>> order = OrderConfig("demo", {"path": "examples/word-count"}, {"text": "to be or not to be"})
    >>> result = execute_skill_order_sync(order)
    >>> result.status, result.verification.verdict, result.output["words"]
    ('completed', 'matched', 6)

The modules: `records` (what goes in and comes out), `commands` (the same for programs run as commands), `pipeline` (`Orchestrator` and the functions on the default one), `stages` (commit,
verify, sandbox and store by themselves), `client` (of the service), `webhooks`, `errors`. Importing this starts nothing: the pipeline is Rust, loaded at the first order.
"""

from typing import TYPE_CHECKING, Any

from .commands import Invocation, LeftFile, LeftFiles, Stdout
from .errors import (
    BlobNotFound,
    BlobTampered,
    BlobTooLarge,
    ClosedError,
    DataFolderError,
    DataFolderNotPermitted,
    ForkedError,
    InternalError,
    InvalidInput,
    InvalidOrder,
    InvalidSkill,
    InvalidType,
    JournalError,
    OperatingError,
    OrderConflict,
    OrderLost,
    OrderTimeout,
    ReceiptFailed,
    SandboxUnavailable,
    ServiceConflict,
    ServiceError,
    ServiceRefused,
    ServiceUnavailable,
    SkillNotFound,
    SkillNotPermitted,
    SkillUnreadable,
    SreError,
    StoreFailed,
)
from .pipeline import (
    Orchestrator,
    clear_failure_callbacks,
    clear_success_callbacks,
    execute_skill_order,
    execute_skill_order_sync,
    execute_skill_orders,
    register_failure_callback,
    register_success_callback,
    run_skill,
    verify_receipt,
    verify_receipt_sync,
)
from .records import (
    Check,
    CommitResult,
    Finality,
    NativeConfig,
    OrderConfig,
    OrderResult,
    Receipt,
    SandboxConfig,
    SandboxResult,
    VerifyResult,
)
from .stages import (
    commit_result,
    commit_result_sync,
    execute_in_sandbox,
    execute_in_sandbox_sync,
    fetch_bytes,
    fetch_bytes_sync,
    fetch_result,
    fetch_result_sync,
    store_bytes,
    store_bytes_sync,
    store_result,
    store_result_sync,
    verify_result,
    verify_result_sync,
)

if TYPE_CHECKING:
    from .client import AsyncClient, Client, Event, OrderSummary
    from .webhooks import WebhookInvalid, verify_webhook

__version__ = "0.1.0"

# Loaded when they are first used, for those who need neither.
_LATER = {
    "AsyncClient": "client",
    "Client": "client",
    "Event": "client",
    "OrderSummary": "client",
    "WebhookInvalid": "webhooks",
    "verify_webhook": "webhooks",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_LATER[name]}", __name__), name)


__all__ = [
    "AsyncClient",
    "BlobNotFound",
    "BlobTampered",
    "BlobTooLarge",
    "Check",
    "Client",
    "ClosedError",
    "CommitResult",
    "DataFolderError",
    "DataFolderNotPermitted",
    "Event",
    "Finality",
    "ForkedError",
    "InternalError",
    "InvalidInput",
    "InvalidOrder",
    "InvalidSkill",
    "InvalidType",
    "Invocation",
    "JournalError",
    "LeftFile",
    "LeftFiles",
    "NativeConfig",
    "OperatingError",
    "Orchestrator",
    "OrderConfig",
    "OrderConflict",
    "OrderLost",
    "OrderResult",
    "OrderSummary",
    "OrderTimeout",
    "Receipt",
    "ReceiptFailed",
    "SandboxConfig",
    "SandboxResult",
    "SandboxUnavailable",
    "ServiceConflict",
    "ServiceError",
    "ServiceRefused",
    "ServiceUnavailable",
    "SkillNotFound",
    "SkillNotPermitted",
    "SkillUnreadable",
    "SreError",
    "Stdout",
    "StoreFailed",
    "VerifyResult",
    "WebhookInvalid",
    "clear_failure_callbacks",
    "clear_success_callbacks",
    "commit_result",
    "commit_result_sync",
    "execute_in_sandbox",
    "execute_in_sandbox_sync",
    "execute_skill_order",
    "execute_skill_order_sync",
    "execute_skill_orders",
    "fetch_bytes",
    "fetch_bytes_sync",
    "fetch_result",
    "fetch_result_sync",
    "register_failure_callback",
    "register_success_callback",
    "run_skill",
    "store_bytes",
    "store_bytes_sync",
    "store_result",
    "store_result_sync",
    "verify_receipt",
    "verify_receipt_sync",
    "verify_result",
    "verify_result_sync",
    "verify_webhook",
]
