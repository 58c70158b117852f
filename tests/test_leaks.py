"""Nothing is left behind: no reference, no object, no memory, however a call ends.

`SRE_LEAK_CALLS=100000` asks for so many calls of each kind; by default it is a small number, which finds what is leaked at every call.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
import tracemalloc

import pytest
from conftest import ENDLESS, FAILING, RETURNING, needs_service

from orchestrator import OrderConfig, SandboxConfig, execute_skill_order, execute_skill_order_sync
from sre_runtime import Client, InvalidType, ServiceError, ServiceUnavailable, fetch_result_sync, store_result_sync
from sre_runtime.client import AsyncClient

CALLS = int(os.environ.get("SRE_LEAK_CALLS", "300"))
# Caches that fill and memory that fragments; one leaked reference or string at every call would be more.
OBJECTS = max(60, CALLS // 20)
BYTES_PER_CALL = 60
FIRST_TIME_BYTES = 20_000
RESIDENT_BYTES_PER_CALL = 1024


def resident() -> int:
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def settle() -> None:
    """References that threads of the pipeline gave up are given back at the next call."""
    for _ in range(3):
        Client("http://127.0.0.1:1")
        fetch_or_nothing()
        gc.collect()


def fetch_or_nothing() -> None:
    fetch_result_sync(store_result_sync(None))


def state(watched):
    settle()
    return [sys.getrefcount(each) for each in watched], len(gc.get_objects()), tracemalloc.get_traced_memory()[0]


def assert_nothing_stays(work, *watched):
    """`work(n)` makes n calls with the watched objects. What a call leaves behind is there in both halves; a cache that grows once is not."""
    work(max(30, CALLS // 10))
    tracemalloc.start()
    try:
        work(20)
        states, memory = [state(watched)], [resident()]
        for _ in range(2):
            work(CALLS // 2)
            states.append(state(watched))
            memory.append(resident())
    finally:
        tracemalloc.stop()
    (references, objects, traced), halves = states[0], states[1:]
    assert [half[0] for half in halves] == [references, references]
    assert min(halves[0][1] - objects, halves[1][1] - halves[0][1]) < OBJECTS
    assert min(halves[0][2] - traced, halves[1][2] - halves[0][2]) < FIRST_TIME_BYTES + BYTES_PER_CALL * CALLS // 2
    # Shorter runs say nothing of the whole process: the pipeline's own caches fill for 30,000 orders, from Rust as from here.
    assert CALLS < 100_000 or memory[2] - memory[1] < RESIDENT_BYTES_PER_CALL * CALLS // 2


def fresh(package=RETURNING, **more):
    """Orders that were never there before, over the same objects."""
    fresh.count += 1
    return OrderConfig(f"leak-{fresh.count}", package, **more)


fresh.count = 0


def test_orders_that_succeed():
    payload = {"text": ["counted", {"deep": 1.5}]}

    def work(calls):
        for _ in range(calls):
            assert execute_skill_order_sync(fresh(input_data=payload)).status == "completed"

    assert_nothing_stays(work, payload, RETURNING)


def test_orders_that_fail(monkeypatch):
    monkeypatch.setattr(logging.getLogger("sre_runtime"), "disabled", True)  # pytest keeps what is logged

    def work(calls):
        for _ in range(calls):
            assert execute_skill_order_sync(fresh(FAILING)).status == "failed"

    assert_nothing_stays(work, FAILING)


def test_orders_that_are_refused():
    marker = "a text that is counted"
    payload = {"text": [marker, {marker}]}

    def work(calls):
        for _ in range(calls):
            with pytest.raises(InvalidType):
                execute_skill_order_sync(OrderConfig("o", RETURNING, payload))

    assert_nothing_stays(work, marker, payload)


def test_coroutines():
    payload = {"text": "counted"}

    def work(calls):
        async def main():
            for _ in range(0, calls, 50):
                results = await asyncio.gather(*(execute_skill_order(fresh(input_data=payload)) for _ in range(50)))
                assert {result.status for result in results} == {"completed"}

        asyncio.run(main())

    assert_nothing_stays(work, payload)


def test_cancelled_orders():
    config = SandboxConfig(fuel=10**12, timeout_seconds=60)

    def work(calls):
        async def main():
            for _ in range(0, calls, 10):
                tasks = [asyncio.ensure_future(execute_skill_order(fresh(ENDLESS, sandbox_config=config))) for _ in range(10)]
                await asyncio.sleep(0.002)
                for task in tasks:
                    task.cancel()
                ended = await asyncio.gather(*tasks, return_exceptions=True)
                assert all(isinstance(end, asyncio.CancelledError) for end in ended)

        asyncio.run(main())

    assert_nothing_stays(work, config, ENDLESS)


def test_event_loops():
    def sockets():
        return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0

    def work(calls):
        for _ in range(calls):
            asyncio.run(execute_skill_order(OrderConfig("again", RETURNING)))

    work(3)
    before = sockets()
    assert_nothing_stays(work)
    assert sockets() - before < 10


def test_a_client_of_no_service():
    client = Client("http://127.0.0.1:1")

    def work(calls):
        for _ in range(calls):
            with pytest.raises(ServiceUnavailable):
                client.result("o")

    assert_nothing_stays(work, client)


@needs_service
def test_the_clients(service):
    client, other = Client(service[0]), AsyncClient(service[0])
    config = OrderConfig("leaking", RETURNING)
    client.execute(config)

    def work(calls):
        async def main():
            for _ in range(0, calls, 5):
                assert (await other.result("leaking")).output == 42
                waiting = asyncio.ensure_future(other.execute(config))
                await asyncio.sleep(0)
                waiting.cancel()
                await asyncio.gather(waiting, return_exceptions=True)

        for _ in range(0, calls, 5):
            assert client.submit(config).output == 42
            assert len(list(client.events("leaking"))) == 4
            with pytest.raises(ServiceError):
                client.result("unknown")
        asyncio.run(main())

    assert_nothing_stays(work, config)
