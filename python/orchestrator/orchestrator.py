"""The orchestrator by the specification's name. The work is done in `sre_runtime`.

The stages are looked up in this module when an order is executed: who replaces `commit_result` or `verify_result` here, with
`unittest.mock.patch` for instance, replaces the stage.
"""

from sre_runtime.pipeline import (
    Orchestrator,
    clear_failure_callbacks,
    clear_success_callbacks,
    default_orchestrator,
    register_failure_callback,
    register_success_callback,
)
from sre_runtime.records import CommitResult, OrderConfig, OrderResult, SandboxConfig, VerifyResult
from sre_runtime.stages import commit_result, verify_result

__all__ = [
    "CommitResult",
    "Orchestrator",
    "OrderConfig",
    "OrderResult",
    "SandboxConfig",
    "VerifyResult",
    "clear_failure_callbacks",
    "clear_success_callbacks",
    "commit_result",
    "execute_skill_order",
    "execute_skill_order_sync",
    "register_failure_callback",
    "register_success_callback",
    "verify_result",
]


async def execute_skill_order(config: OrderConfig) -> OrderResult:
    """Runs an order through commit and verification and returns its result once that is durable."""
    return await default_orchestrator()._execute(config, commit_result, verify_result)


def execute_skill_order_sync(config: OrderConfig) -> OrderResult:
    """As `execute_skill_order`, for callers without an event loop."""
    return default_orchestrator()._execute_sync(config, commit_result, verify_result)
