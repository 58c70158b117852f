"""The client against the real service, and webhooks that the service signed."""

from __future__ import annotations

import asyncio
import re
import subprocess

import pytest
from conftest import BINARY, ENDLESS, RETURNING, WORD_COUNT, needs_service

from orchestrator import Orchestrator, OrderConfig, SandboxConfig
from sre_runtime import Finality, InvalidOrder, InvalidType, OrderConflict
from sre_runtime.client import AsyncClient, Client, ServiceError, ServiceUnavailable
from sre_runtime.webhooks import WebhookInvalid, verify_webhook

@needs_service
class TestService:
    def test_an_order_goes_there_and_its_result_comes_back(self, service):
        client = Client(service[0])
        config = OrderConfig("there", RETURNING, {"a": 1}, sandbox_config=SandboxConfig())
        result = client.execute(config)
        assert (result.status, result.output, result.verification.verdict) == ("completed", 42, "matched")
        assert client.submit(config) == result == client.result("there")
        assert client.verify("there").verdict == client.verify(result).verdict == "matched"
        assert client.verify(result.commit_result).is_valid

    def test_a_bundle_of_the_service_s_order_verifies_without_it(self, service, tmp_path):
        url, data = service
        client, elsewhere = Client(url), Orchestrator(data_dir=tmp_path)
        client.execute(OrderConfig("bundled", RETURNING))
        bundle, trust = client.bundle("bundled"), (data / "keys" / "trust.json").read_bytes()
        assert elsewhere.verify_receipt_sync(bundle, trust=trust, require_proof=True).verdict == "matched"
        assert elsewhere.verify_receipt_sync(bundle).verdict == "unanchored"
        assert asyncio.run(AsyncClient(url).bundle("bundled")) == bundle
        with pytest.raises(ServiceError) as refused:
            client.bundle("unknown")
        assert (refused.value.code, refused.value.status) == ("order_unknown", 404)
        with pytest.raises(InvalidType, match="^with_runtime: "):
            client.bundle("bundled", with_runtime="no")

    def test_an_order_that_needs_a_verdict_becomes_final_with_it(self, service, tmp_path):
        def sre(*arguments, data=tmp_path):
            done = subprocess.run([BINARY, *arguments, "--data-dir", data], check=True, capture_output=True, text=True)
            return done.stdout.strip()

        url, data = service
        client = Client(url)
        sre("key", "new", "--name", "checker.example.org")
        sre("key", "trust", sre("key", "show"), "--for", "verdict", data=data)
        sre("key", "trust", sre("key", "show", data=data))
        result = client.execute(OrderConfig("needs-one", RETURNING, verdicts_required=1))
        assert result.finality == Finality(required=1)
        assert client.execute(OrderConfig("needs-none", RETURNING)).finality is None
        client.bundle("needs-one")  # waits for its place in the log
        sre("watch", "--once", "--executor", url)
        finality = client.result("needs-one").finality
        assert (finality.matched, finality.disputed, finality.is_final) == (1, 0, True)
        assert finality.final_at.endswith("Z") and "1 of 1 verdicts" in client.result("needs-one")._repr_html_()

    def test_events_are_followed_to_the_end_and_from_any_place(self, service):
        client = Client(service[0])
        client.submit(OrderConfig("events", RETURNING))
        events = list(client.events("events"))
        assert [event.kind for event in events] == ["accepted", "running", "verifying", "finished"]
        assert [event.number for event in events] == [1, 2, 3, 4]
        assert list(client.events("events", after=2)) == events[2:]
        assert list(client.events("events", after=4)) == []

    def test_an_order_is_cancelled(self, service):
        client = Client(service[0])
        client.submit(OrderConfig("cancelled", ENDLESS, sandbox_config=SandboxConfig(fuel=10**12)))
        with pytest.raises(TimeoutError):
            client.wait("cancelled", timeout_seconds=0.01)
        client.cancel("cancelled")
        result = client.wait("cancelled", timeout_seconds=30)
        assert (result.status, result.error_code) == ("failed", "cancelled")

    def test_orders_are_listed_over_all_pages(self, service):
        client = Client(service[0])
        for n in range(3):
            client.execute(OrderConfig(f"listed-{n}", RETURNING))
        listed = [order.order_id for order in client.list(status="completed")]
        assert [each for each in listed if each.startswith("listed")] == ["listed-2", "listed-1", "listed-0"]

    def test_refusals_have_the_service_s_codes(self, service):
        client = Client(service[0])
        client.execute(OrderConfig("taken", RETURNING))
        with pytest.raises(OrderConflict) as refused:
            client.submit(OrderConfig("taken", RETURNING, {"other": 1}))
        assert (refused.value.code, refused.value.status) == ("order_conflict", 409)
        with pytest.raises(InvalidOrder) as refused:
            client.submit(OrderConfig("bad", RETURNING, timeout_seconds=-1))
        assert refused.value.code == "order_invalid"
        with pytest.raises(ServiceError) as refused:
            client.result("unknown")
        assert (refused.value.code, refused.value.status) == ("order_unknown", 404)
        with pytest.raises(ServiceError) as refused:
            client.submit(OrderConfig("path", WORD_COUNT))
        assert refused.value.code == "skill_refused"

    def test_the_asynchronous_client_does_the_same(self, service):
        async def main():
            client = AsyncClient(service[0])
            results = await asyncio.gather(*(client.execute(OrderConfig(f"async-{n}", RETURNING)) for n in range(8)))
            kinds = [event.kind async for event in client.events("async-0")]
            listed = [order.order_id async for order in client.list() if order.order_id.startswith("async")]
            return {result.status for result in results}, kinds[-1], len(listed)

        assert asyncio.run(main()) == ({"completed"}, "finished", 8)

    def test_a_callback_that_the_service_signed_is_verified(self, service, receiver):
        url, data = service
        keys = subprocess.run([BINARY, "token", "callback-keys", "local", "--data-dir", data], capture_output=True, text=True, check=True)
        secret = re.search(r"whsec_\S+", keys.stdout)[0].rstrip('",')
        callback = f"http://127.0.0.1:{receiver.server_port}/"
        result = Client(url).execute(OrderConfig("called", RETURNING, callback_url=callback))
        headers, body = receiver.received.get(timeout=30)
        assert verify_webhook(headers, body, secret) == result
        upper = {name.upper(): value for name, value in headers.items()}
        assert verify_webhook(upper, body, secret).order_id == "called"
        for bad_headers, bad_body, bad_secret in [
            (headers, body + b" ", secret),
            (headers, body, "whsec_" + "A" * 44),
            ({**headers, "webhook-id": "another"}, body, secret),
            ({**headers, "webhook-signature": "v1,"}, body, secret),
            ({}, body, secret),
        ]:
            with pytest.raises(WebhookInvalid):
                verify_webhook(bad_headers, bad_body, bad_secret)
        with pytest.raises(WebhookInvalid, match="old"):
            verify_webhook(headers, body, secret, now=int(headers["webhook-timestamp"]) + 301)


def test_a_service_that_is_not_there_is_unavailable():
    with pytest.raises(ConnectionError) as raised:
        Client("http://127.0.0.1:1").result("o")
    assert isinstance(raised.value, ServiceUnavailable) and raised.value.code == "unreachable"


@pytest.mark.parametrize("server", ["ftp://x", "x", "http://", "http://user:secret@x"])
def test_what_is_no_address_of_a_service_is_refused_without_repeating_it(server):
    with pytest.raises(InvalidOrder) as refused:
        Client(server)
    assert "secret" not in str(refused.value)


def test_a_token_is_not_shown():
    assert "secret" not in repr(Client("http://x", "secret"))


@pytest.mark.parametrize("secret", [None, "", "whsec_", "whsec_!", b"x"])
def test_what_is_no_secret_is_refused_without_repeating_it(secret):
    with pytest.raises(InvalidType, match="^secret: "):
        verify_webhook({}, b"", secret)
