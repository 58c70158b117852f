"""The stages by themselves: committer, verifier, executor, da. The real ones."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import json

import pytest
from conftest import ENDLESS, FAILING, WORD_COUNT, module, script

from committer import CommitResult, commit_result, commit_result_sync
from da import fetch_bytes, fetch_bytes_sync, fetch_result, fetch_result_sync, store_bytes, store_bytes_sync, store_result, store_result_sync
from executor import execute_in_sandbox_sync
from executor.sandbox import SandboxConfig, execute_in_sandbox
from orchestrator import OrderConfig, execute_skill_order_sync
from sre_runtime import BlobNotFound, BlobTampered, InvalidOrder, InvalidSkill, InvalidType, OrderTimeout, SkillNotFound, SreError
from verifier import VerifyResult, verify_result, verify_result_sync

INPUT = {"text": "to be or not to be"}
NOWHERE = "da:sha256:" + "0" * 64


def test_a_commitment_is_stored_and_binds_everything():
    result = asyncio.run(commit_result("o", WORD_COUNT, INPUT))
    assert isinstance(result, CommitResult) and result.status == "success"
    assert set(result.commitment) == {"format", "skill", "input", "profile", "runtime", "outcome"}
    stored = fetch_bytes_sync(result.commitment_uri)
    assert hashlib.sha256(stored).hexdigest() == result.commitment_hash
    assert json.loads(stored) == result.commitment
    assert fetch_result_sync(result.result_uri)["words"] == 6
    assert result.resources["fuel"] > 0 and result.backend == "wasm"


def test_the_same_skill_input_and_profile_have_one_commitment():
    config = SandboxConfig(clock_start="2026-01-01T00:00:00Z", random_seed="ab" * 32)
    first, second = (commit_result_sync(order_id, WORD_COUNT, INPUT, config) for order_id in "ab")
    assert first.commitment_hash == second.commitment_hash


def test_a_failing_skill_is_committed_and_verified_like_any_other():
    result = commit_result_sync("o", FAILING, {})
    assert (result.status, result.result_hash, result.result_uri) == ("failed", None, None)
    assert verify_result_sync(result).verdict == "matched"


def test_a_commitment_is_verified_by_replay():
    claim = commit_result_sync("o", WORD_COUNT, INPUT)
    verdict = asyncio.run(verify_result(claim))
    assert isinstance(verdict, VerifyResult) and verdict.verdict == "matched" and verdict.method == "replay"
    assert [check.name for check in verdict.checks][-1] == "replay"


def test_an_order_result_is_verified_with_its_output():
    result = execute_skill_order_sync(OrderConfig("o", WORD_COUNT, INPUT))
    assert verify_result_sync(result).verdict == "matched"
    lie = dataclasses.replace(result, output={**result.output, "words": 7})
    verdict = verify_result_sync(lie)
    assert (verdict.verdict, verdict.is_valid, verdict.checks[-1].name) == ("tampered", False, "reported_output")


def test_lies_in_a_claim_are_found(data_dir):
    claim = commit_result_sync("o", WORD_COUNT, INPUT)
    assert verify_result_sync(dataclasses.replace(claim, result_hash="0" * 64)).verdict == "tampered"
    other = {**claim.commitment, "outcome": "0" * 64}
    assert verify_result_sync(dataclasses.replace(claim, commitment=other)).verdict == "tampered"


@pytest.mark.parametrize("claim", [None, {}, "o", VerifyResult(True)])
def test_what_is_no_claim_is_refused(claim):
    with pytest.raises(InvalidType, match="commit_result"):
        verify_result_sync(claim)


def test_a_claim_without_a_commitment_is_refused_by_name():
    with pytest.raises(InvalidOrder, match="commit_result: missing field `commitment`"):
        verify_result_sync(CommitResult("o", NOWHERE, "0" * 64))


def test_the_sandbox_runs_a_skill_and_stores_nothing(data_dir):
    result = asyncio.run(execute_in_sandbox(WORD_COUNT, INPUT))
    assert (result.status, result.output["words"], result.backend) == ("success", 6, "wasm")
    assert not data_dir.exists()


@pytest.mark.parametrize(("package", "code"), [(FAILING, "skill_exited"), (module('(module (memory (export "memory") 1) (func (export "_start") unreachable))'), "skill_trapped")])
def test_the_sandbox_says_how_a_skill_failed(package, code):
    result = execute_in_sandbox_sync(package)
    assert (result.status, result.error_code, result.output) == ("failed", code, None)
    assert result.error_message


def test_a_time_limit_in_the_sandbox_is_a_timeout_error():
    with pytest.raises(TimeoutError) as raised:
        execute_in_sandbox_sync(ENDLESS, config=SandboxConfig(timeout_seconds=0.1, fuel=10**12))
    assert isinstance(raised.value, OrderTimeout) and raised.value.code == "timeout"


def test_a_python_skill_runs_as_it_is():
    source = "import json, sys\nvalue = json.load(sys.stdin)\nprint('seen', file=sys.stderr)\nprint(json.dumps({'double': value['n'] * 2}))\n"
    result = execute_in_sandbox_sync(script(source), {"n": 21})
    assert (result.status, result.output, result.logs) == ("success", {"double": 42}, "seen\n")


@pytest.mark.parametrize("value", [None, True, 0, -1.5, "text", "ü€𝄞", [], [1, [2]], {}, {"b": 1, "a": [None, {"c": "d"}]}, 2**53])
def test_values_come_back_as_they_were_stored(value):
    uri = store_result_sync(value)
    back = fetch_result_sync(uri)
    assert back == value and type(back) is type(value)
    assert uri == "da:sha256:" + hashlib.sha256(fetch_bytes_sync(uri)).hexdigest()


def test_equal_values_have_one_address():
    assert store_result_sync({"a": 1, "b": 2}) == store_result_sync({"b": 2, "a": 1})


def test_the_coroutines_of_the_store_do_the_same():
    async def main():
        uri = await store_result({"a": 1})
        data = await store_bytes(b"\x00\xff")
        return await fetch_result(uri), await fetch_bytes(data)

    assert asyncio.run(main()) == ({"a": 1}, b"\x00\xff")


@pytest.mark.parametrize("data", [b"", b"x", bytes(200_000)], ids=["empty", "small", "a file of its own"])
def test_bytes_come_back_as_they_were_stored(data):
    assert fetch_bytes_sync(store_bytes_sync(data)) == data


def test_what_the_store_cannot_give_is_said_in_python_s_terms(data_dir):
    with pytest.raises(FileNotFoundError) as raised:
        fetch_result_sync(NOWHERE)
    assert isinstance(raised.value, BlobNotFound) and raised.value.code == "blob_not_found"
    for uri in ["", "http://x", "da:sha256:abc", "da:md5:" + "0" * 64]:
        with pytest.raises(ValueError) as raised:
            fetch_result_sync(uri)
        assert raised.value.field == "uri"
    with pytest.raises(TypeError):
        fetch_result_sync(None)
    with pytest.raises(InvalidOrder, match="holds no JSON"):
        fetch_result_sync(store_bytes_sync(b"not json"))
    for data in ["text", bytearray(b"x"), None, memoryview(b"x")]:
        with pytest.raises(InvalidType, match="^data: must be bytes"):
            store_bytes_sync(data)


def test_bytes_that_were_changed_on_the_disk_are_not_returned(data_dir):
    uri = store_bytes_sync(bytes(200_000))
    [blob] = [path for path in data_dir.rglob("*") if path.is_file() and path.stat().st_size == 200_000]
    blob.chmod(0o600)
    blob.write_bytes(b"\x01" + bytes(199_999))
    with pytest.raises(BlobTampered) as raised:
        fetch_bytes_sync(uri)
    assert raised.value.code == "blob_tampered"


def test_a_data_folder_that_cannot_be_used_is_an_os_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SRE_DATA_DIR", str(tmp_path / "file" / "below"))
    with pytest.raises(OSError) as raised:
        store_result_sync(1)
    assert isinstance(raised.value, SreError) and "SRE_DATA_DIR" in str(raised.value)


def test_a_package_that_is_not_there_is_a_file_not_found_error():
    with pytest.raises(SkillNotFound):
        commit_result_sync("o", {"path": "no/such/place"}, {})
    with pytest.raises(InvalidSkill):
        execute_in_sandbox_sync(module("(module (import \"no\" \"such\" (func)))"))
