"""The specification's data availability: values and bytes by digest."""

from sre_runtime.stages import (
    fetch_bytes,
    fetch_bytes_sync,
    fetch_result,
    fetch_result_sync,
    store_bytes,
    store_bytes_sync,
    store_result,
    store_result_sync,
)

__all__ = [
    "fetch_bytes",
    "fetch_bytes_sync",
    "fetch_result",
    "fetch_result_sync",
    "store_bytes",
    "store_bytes_sync",
    "store_result",
    "store_result_sync",
]
