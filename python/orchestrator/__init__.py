"""The specification's orchestrator: sandbox, commit, verify, result, callback."""

from .orchestrator import (
    CommitResult,
    Orchestrator,
    OrderConfig,
    OrderResult,
    SandboxConfig,
    VerifyResult,
    clear_failure_callbacks,
    clear_success_callbacks,
    execute_skill_order,
    execute_skill_order_sync,
    register_failure_callback,
    register_success_callback,
)

__all__ = [
    "CommitResult",
    "Orchestrator",
    "OrderConfig",
    "OrderResult",
    "SandboxConfig",
    "VerifyResult",
    "clear_failure_callbacks",
    "clear_success_callbacks",
    "execute_skill_order",
    "execute_skill_order_sync",
    "register_failure_callback",
    "register_success_callback",
]
