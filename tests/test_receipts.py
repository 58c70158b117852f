"""Receipts of orders that ran here, verdicts on those of others, native skills, and orders that another process took over."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess

import pytest
from conftest import BINARY, FAILING, RETURNING, needs_service, script

from orchestrator import Orchestrator, OrderConfig, execute_skill_order_sync
from sre_runtime import (
    InvalidOrder,
    InvalidType,
    JournalError,
    NativeConfig,
    OrderLost,
    Receipt,
    ReceiptFailed,
    verify_receipt,
    verify_receipt_sync,
)
from sre_runtime.stages import commit_result


def issued(order_id="o", package=RETURNING):
    runner = Orchestrator()
    runner.execute_skill_order_sync(OrderConfig(order_id, package))
    return runner.receipt_sync(order_id)


def trusting(data_dir):
    return (data_dir / "keys" / "trust.json").read_bytes()


class TestReceipts:
    def test_an_order_has_one_receipt_which_names_its_result(self):
        runner = Orchestrator()
        result = runner.execute_skill_order_sync(OrderConfig("o", RETURNING, {"a": 1}))
        receipt = asyncio.run(runner.receipt("o"))
        assert receipt == runner.receipt_sync("o") and receipt.proof.startswith(b"c2sp.org/tlog-proof@v1\n")
        assert set(json.loads(receipt.envelope)) == {"payload", "payloadType", "signatures"}
        found = runner.verify_receipt_sync(receipt, require_proof=True)
        assert (found.verdict, found.is_valid, found.method) == ("matched", True, "replay")
        assert found.expected_hash == result.commit_result.result_hash
        assert {check.name for check in found.checks} > {"receipt", "signature", "key", "inclusion", "log"}

    def test_what_has_no_result_has_no_receipt(self):
        assert Orchestrator().receipt_sync("never") is None

    def test_a_failed_order_has_a_receipt_of_its_failure(self):
        assert verify_receipt_sync(issued("failed", FAILING)).verdict == "matched"

    def test_what_was_changed_is_tampered(self):
        receipt = issued()
        envelope = json.loads(receipt.envelope)
        envelope["signatures"][0]["sig"] = "A" * 86 + "=="
        for changed in [
            receipt.envelope + b" ",
            receipt.envelope[:-1],
            b"",
            b"\xff",
            json.dumps(envelope, separators=(",", ":"), sort_keys=True).encode(),
            Receipt(receipt.envelope, receipt.proof[:-3] + b"AA\n"),
            b"SHA256SUMS" + bytes(247) + b"ustar" + bytes(800),
        ]:
            found = verify_receipt_sync(changed)
            assert (found.verdict, found.is_valid) == ("tampered", False) and found.error, changed[:40]

    def test_an_untrusted_key_anchors_nothing(self, data_dir):
        receipt = issued()
        no_trust = b'{"format":"sre.trust/v1","keys":[]}'
        assert verify_receipt_sync(receipt, trust=no_trust).verdict == "unanchored"
        assert verify_receipt_sync(receipt, trust=trusting(data_dir)).verdict == "matched"
        assert verify_receipt_sync(receipt.envelope, require_proof=True).verdict == "unanchored"
        assert verify_receipt_sync(receipt, witnesses=1).verdict == "unanchored"

    def test_without_the_bytes_nothing_can_be_replayed(self, data_dir, tmp_path):
        receipt, trust = issued(), trusting(data_dir)
        elsewhere = tmp_path / "elsewhere"
        found = Orchestrator(data_dir=elsewhere).verify_receipt_sync(receipt, trust=trust)
        assert (found.verdict, found.is_valid) == ("unavailable", False)
        assert not elsewhere.exists()

    @needs_service
    def test_a_bundle_of_the_program_verifies_anywhere(self, data_dir, tmp_path):
        issued("bundled")
        file = tmp_path / "order.sre-bundle"
        subprocess.run([BINARY, "bundle", "bundled", "--output", file, "--data-dir", data_dir], check=True, capture_output=True)
        bundle, trust = file.read_bytes(), trusting(data_dir)
        elsewhere = Orchestrator(data_dir=tmp_path / "elsewhere")
        assert asyncio.run(elsewhere.verify_receipt(bundle, trust=trust, require_proof=True)).verdict == "matched"
        assert elsewhere.verify_receipt_sync(bundle, trust=b'{"format":"sre.trust/v1","keys":[]}').verdict == "unanchored"
        place = bundle.index(b"42")
        assert elsewhere.verify_receipt_sync(bundle[:place] + b"43" + bundle[place + 2 :], trust=trust).verdict == "tampered"
        assert elsewhere.verify_receipt_sync(bundle[:-512], trust=trust).verdict == "tampered"
        with pytest.raises(InvalidOrder, match="^proof: "):
            elsewhere.verify_receipt_sync(bundle, proof=b"x")

    @needs_service
    def test_a_bundle_made_here_is_the_one_the_program_makes(self, data_dir, tmp_path):
        runner, elsewhere = Orchestrator(), Orchestrator(data_dir=tmp_path / "elsewhere")
        runner.execute_skill_order_sync(OrderConfig("bundled", RETURNING))
        bundle, trust = asyncio.run(runner.bundle("bundled")), trusting(data_dir)
        assert elsewhere.verify_receipt_sync(bundle, trust=trust, require_proof=True).verdict == "matched"
        file = tmp_path / "order.sre-bundle"
        subprocess.run([BINARY, "bundle", "bundled", "--output", file, "--data-dir", data_dir], check=True, capture_output=True)
        assert bundle == file.read_bytes() == runner.bundle_sync("bundled")
        file.write_bytes(bundle)
        trusted = tmp_path / "theirs"
        key = (data_dir / "keys" / "trust.json").read_bytes()
        (trusted / "keys").mkdir(parents=True)
        (trusted / "keys" / "trust.json").write_bytes(key)
        subprocess.run([BINARY, "verify", file, "--data-dir", trusted], check=True, capture_output=True)

    def test_a_bundle_needs_a_result_and_all_that_it_names(self, data_dir):
        runner = Orchestrator()
        assert runner.bundle_sync("never") is None
        result = runner.execute_skill_order_sync(OrderConfig("o", RETURNING))
        with sqlite3.connect(data_dir / "blobs" / "small.sqlite3", timeout=60) as blobs:
            lost = bytes.fromhex(result.commit_result.result_hash)
            assert blobs.execute("DELETE FROM blob WHERE digest = ?", [lost]).rowcount == 1
        with pytest.raises(ReceiptFailed, match="order o cannot be bundled") as refused:
            runner.bundle_sync("o")
        assert refused.value.code == "evidence_lost"

    def test_a_bundle_has_the_interpreter_of_a_script_where_it_is_asked_for(self):
        runner = Orchestrator()
        runner.execute_skill_order_sync(OrderConfig("script", script("print(1)")))
        small, large = runner.bundle_sync("script"), runner.bundle_sync("script", with_runtime=True)
        assert len(small) < 10**6 < len(large)
        for wrong in [1, None, "yes"]:
            with pytest.raises(InvalidType, match="^with_runtime: "):
                runner.bundle_sync("script", with_runtime=wrong)

    @pytest.mark.parametrize(
        ("arguments", "field"),
        [
            ({"receipt": "text"}, "receipt"),
            ({"receipt": None}, "receipt"),
            ({"receipt": b"", "proof": "x"}, "proof"),
            ({"receipt": b"", "proof": bytes(10**6)}, "proof"),
            ({"receipt": b"", "trust": "x"}, "trust"),
            ({"receipt": b"", "trust": b"{}"}, "trust"),
            ({"receipt": b"", "require_proof": 1}, "require_proof"),
            ({"receipt": b"", "witnesses": -1}, "witnesses"),
            ({"receipt": b"", "witnesses": True}, "witnesses"),
        ],
    )
    def test_wrong_arguments_are_refused_by_name(self, arguments, field):
        receipt = arguments.pop("receipt")
        with pytest.raises((InvalidOrder, InvalidType)) as refused:
            asyncio.run(verify_receipt(receipt, **arguments))
        assert refused.value.field == field and str(refused.value).startswith(f"{field}: ")


NATIVE = {
    "name": "native",
    "version": "1.0.0",
    "runtime": {"entrypoint": "main.sh", "kind": "native"},
    "files": {"main.sh": {"text": "#!/bin/sh\necho '{\"answer\": 42}'\n", "executable": True}},
}


class TestNative:
    def test_native_skills_are_refused_unless_they_are_allowed(self):
        with pytest.raises(InvalidOrder, match="native=NativeConfig") as refused:
            execute_skill_order_sync(OrderConfig("o", NATIVE))
        assert refused.value.field == "sandbox_config.backend"

    def test_a_native_skill_runs_in_the_jail_and_is_replayed(self):
        runner = Orchestrator(native=NativeConfig(without=("memory_limit", "cpu_limit", "process_limit", "landlock")))
        result = runner.execute_skill_order_sync(OrderConfig("native", NATIVE))
        if result.error_code == "sandbox_unavailable" and "namespaces" in str(result.error_message):
            pytest.skip(f"this host makes no jails: {result.error_message}")
        assert (result.status, result.output) == ("completed", {"answer": 42}), result.error_message
        assert result.commit_result.backend == "native" and result.commit_result.isolation["enforced"]
        # Without the permission a receipt of it cannot be replayed.
        receipt = runner.receipt_sync("native")
        assert runner.verify_receipt_sync(receipt).verdict == "matched"
        assert Orchestrator().verify_receipt_sync(receipt).verdict == "unverifiable"

    @pytest.mark.parametrize(
        ("native", "field"),
        [
            (True, "native"),
            ({}, "native"),
            (NativeConfig(without="landlock"), "native.without"),
            (NativeConfig(without=("everything",)), "native.without[0]"),
            (NativeConfig(without=(1,)), "native.without[0]"),
            (NativeConfig(root="relative"), "native.root"),
            (NativeConfig(root=5), "native.root"),
            (NativeConfig(warm_jails=-1), "native.warm_jails"),
            (NativeConfig(warm_jails=10**6), "native.warm_jails"),
            (NativeConfig(warm_jails=True), "native.warm_jails"),
        ],
    )
    def test_a_wrong_configuration_is_refused_by_name(self, native, field):
        with pytest.raises(InvalidOrder) as refused:
            Orchestrator(native=native)
        assert refused.value.field == field


def test_an_order_that_was_taken_over_and_has_no_result_is_lost_and_says_so(data_dir):
    async def robbed(*arguments):
        """Meanwhile another process acquires the order."""
        with sqlite3.connect(data_dir / "journal.sqlite3", timeout=60) as journal:
            assert journal.execute("UPDATE open_orders SET token = token + 1").rowcount == 1
        return await commit_result(*arguments)

    with pytest.raises(OrderLost) as raised:
        asyncio.run(Orchestrator(commit_result=robbed).execute_skill_order(OrderConfig("robbed", RETURNING)))
    assert (raised.value.code, raised.value.field) == ("order_lost", "order_id")
    assert isinstance(raised.value, JournalError) and "robbed" in str(raised.value)
    assert asyncio.run(Orchestrator().result("robbed")) is None
