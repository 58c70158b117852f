"""The clients when things go wrong: cancelled tasks, silent and broken connections, forks, wrong values."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading

import pytest
from conftest import ENDLESS, RETURNING, needs_service

from orchestrator import CommitResult, OrderConfig, SandboxConfig
from sre_runtime import InvalidOrder, InvalidType, OrderConflict, SreError
from sre_runtime.client import AsyncClient, Client, ServiceError, ServiceUnavailable

LIMIT_SECONDS = 60
UNLIMITED = SandboxConfig(fuel=10**12, timeout_seconds=200)


class Silent:
    """A server that reads and never answers. It notices when the client goes away."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.asked, self.left = threading.Semaphore(0), threading.Semaphore(0)
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.socket.accept()
                threading.Thread(target=self.hold, args=[connection]).start()

    def hold(self, connection):
        with connection, contextlib.suppress(OSError):
            if connection.recv(65536):
                self.asked.release()
            while connection.recv(65536):
                pass
        self.left.release()

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(LIMIT_SECONDS)


@pytest.fixture
def silent():
    server = Silent()
    yield server
    server.close()


CALLS = {
    "submit": lambda client: client.submit(OrderConfig("o", RETURNING)),
    "execute": lambda client: client.execute(OrderConfig("o", RETURNING)),
    "result": lambda client: client.result("o", wait_seconds=5),
    "wait": lambda client: client.wait("o"),
    "cancel": lambda client: client.cancel("o"),
    "verify": lambda client: client.verify("o"),
    "list": lambda client: client.list().__anext__(),
    "events": lambda client: client.events("o").__anext__(),
}


@pytest.mark.parametrize("name", CALLS)
def test_cancelling_a_task_ends_its_request_and_its_connection(name, silent):
    async def main():
        task = asyncio.ensure_future(CALLS[name](AsyncClient(silent.url)))
        assert await asyncio.to_thread(silent.asked.acquire, timeout=LIMIT_SECONDS)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert silent.left.acquire(timeout=LIMIT_SECONDS)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.timeout came with 3.11")
def test_asyncio_timeout_ends_a_request(silent):
    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await AsyncClient(silent.url).wait("o")

    asyncio.run(main())
    assert silent.left.acquire(timeout=LIMIT_SECONDS)


@pytest.mark.parametrize("name", ["submit", "result"])
def test_an_answer_that_does_not_come_is_given_up(name, silent):
    with pytest.raises(ServiceUnavailable) as raised:
        asyncio.run(CALLS[name](AsyncClient(silent.url, timeout_seconds=0.2)) if name == "submit" else AsyncClient(silent.url, timeout_seconds=0.2).result("o"))
    assert raised.value.code == "unreachable" and "timed out" in str(raised.value)


def test_an_interrupt_ends_a_synchronous_request(silent):
    code = f"""
from sre_runtime import Client
try:
    Client({silent.url!r}).result("o", wait_seconds=50)
except KeyboardInterrupt:
    print("interrupted")
"""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as process:
        assert silent.asked.acquire(timeout=LIMIT_SECONDS)
        process.send_signal(signal.SIGINT)
        assert (*process.communicate(timeout=LIMIT_SECONDS), process.returncode) == ("interrupted\n", "", 0)


