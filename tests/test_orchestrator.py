"""The acceptance criteria of the specification, by name, and what else the orchestrator promises.

The pipeline is the real one. Stages are replaced where the specification says so (AC-02), and where a fault cannot be caused otherwise.
"""

from __future__ import annotations

import asyncio
import dataclasses
import http.server
import json
import logging
import pickle
import subprocess
import sys
import threading
from pathlib import Path
from unittest.mock import AsyncMock, patch

import pytest
from conftest import ENDLESS, FAILING, WORD_COUNT

import orchestrator.orchestrator as module_under_test
from orchestrator import (
    CommitResult,
    Orchestrator,
    OrderConfig,
    OrderResult,
    SandboxConfig,
    VerifyResult,
    clear_failure_callbacks,
    clear_success_callbacks,
    execute_skill_order,
    execute_skill_order_sync,
    register_failure_callback,
    register_success_callback,
)
from sre_runtime import InvalidOrder, OrderConflict

INPUT = {"text": "to be or not to be"}
HASH = "ab" * 32


def run(coroutine):
    return asyncio.run(coroutine)


class TestAC01Import:
    """AC-01: orchestrator.py can be imported by itself."""

    def test_ac01_the_names_of_the_specification_can_be_imported(self):
        code = "from orchestrator import execute_skill_order, OrderConfig, OrderResult; print('AC-01: PASS')"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout == "AC-01: PASS\n"

    def test_ac01_every_module_of_the_specification_can_be_imported_alone(self):
        for code in [
            "from orchestrator.orchestrator import execute_skill_order",
            "from committer import commit_result, CommitResult",
            "from verifier import verify_result",
            "from executor.sandbox import execute_in_sandbox, SandboxConfig",
            "from da import store_result, fetch_result",
        ]:
            subprocess.run([sys.executable, "-c", code], check=True)

    def test_ac01_importing_starts_nothing(self):
        code = (
            "import sys, threading, orchestrator;"
            "assert 'sre_runtime._native' not in sys.modules and 'asyncio' not in sys.modules;"
            "assert threading.active_count() == 1"
        )
        subprocess.run([sys.executable, "-c", code], check=True)


