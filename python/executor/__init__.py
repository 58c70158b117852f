"""The specification's executor: a skill in the sandbox, and nothing else."""

from .sandbox import SandboxConfig, SandboxResult, execute_in_sandbox, execute_in_sandbox_sync

__all__ = ["SandboxConfig", "SandboxResult", "execute_in_sandbox", "execute_in_sandbox_sync"]
