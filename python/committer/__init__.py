"""The specification's committer: executes a skill and commits to what it did."""

from .committer import CommitResult, commit_result, commit_result_sync

__all__ = ["CommitResult", "commit_result", "commit_result_sync"]