class TestAC02WholePipeline:
    """AC-02: execute_skill_order goes through commit and verification."""

    def test_ac02_a_real_order_is_executed_committed_and_verified(self):
        result = run(execute_skill_order(OrderConfig("demo", WORD_COUNT, INPUT)))
        assert result.status == "completed"
        assert result.output["words"] == 6
        assert result.commit_result.status == "success"
        assert result.commit_result.result_uri == f"da:sha256:{result.commit_result.result_hash}"
        assert result.verification.is_valid and result.verification.verdict == "matched"
        assert result.verification.method == "replay"
        assert result.verification.actual_hash == result.commit_result.result_hash

    def test_ac02_the_stages_are_called_in_sequence_with_what_the_one_before_returned(self):
        calls = []
        committed = CommitResult("mocked", f"da:sha256:{HASH}", HASH, 5, "success")

        async def commit(order_id, skill_package, input_data, sandbox_config):
            calls.append(("commit", order_id, skill_package, input_data, sandbox_config))
            return committed

        async def verify(claim):
            calls.append(("verify", claim.order_id, claim.result_uri, claim.result_hash))
            return VerifyResult(is_valid=True, verdict="matched", method="replay", expected_hash=HASH, actual_hash=HASH)

        sandbox = SandboxConfig(timeout_seconds=7)
        config = OrderConfig("mocked", WORD_COUNT, INPUT, sandbox_config=sandbox)
        with patch("orchestrator.orchestrator.commit_result", side_effect=commit) as commit_mock:
            with patch("orchestrator.orchestrator.verify_result", side_effect=verify) as verify_mock:
                result = run(execute_skill_order(config))
        assert calls == [
            ("commit", "mocked", WORD_COUNT, INPUT, sandbox),
            ("verify", "mocked", f"da:sha256:{HASH}", HASH),
        ]
        commit_mock.assert_awaited_once()
        verify_mock.assert_awaited_once()
        assert result.status == "completed"
        assert result.commit_result.result_hash == HASH and result.commit_result.execution_time_ms == 5
        assert result.verification.verdict == "matched"

    def test_ac02_the_real_stages_can_be_watched(self):
        with patch("orchestrator.orchestrator.commit_result", wraps=module_under_test.commit_result) as commit:
            with patch("orchestrator.orchestrator.verify_result", wraps=module_under_test.verify_result) as verify:
                result = run(execute_skill_order(OrderConfig("watched", WORD_COUNT, INPUT)))
        assert (commit.await_count, verify.await_count) == (1, 1)
        assert verify.await_args.args[0] == result.commit_result
        assert result.status == "completed" and result.verification.verdict == "matched"
        assert result.output["words"] == 6

    def test_ac02_more_watched_orders_than_slots_do_not_wait_for_each_other_for_ever(self):
        async def many():
            orders = (OrderConfig(f"slot-{n}", WORD_COUNT, INPUT) for n in range(24))
            return await asyncio.gather(*map(execute_skill_order, orders))

        with patch("orchestrator.orchestrator.commit_result", wraps=module_under_test.commit_result):
            assert {result.status for result in run(many())} == {"completed"}

    def test_ac02_a_commitment_made_up_by_a_stage_does_not_convince_the_real_verifier(self):
        committed = CommitResult("made-up", f"da:sha256:{HASH}", HASH)
        with patch("orchestrator.orchestrator.commit_result", return_value=committed):
            result = run(execute_skill_order(OrderConfig("made-up", WORD_COUNT, INPUT)))
        assert result.status == "failed" and result.error_code == "verification_failed"
        assert result.verification.verdict == "unavailable"

    def test_ac02_stages_can_be_given_to_an_orchestrator(self):
        verify = AsyncMock(return_value=VerifyResult(is_valid=False, error="no"))
        result = run(Orchestrator(verify_result=verify).execute_skill_order(OrderConfig("o", WORD_COUNT, INPUT)))
        assert (result.status, result.error_code) == ("failed", "verification_failed")
        assert result.error_message == "verification unverifiable: no"
        assert verify.await_count == 1

    def test_ac02_the_synchronous_twin_calls_replaced_stages_too(self):
        verify = AsyncMock(return_value=VerifyResult(is_valid=True))
        result = Orchestrator(verify_result=verify).execute_skill_order_sync(OrderConfig("o", WORD_COUNT, INPUT))
        assert result.status == "completed" and result.verification.verdict == "hash_only"

    @pytest.mark.parametrize(
        ("returned", "says"),
        [
            (None, "must return a CommitResult, returned NoneType"),
            (CommitResult("other", f"da:sha256:{HASH}", HASH), "commit_result.order_id"),
            (CommitResult("o", "da:x", "short"), "commit_result.result_hash"),
            (CommitResult("o", None, None), "commit_result.result_hash"),
            (CommitResult("o", f"da:sha256:{HASH}", HASH, float("nan")), "commit_result.execution_time_ms"),
        ],
    )
    def test_ac02_what_a_replaced_stage_returns_is_checked(self, returned, says):
        commit = AsyncMock(return_value=returned)
        result = run(Orchestrator(commit_result=commit).execute_skill_order(OrderConfig("o", WORD_COUNT, INPUT)))
        assert result.status == "failed" and says in result.error_message


