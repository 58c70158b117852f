"""The specification's verifier: recomputes, replays and compares."""

from sre_runtime.records import VerifyResult
from sre_runtime.stages import verify_result, verify_result_sync

__all__ = ["VerifyResult", "verify_result", "verify_result_sync"]
