"""The specification's verifier: recomputes, replays and compares."""

from .verify import VerifyResult, verify_result, verify_result_sync

__all__ = ["VerifyResult", "verify_result", "verify_result_sync"]
