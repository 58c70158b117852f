"""An asyncio event loop for a world without sockets: tasks, timers, queues and locks work; files and pipes do not wait.

asyncio's own loop needs a socket pair to wake itself up from other threads, and there are neither here.
"""

import asyncio
import time

import sre_refusals
import sre_threads


class Timers:
    """The loop's selector: there is nothing to select, so it lets other threads run, or sleeps."""

    def select(self, timeout=None):
        if timeout != 0 and sre_threads.run_one(daemons=timeout is None):
            return []
        if timeout is None:
            raise RuntimeError("deadlock: every task waits for something that no task will do")
        if timeout > 0:
            time.sleep(timeout)
        return []

    def get_map(self):
        return {}


class TimerLoop(asyncio.BaseEventLoop):
    """Runs callbacks and timers on the clock of the host."""

    def __init__(self):
        super().__init__()
        self._selector = Timers()

    def _process_events(self, event_list):
        pass

    def _write_to_self(self):
        pass

    async def subprocess_exec(self, protocol_factory, program, *args, **how):
        raise sre_refusals.no_program(program)

    async def subprocess_shell(self, protocol_factory, cmd, **how):
        raise sre_refusals.no_program("/bin/sh")

    def add_signal_handler(self, sig, callback, *args):
        raise NotImplementedError("no signals arrive in the WebAssembly sandbox")

    def remove_signal_handler(self, sig):
        return False


def install():
    """Makes it the loop of `asyncio.run` and `asyncio.new_event_loop`."""
    asyncio.unix_events._DefaultEventLoopPolicy._loop_factory = TimerLoop
    asyncio.SelectorEventLoop = asyncio.EventLoop = TimerLoop
