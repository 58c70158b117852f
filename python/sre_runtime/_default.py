"""The native pipeline: loaded when it is first needed, one for each data folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Callable, Optional

if TYPE_CHECKING:
    from ._native import Runtime
    from .records import NativeConfig

_loaded: Any = None


def native() -> Any:
    """The native module. Its threads start at the first order and end with the interpreter."""
    global _loaded
    if _loaded is None:
        import atexit

        from . import _native
        from ._waiting import forget_mailboxes

        atexit.register(_native.close)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(before=_native.before_fork, after_in_child=forget_mailboxes)
        _loaded = _native
    return _loaded


def open_runtime(
    listener: Callable[[dict[str, Any]], None],
    data_dir: Optional[str] = None,
    cache_dir: Optional[str] = None,
    native_config: Optional[NativeConfig] = None,
) -> Runtime:
    """A pipeline over `data_dir`. Nothing is opened yet."""
    data_dir = data_dir or os.environ.get("SRE_DATA_DIR") or None
    cache_dir = cache_dir or os.environ.get("SRE_CACHE_DIR") or None
    return native().Runtime(listener, data_dir, cache_dir, native_config)  # type: ignore[no-any-return]
