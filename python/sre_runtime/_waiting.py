"""Waiting for the pipeline, on an event loop or on a thread.

The pipeline's own threads never wait for Python: results come back through one thread, which hands each event loop all it has for it in
one `call_soon_threadsafe`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Optional

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future

Waiter = Optional[tuple["AbstractEventLoop", "Future[Any]"]]


def settle(batch: list[tuple[Future[Any], Any, bool]]) -> None:
    """Called on the event loop with outcomes that arrived."""
    for future, value, failed in batch:
        if future.done():
            continue  # cancelled meanwhile
        if failed:
            future.set_exception(value)
        else:
            future.set_result(value)


async def wait(start: Callable[[Waiter], Any]) -> Any:
    """Starts a task of the pipeline and waits for it. Whoever stops waiting stops the task, and with it the guest."""
    from asyncio import get_running_loop

    loop = get_running_loop()
    future: Future[Any] = loop.create_future()
    task = start((loop, future))
    try:
        return await future
    finally:
        task.cancel()