class TestAC03OrderConfig:
    """AC-03: time limit, retries and callback of OrderConfig do what they say."""

    def test_ac03_the_defaults_are_those_of_the_specification(self):
        config = OrderConfig("o", {}, {})
        assert (config.timeout_seconds, config.max_retries) == (300, 0)
        assert (config.callback_url, config.sandbox_config) == (None, None)
        names = [field.name for field in dataclasses.fields(OrderConfig)]
        assert names[:7] == [
            "order_id", "skill_package", "input_data", "timeout_seconds", "max_retries", "callback_url", "sandbox_config",
        ]
        sandbox = SandboxConfig()
        assert (sandbox.mem_limit, sandbox.cpu_period, sandbox.cpu_quota) == ("512m", 100_000, 50_000)
        assert (sandbox.timeout_seconds, sandbox.network_disabled) == (30, True)

    def test_ac03_the_time_limit_stops_the_guest(self):
        config = OrderConfig("slow", ENDLESS, timeout_seconds=0.2, sandbox_config=SandboxConfig(fuel=10**12))
        result = run(execute_skill_order(config))
        assert (result.status, result.error_code, result.attempts) == ("timeout", "timeout", 1)
        assert result.commit_result is None and result.verification is None

    def test_ac03_the_sandbox_configuration_reaches_the_sandbox(self):
        result = run(execute_skill_order(OrderConfig("fuel", ENDLESS, sandbox_config=SandboxConfig(fuel=1000))))
        assert (result.status, result.error_code) == ("failed", "out_of_fuel")

    def test_ac03_an_operating_failure_is_retried_as_often_as_the_order_says(self):
        stage = AsyncMock(side_effect=[ConnectionError("not yet"), CommitResult("o", f"da:sha256:{HASH}", HASH)])
        verify = AsyncMock(return_value=VerifyResult(is_valid=True))
        runner = Orchestrator(commit_result=stage, verify_result=verify)
        result = run(runner.execute_skill_order(OrderConfig("o", WORD_COUNT, INPUT, max_retries=1)))
        assert (result.status, result.attempts, stage.await_count) == ("completed", 2, 2)

    def test_ac03_without_retries_an_operating_failure_is_the_result(self):
        stage = AsyncMock(side_effect=ConnectionError("gone"))
        result = run(Orchestrator(commit_result=stage).execute_skill_order(OrderConfig("o", WORD_COUNT, INPUT)))
        assert (result.status, result.error_code, result.attempts) == ("failed", "stage_failed", 1)
        assert result.error_message == "commit_result raised ConnectionError: gone"

    def test_ac03_a_failing_skill_is_not_retried(self):
        result = run(execute_skill_order(OrderConfig("o", FAILING, max_retries=3)))
        assert (result.status, result.attempts) == ("failed", 1)

    def test_ac03_a_replaced_stage_that_takes_too_long_is_cancelled(self):
        cancelled = threading.Event()

        async def forever(*_):
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                cancelled.set()
                raise

        async def main():
            config = OrderConfig("o", WORD_COUNT, INPUT, timeout_seconds=0.1)
            result = await Orchestrator(commit_result=forever).execute_skill_order(config)
            while not cancelled.is_set():
                await asyncio.sleep(0)
            return result

        assert run(main()).status == "timeout"

    def test_ac03_the_result_is_posted_to_the_callback_url(self):
        posted = []

        class Receiver(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        with http.server.HTTPServer(("127.0.0.1", 0), Receiver) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                url = f"http://127.0.0.1:{server.server_port}/done"
                result = run(execute_skill_order(OrderConfig("o", WORD_COUNT, INPUT, callback_url=url)))
            finally:
                server.shutdown()
                thread.join()
        assert len(posted) == 1
        assert (posted[0]["order_id"], posted[0]["status"]) == ("o", "completed")
        assert posted[0]["output"] == result.output

    def test_ac03_the_same_order_again_is_the_same_result_and_another_one_is_refused(self):
        first = run(execute_skill_order(OrderConfig("o", WORD_COUNT, INPUT)))
        assert run(execute_skill_order(OrderConfig("o", WORD_COUNT, INPUT))) == first
        with pytest.raises(OrderConflict) as refused:
            run(execute_skill_order(OrderConfig("o", WORD_COUNT, {"text": "another"})))
        assert (refused.value.code, refused.value.field) == ("order_conflict", "order_id")
        assert run(Orchestrator().result("o")) == first
        assert run(Orchestrator().result("never")) is None


class TestAC04OrderResult:
    """AC-04: OrderResult holds the whole state of the execution."""

    def test_ac04_the_fields_are_those_of_the_specification(self):
        names = [field.name for field in dataclasses.fields(OrderResult)]
        assert names[:6] == [
            "order_id", "status", "commit_result", "verification", "execution_time_ms", "error_message",
        ]
        assert OrderResult("o", "completed", None, None, 1).error_message is None

    @pytest.mark.parametrize("package", [WORD_COUNT, FAILING])
    def test_ac04_a_result_behaves_like_a_dataclass(self, package):
        result = execute_skill_order_sync(OrderConfig("o", package, INPUT if package is WORD_COUNT else {}))
        assert isinstance(result, OrderResult) and isinstance(result.commit_result, CommitResult)
        assert isinstance(result.verification, VerifyResult)
        assert isinstance(result.execution_time_ms, int)
        copy = pickle.loads(pickle.dumps(result))
        assert copy == result and repr(copy) == repr(result)
        assert dataclasses.replace(result, status="other") != result
        values = dataclasses.asdict(result)
        assert json.loads(json.dumps(values)) == values
        assert values["verification"]["checks"][0]["name"] == "commitment"

    def test_ac04_a_failed_order_says_what_failed_and_is_proven_all_the_same(self):
        result = execute_skill_order_sync(OrderConfig("o", FAILING))
        assert (result.status, result.error_code) == ("failed", "skill_exited")
        assert result.error_message == "the skill exited with code 3"
        assert result.output is None and result.commit_result.result_hash is None
        assert result.commit_result.status == "failed" and result.verification.verdict == "matched"

    def test_ac04_a_notebook_shows_a_table_without_running_what_is_in_it(self):
        result = execute_skill_order_sync(OrderConfig("o", WORD_COUNT, {"text": "<script>alert(1)</script>"}))
        html = result._repr_html_()
        assert "matched: 9 checks passed" in html and "<pre" in html
        result.logs = "<script>"
        assert "<script" not in result._repr_html_()


class TestAC05Failures:
    """AC-05: a failure calls the callbacks and is logged."""

    @pytest.fixture(autouse=True)
    def clear(self):
        yield
        clear_failure_callbacks()
        clear_success_callbacks()

    def test_ac05_a_failure_calls_the_failure_callbacks_before_the_caller_has_the_result(self):
        told = []
        register_failure_callback(told.append)
        register_success_callback(lambda result: told.append("wrong"))
        result = run(execute_skill_order(OrderConfig("o", FAILING)))
        assert told == [result] and isinstance(told[0], OrderResult)

    def test_ac05_a_success_calls_the_success_callbacks_only(self):
        told = []
        register_success_callback(told.append)
        register_failure_callback(lambda result: told.append("wrong"))
        result = execute_skill_order_sync(OrderConfig("o", WORD_COUNT, INPUT))
        assert told == [result]

    def test_ac05_a_cleared_callback_is_not_called(self):
        told = []
        register_failure_callback(told.append)
        clear_failure_callbacks()
        run(execute_skill_order(OrderConfig("o", FAILING)))
        assert told == []

    def test_ac05_an_exception_in_a_callback_is_logged_and_changes_nothing(self, caplog):
        told = []
        register_failure_callback(lambda result: 1 / 0)
        register_failure_callback(lambda result: setattr(result, "status", "completed"))
        register_failure_callback(told.append)
        with caplog.at_level(logging.WARNING, "sre_runtime"):
            result = run(execute_skill_order(OrderConfig("o", FAILING)))
        assert result.status == "failed" and told == [result]
        assert any("callback failed" in record.message and record.exc_info for record in caplog.records)

    def test_ac05_a_failure_is_logged_with_its_code(self, caplog):
        with caplog.at_level(logging.WARNING, "sre_runtime"):
            run(execute_skill_order(OrderConfig("o", FAILING)))
        assert [record.getMessage() for record in caplog.records] == [
            "order o failed: the skill exited with code 3 (skill_exited)"
        ]

    def test_ac05_a_timeout_is_a_failure_too(self):
        told = []
        register_failure_callback(told.append)
        config = OrderConfig("o", ENDLESS, timeout_seconds=0.1, sandbox_config=SandboxConfig(fuel=10**12))
        run(execute_skill_order(config))
        assert [result.status for result in told] == ["timeout"]

    def test_ac05_a_callback_may_run_orders_itself(self):
        again = []
        register_failure_callback(
            lambda result: again.append(execute_skill_order_sync(OrderConfig("again", WORD_COUNT, INPUT)).status)
        )
        run(execute_skill_order(OrderConfig("o", FAILING)))
        assert again == ["completed"]

    def test_ac05_a_refused_order_writes_nothing_and_calls_no_callback(self, data_dir: Path):
        told = []
        register_failure_callback(told.append)
        with pytest.raises(InvalidOrder):
            run(execute_skill_order(OrderConfig("o", WORD_COUNT, {"text": 1})))
        assert told == [] and not data_dir.exists()
