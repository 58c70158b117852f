"""Waiting for the pipeline, on an event loop or on a thread.

The pipeline's own threads never wait for Python. An outcome is put into the mailbox of the event loop, which watches it as it watches any
socket, while a coroutine waits. Loops that watch no sockets (Windows) are told by one thread, with `call_soon_threadsafe`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Optional
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future

    from ._native import Mailbox

Waiter = Optional[tuple["AbstractEventLoop", "Future[Any]", Optional["Mailbox"]]]


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
    """Starts a task of the pipeline and waits for it. Cancelling the wait stops the task, and with it the guest."""
    from asyncio import get_running_loop

    loop = get_running_loop()
    future: Future[Any] = loop.create_future()
    watch = _Watch.on(loop)
    task = None
    try:
        task = start((loop, future, None if watch is None else watch.mailbox))
        return await future
    finally:
        if task is not None:
            task.cancel()
        if watch is not None:
            watch.leave(loop, future.done())


class _Watch:
    """A mailbox that an event loop watches as long as a coroutine waits."""

    # Weak: a loop that is forgotten with all its tasks goes, and its mailbox with it.
    of: WeakKeyDictionary[AbstractEventLoop, _Watch] = WeakKeyDictionary()
    # Each is two sockets: used again rather than made for each loop.
    free: list[Mailbox] = []

    __slots__ = ("mailbox", "waiting")

    def __init__(self, mailbox: Mailbox) -> None:
        self.mailbox = mailbox
        self.waiting = 0

    @classmethod
    def on(cls, loop: AbstractEventLoop) -> Optional[_Watch]:
        """The loop's watch, with one more who waits; `None` if the loop watches no sockets."""
        watch = cls.of.get(loop)
        if watch is None:
            watch = cls._begin(loop)
            if watch is None:
                return None
            cls.of[loop] = watch
        watch.waiting += 1
        return watch

    @classmethod
    def _begin(cls, loop: AbstractEventLoop) -> Optional[_Watch]:
        from . import _native

        if not hasattr(_native, "Mailbox"):
            return None
        try:
            mailbox = cls.free.pop()
        except IndexError:
            mailbox = _native.Mailbox()
        try:
            loop.add_reader(mailbox.fileno(), lambda: settle(mailbox.take()))
        except NotImplementedError:
            cls.free.append(mailbox)
            return None
        return cls(mailbox)

    def leave(self, loop: AbstractEventLoop, settled: bool) -> None:
        """One less who waits. Unless the future was `settled`, its outcome may come later, and not to another loop."""
        self.waiting -= 1
        if self.waiting == 0:
            self.of.pop(loop, None)
            if not loop.is_closed():
                loop.remove_reader(self.mailbox.fileno())
                if settled:
                    self.free.append(self.mailbox)


def forget_mailboxes() -> None:
    """In a forked child: the sockets are its parent's too, and who rings is heard by either."""
    _Watch.of.clear()
    _Watch.free.clear()
