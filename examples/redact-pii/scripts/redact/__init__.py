"""Finds personal data in a text and replaces it."""

from .finders import KINDS
from .replace import redact

__all__ = ["KINDS", "redact"]
