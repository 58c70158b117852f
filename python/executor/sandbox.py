"""The specification's executor: a skill in the sandbox, and nothing else."""

from sre_runtime.records import SandboxConfig, SandboxResult
from sre_runtime.stages import execute_in_sandbox, execute_in_sandbox_sync

__all__ = ["SandboxConfig", "SandboxResult", "execute_in_sandbox", "execute_in_sandbox_sync"]