@needs_service
class TestService:
    def test_waiting_has_an_end_and_the_order_goes_on(self, service):
        async def main():
            client = AsyncClient(service[0])
            config = OrderConfig("patience", ENDLESS, sandbox_config=UNLIMITED, timeout_seconds=300)
            with pytest.raises(TimeoutError, match="patience"):
                await client.execute(config, timeout_seconds=0.05)
            with pytest.raises(TimeoutError, match="patience"):
                await client.wait("patience", timeout_seconds=0.05)
            assert (await client.result("patience")).status in ("queued", "running")
            await client.cancel("patience")
            return await client.wait("patience", timeout_seconds=LIMIT_SECONDS)

        assert asyncio.run(main()).error_code == "cancelled"

    def test_a_cancelled_wait_leaves_the_order_alone(self, service):
        async def main():
            client = AsyncClient(service[0])
            config = OrderConfig("left-alone", ENDLESS, sandbox_config=UNLIMITED, timeout_seconds=300)
            await client.submit(config)
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(client.wait("left-alone"), 0.2)
            status = (await client.result("left-alone")).status
            await client.cancel("left-alone")
            await client.wait("left-alone", timeout_seconds=LIMIT_SECONDS)
            return status

        assert asyncio.run(main()) in ("queued", "running")

    def test_a_cancelled_follower_has_lost_no_event(self, service):
        async def main():
            client = AsyncClient(service[0])
            await client.submit(OrderConfig("followed", ENDLESS, sandbox_config=UNLIMITED, timeout_seconds=300))
            stream = client._service.events("followed", 0)
            from sre_runtime._waiting import wait

            numbers = [(await wait(stream.next))["number"] for _ in range(2)]
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(wait(stream.next), 0.2)
            await client.cancel("followed")
            while (event := await wait(stream.next)) is not None:
                numbers.append(event["number"])
            return numbers

        numbers = asyncio.run(main())
        assert numbers == list(range(1, len(numbers) + 1)) and len(numbers) > 2

    def test_events_are_followed_over_connections_that_break(self, service):
        client = Client(service[0])
        client.execute(OrderConfig("broken", RETURNING))
        whole = list(client.events("broken"))
        host, port = service[0].removeprefix("http://").split(":")
        with socket.create_server(("127.0.0.1", 0)) as front:
            asked = []

            def cut():
                """Lets each connection have the head of the answer and one event, and breaks it."""
                with contextlib.suppress(OSError):
                    while True:
                        near, _ = front.accept()
                        with near, socket.create_connection((host, int(port))) as far:
                            asked.append(near.recv(65536))
                            far.sendall(asked[-1])
                            answer = b""
                            while answer.count(b"\n\n") < 1 and (part := far.recv(65536)):
                                answer += part
                            head, _, rest = answer.partition(b"\n\n")
                            near.sendall(head + b"\n\n" if rest else answer)

            thread = threading.Thread(target=cut)
            thread.start()
            try:
                followed = list(Client(f"http://127.0.0.1:{front.getsockname()[1]}").events("broken"))
            finally:
                front.shutdown(socket.SHUT_RDWR)
                thread.join(LIMIT_SECONDS)
        assert followed == whole
        assert len(asked) == len(whole) and b"last-event-id: 3" in asked[-1].lower()

    def test_loops_and_threads_share_a_client(self, service):
        client = AsyncClient(service[0])
        for n in range(2):
            assert asyncio.run(client.execute(OrderConfig(f"shared-{n}", RETURNING))).output == 42
        results = []
        threads = [threading.Thread(target=lambda n=n: results.append(asyncio.run(client.execute(OrderConfig(f"own-{n}", RETURNING))))) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LIMIT_SECONDS)
        assert [result.status for result in results] == ["completed"] * 4

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
    def test_parent_and_child_go_on_after_a_fork(self, service):
        code = f"""
import os, warnings; warnings.simplefilter("ignore")
from sre_runtime import Client
from conftest import RETURNING
from orchestrator import OrderConfig
client = Client({service[0]!r})
client.execute(OrderConfig("forked", RETURNING))
child = os.fork()
output = client.result("forked").output
if child == 0:
    os._exit(output)
print(output, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=LIMIT_SECONDS, cwd=os.path.dirname(__file__)
        )
        assert (done.stdout, done.stderr) == ("42 42\n", "")


CLIENT = Client("http://127.0.0.1:1")
ASYNC = AsyncClient("http://127.0.0.1:1")
BAD_IDS = [None, 1, b"o", "", "-o", "../x", "o\n", "x" * 129, "\ud800", ["o"]]
BAD_SECONDS = [True, "1", float("nan"), float("inf"), -1, 10**400, b"1", [], object()]


@pytest.mark.parametrize("index", range(len(BAD_IDS)))
@pytest.mark.parametrize("method", ["result", "wait", "cancel", "verify", "events"])
def test_what_is_no_order_id_is_refused_before_anything_is_sent(method, index):
    value = BAD_IDS[index]
    for client in (CLIENT, ASYNC):
        with pytest.raises((InvalidOrder, InvalidType)) as refused:
            made = getattr(client, method)(value)
            if hasattr(made, "__anext__"):
                asyncio.run(made.__anext__())
            elif hasattr(made, "__await__"):
                asyncio.run(made)
            else:
                next(made)
        assert refused.value.field in ("order_id", "claim")


@pytest.mark.parametrize("index", range(len(BAD_SECONDS)))
def test_what_is_no_time_is_refused_with_its_name(index):
    value = BAD_SECONDS[index]
    config = OrderConfig("o", RETURNING)
    for field, call in [
        ("timeout_seconds", lambda: Client("http://127.0.0.1:1", timeout_seconds=value)),
        ("timeout_seconds", lambda: CLIENT.wait("o", timeout_seconds=value)),
        ("timeout_seconds", lambda: CLIENT.execute(config, timeout_seconds=value)),
        ("timeout_seconds", lambda: asyncio.run(ASYNC.execute(config, timeout_seconds=value))),
        ("timeout_seconds", lambda: asyncio.run(ASYNC.wait("o", timeout_seconds=value))),
        ("wait_seconds", lambda: CLIENT.result("o", wait_seconds=value)),
        ("after", lambda: next(CLIENT.events("o", after=value))),
    ]:
        with pytest.raises(InvalidOrder) as refused:
            call()
        assert refused.value.field == field


def test_other_values_are_refused_with_their_names():
    for field, call in [
        ("config", lambda: CLIENT.submit({"order_id": "o"})),
        ("input_data.x", lambda: CLIENT.submit(OrderConfig("o", RETURNING, {"x": {1}}))),
        ("sandbox_config.fuel", lambda: CLIENT.submit(OrderConfig("o", RETURNING, sandbox_config=SandboxConfig(fuel="1")))),
        ("status", lambda: next(CLIENT.list(status=1))),
        ("skill", lambda: next(CLIENT.list(skill=b"x"))),
        ("claim", lambda: CLIENT.verify(None)),
        ("commit_result", lambda: CLIENT.verify(CommitResult("o"))),
        ("server", lambda: Client(1)),
        ("token", lambda: Client("http://x", "not\na token")),
        ("token", lambda: Client("http://x", 5)),
    ]:
        with pytest.raises((InvalidOrder, TypeError)) as refused:
            call()
        assert isinstance(refused.value, SreError) and refused.value.field == field, field


def test_the_exceptions_of_a_service_travel():
    import copy
    import pickle

    from sre_runtime import errors

    for error in [errors.ServiceConflict("m", "order_conflict", "order_id", 409), ServiceUnavailable("m", "busy", None, 503)]:
        for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
            assert (type(twin), str(twin), twin.code, twin.field, twin.status) == (type(error), "m", error.code, error.field, error.status)
    assert issubclass(errors.ServiceConflict, OrderConflict) and issubclass(ServiceUnavailable, ConnectionError) and issubclass(ServiceUnavailable, ServiceError)
