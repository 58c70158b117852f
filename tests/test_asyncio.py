"""Event loops, threads, forks, signals and the end of the interpreter."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import ENDLESS, WORD_COUNT

from orchestrator import Orchestrator, OrderConfig, SandboxConfig, execute_skill_order, execute_skill_order_sync
from sre_runtime import execute_skill_orders

INPUT = {"text": "to be or not to be"}
UNLIMITED = SandboxConfig(fuel=10**12, timeout_seconds=60)
TIME_LIMIT_SECONDS = 120


def order(order_id, package=WORD_COUNT):
    if package is ENDLESS:
        return OrderConfig(order_id, ENDLESS, sandbox_config=UNLIMITED)
    return OrderConfig(order_id, package, INPUT)


def in_a_process(code: str, **kwargs) -> subprocess.CompletedProcess:
    """Runs a program that has the helpers of this file."""
    head = f"import sys; sys.path.insert(0, {os.path.dirname(__file__)!r})\nfrom test_asyncio import *\n"
    program = head + textwrap.dedent(code)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **kwargs}
    return subprocess.run([sys.executable, "-c", program], text=True, timeout=TIME_LIMIT_SECONDS, **pipes)


def test_many_orders_at_once_each_get_their_own_result():
    async def main():
        orders = [OrderConfig(f"many-{n}", WORD_COUNT, {"text": "word " * n}) for n in range(64)]
        return await asyncio.gather(*map(execute_skill_order, orders))

    results = asyncio.run(main())
    assert [result.output["words"] for result in results] == list(range(64))
    assert {result.verification.verdict for result in results} == {"matched"}


def test_many_orders_keep_their_sequence():
    results = asyncio.run(execute_skill_orders(order(f"seq-{n}") for n in range(10)))
    assert [result.order_id for result in results] == [f"seq-{n}" for n in range(10)]


def test_a_callback_may_run_an_order():
    runner, inner = Orchestrator(), []

    def callback(result):
        if result.order_id in ("outer-sync", "outer"):
            inner.append(runner.execute_skill_order_sync(order(f"inner-{len(inner)}")).status)

    runner.register_success_callback(callback)
    assert runner.execute_skill_order_sync(order("outer-sync")).status == "completed"
    assert asyncio.run(runner.execute_skill_order(order("outer"))).status == "completed"
    assert inner == ["completed", "completed"]


def test_a_loop_that_watches_no_sockets_is_told_otherwise():
    class Proactor(asyncio.SelectorEventLoop):
        def add_reader(self, *_):
            raise NotImplementedError

    async def main():
        return await asyncio.gather(*(execute_skill_order(order(f"told-{n}")) for n in range(8)))

    loop = Proactor()
    try:
        assert {result.status for result in loop.run_until_complete(main())} == {"completed"}
    finally:
        loop.close()


def test_the_loop_turns_while_orders_run():
    async def main():
        turns = 0
        task = asyncio.ensure_future(execute_skill_order(order("slow", ENDLESS)))
        for _ in range(100):
            await asyncio.sleep(0.001)
            turns += 1
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return turns

    assert asyncio.run(main()) == 100


def test_cancelling_stops_the_guests_and_frees_their_slots():
    async def main():
        # More than there are slots: if one guest went on, the last order would never run.
        tasks = [asyncio.ensure_future(execute_skill_order(order(f"endless-{n}", ENDLESS))) for n in range(64)]
        await asyncio.sleep(0.2)
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ended)
        return await execute_skill_order(order("after"))

    assert asyncio.run(main()).status == "completed"


def test_a_cancelled_order_stays_open_and_can_be_run_again():
    async def main():
        runner = Orchestrator()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(runner.execute_skill_order(order("o", ENDLESS)), 0.2)
        assert await runner.result("o") is None
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(runner.execute_skill_order(order("o", ENDLESS)), 0.2)

    asyncio.run(main())


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.timeout came with 3.11")
def test_asyncio_timeout_stops_an_order():
    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await execute_skill_order(order("o", ENDLESS))
        return await execute_skill_order(order("after"))

    assert asyncio.run(main()).status == "completed"


def test_one_orchestrator_serves_several_loops_one_after_the_other_and_at_once():
    runner = Orchestrator()
    for n in range(3):
        assert asyncio.run(runner.execute_skill_order(order(f"loop-{n}"))).status == "completed"

    def loop(thread):
        async def main():
            return await asyncio.gather(*(runner.execute_skill_order(order(f"{thread}-{n}")) for n in range(8)))

        return [result.status for result in asyncio.run(main())]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(loop, range(4))) == [["completed"] * 8] * 4


def test_threads_without_a_loop_share_an_orchestrator():
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda n: execute_skill_order_sync(order(f"sync-{n}")).status, range(32)))
    assert statuses == ["completed"] * 32


def test_a_loop_that_is_closed_while_its_order_runs_does_no_harm():
    loop = asyncio.new_event_loop()
    task = loop.create_task(execute_skill_order(order("abandoned", ENDLESS)))
    loop.run_until_complete(asyncio.sleep(0.1))
    task.cancel()
    loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
    loop.close()
    assert execute_skill_order_sync(order("after")).status == "completed"


def test_loops_and_orchestrators_are_not_kept_alive():
    async def main():
        runner = Orchestrator()
        runner.register_success_callback(lambda result: None)
        await runner.execute_skill_order(order("o"))
        return weakref.ref(asyncio.get_running_loop()), weakref.ref(runner)

    references = asyncio.run(main())
    for _ in range(100):  # the courier gives its references back when it next has the interpreter
        gc.collect()
        if not any(reference() for reference in references):
            return
        execute_skill_order_sync(order("o"))
    assert [reference() for reference in references] == [None, None]


def test_the_same_order_many_times_at_once_has_one_result():
    async def main():
        return await asyncio.gather(*(execute_skill_order(order("same")) for _ in range(20)))

    first, *others = asyncio.run(main())
    assert first.status == "completed" and all(other == first for other in others)


def test_a_thousand_orders_leave_nothing_behind():
    async def main():
        config = order("o")
        await asyncio.gather(*(execute_skill_order(config) for _ in range(50)))
        gc.collect()
        before = len(gc.get_objects())
        for _ in range(20):
            await asyncio.gather(*(execute_skill_order(config) for _ in range(50)))
        gc.collect()
        return len(gc.get_objects()) - before

    assert asyncio.run(main()) < 500


def test_an_interrupt_stops_a_synchronous_order():
    code = """
        import threading, signal
        threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        try:
            execute_skill_order_sync(order("o", ENDLESS))
        except KeyboardInterrupt:
            print("interrupted", execute_skill_order_sync(order("after")).status)
    """
    done = in_a_process(code)
    assert (done.stdout, done.stderr, done.returncode) == ("interrupted completed\n", "", 0)


def test_the_interpreter_ends_while_orders_run():
    code = """
        import threading
        def forget():
            try:
                execute_skill_order_sync(order("daemon", ENDLESS))
            except Exception as error:
                pass
        threading.Thread(target=forget, daemon=True).start()
        loop = asyncio.new_event_loop()
        task = loop.create_task(execute_skill_order(order("open", ENDLESS)))
        loop.run_until_complete(asyncio.sleep(0.3))
        print("leaving", flush=True)
        # No waiting, no closing: the interpreter goes with both orders running.
        task._log_destroy_pending = False
    """
    done = in_a_process(code)
    assert (done.stdout, done.returncode) == ("leaving\n", 0), done.stderr
    assert "Fatal" not in done.stderr and "panicked" not in done.stderr


def test_an_order_in_an_exit_handler_says_that_it_is_too_late():
    code = """
        import atexit
        from sre_runtime import ClosedError
        def late():
            try:
                execute_skill_order_sync(order("late"))
            except ClosedError as error:
                print(error.code)
        atexit.register(late)
        execute_skill_order_sync(order("o"))
    """
    done = in_a_process(code)
    assert (done.stdout, done.returncode) == ("closed\n", 0), done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
class TestFork:
    def test_parent_and_child_go_on_after_a_fork_between_orders(self):
        code = """
            import warnings; warnings.simplefilter("ignore")
            execute_skill_order_sync(order("before"))
            child = os.fork()
            name = "child" if child == 0 else "parent"
            status = execute_skill_order_sync(order(name)).status
            if child == 0:
                os._exit(0 if status == "completed" else 1)
            _, ended = os.waitpid(child, 0)
            print(status, os.waitstatus_to_exitcode(ended), execute_skill_order_sync(order("after")).status)
        """
        done = in_a_process(code)
        assert (done.stdout, done.stderr) == ("completed 0 completed\n", "")

    def test_a_pool_of_forked_processes_runs_orders(self):
        code = """
            import multiprocessing, warnings; warnings.simplefilter("ignore")
            execute_skill_order_sync(order("before"))
            def work(n):
                return execute_skill_order_sync(order(f"work-{n}")).status
            with multiprocessing.get_context("fork").Pool(3) as pool:
                print(set(pool.map(work, range(12))))
                pool.close()
                pool.join()
        """
        done = in_a_process(code)
        assert (done.stdout, done.stderr) == ("{'completed'}\n", "")

    def test_a_child_forked_while_an_order_runs_says_so_and_the_parent_goes_on(self):
        code = """
            import warnings; warnings.simplefilter("ignore")
            from sre_runtime import ForkedError
            async def main():
                task = asyncio.ensure_future(execute_skill_order(order("running", ENDLESS)))
                await asyncio.sleep(0.2)
                child = os.fork()
                if child == 0:
                    code = 1
                    try:
                        execute_skill_order_sync(order("child"))
                    except ForkedError as error:
                        code = 7
                    finally:
                        os._exit(code)
                print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
                task.cancel()
                print((await execute_skill_order(order("after"))).status)
            asyncio.run(main())
        """
        done = in_a_process(code)
        assert (done.stdout, done.stderr) == ("7\ncompleted\n", "")

    def test_such_a_child_ends_like_any_other(self):
        code = """
            import warnings; warnings.simplefilter("ignore")
            import threading
            threading.Thread(target=lambda: execute_skill_order_sync(
                OrderConfig("running", ENDLESS, timeout_seconds=1, sandbox_config=UNLIMITED))).start()
            import time; time.sleep(0.3)
            child = os.fork()
            if child == 0:
                sys.exit(5)  # with exit handlers and the destruction of everything
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """
        done = in_a_process(code)
        assert (done.stdout, done.returncode) == ("5\n", 0), done.stderr


def test_sub_processes_start_while_orders_run():
    async def main():
        task = asyncio.ensure_future(execute_skill_order(order("running", ENDLESS)))
        await asyncio.sleep(0.1)
        subprocess.run([sys.executable, "-c", "pass"], check=True)
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
