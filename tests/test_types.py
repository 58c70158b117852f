"""The package and its stubs are fully typed, and what the stubs say of the native half is true."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("mypy")

PACKAGES = ["sre_runtime", "orchestrator", "committer", "verifier", "executor", "da"]

USE = """
import asyncio
from typing import Optional
from orchestrator import Orchestrator, OrderConfig, OrderResult, execute_skill_order, execute_skill_order_sync
from sre_runtime import AsyncClient, Client, Finality, NativeConfig, Receipt, VerifyResult, verify_receipt, verify_webhook

async def main() -> OrderResult:
    result = await execute_skill_order(OrderConfig("o", {}, {}))
    orchestrator = Orchestrator(native=NativeConfig(without=("landlock",)))
    receipt: Optional[Receipt] = await orchestrator.receipt("o")
    assert receipt is not None
    verdict: VerifyResult = await verify_receipt(receipt, trust=b"{}")
    finality: Optional[Finality] = result.finality
    bundle: Optional[bytes] = await orchestrator.bundle("o", with_runtime=True)
    client = AsyncClient()
    fetched: bytes = await client.bundle("o")
    async for event in client.events("o"):
        number: int = event.number
    async for order in client.list(status="completed"):
        name: str = order.order_id
    return await client.execute(OrderConfig("o", {}), timeout_seconds=5)

for event in Client().events("o"):
    kind: str = event.kind
again: OrderResult = verify_webhook({}, b"", "whsec_")
wrong: int = execute_skill_order_sync(OrderConfig("o", {}, {}))
"""


@pytest.fixture
def mypy(tmp_path):
    """Runs it where nothing but the installed package is found."""

    def run(module, *arguments):
        return subprocess.run([sys.executable, "-m", module, *arguments], capture_output=True, text=True, cwd=tmp_path)

    return run


def test_the_packages_pass_the_strictest_checks(mypy):
    packages = [part for package in PACKAGES for part in ("-p", package)]
    done = mypy("mypy", "--strict", "--python-version", "3.10", *packages)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_types_are_those_a_user_sees(mypy, tmp_path):
    program = tmp_path / "use.py"
    program.write_text(USE)
    done = mypy("mypy", "--strict", str(program))
    # One mistake is on purpose.
    wrong = USE.splitlines().index('wrong: int = execute_skill_order_sync(OrderConfig("o", {}, {}))') + 1
    lines = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert len(lines) == 1 and f"use.py:{wrong}: error: Incompatible types in assignment" in lines[0], done.stdout


def test_the_stubs_of_the_native_half_are_true(mypy):
    done = mypy("mypy.stubtest", "sre_runtime._native")
    assert done.returncode == 0, done.stdout + done.stderr
