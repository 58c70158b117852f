"""The specification's committer: executes a skill and commits to what it did."""

from sre_runtime.records import CommitResult
from sre_runtime.stages import commit_result, commit_result_sync

__all__ = ["CommitResult", "commit_result", "commit_result_sync"]
