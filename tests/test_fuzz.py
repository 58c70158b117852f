"""Any value in any parameter of any public function: an exception of this package that names the parameter, or an answer.

Never a panic (which is no `Exception`), a `SystemError`, an abort, or another exception. `SRE_FUZZ_EXAMPLES` asks for more.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import inspect
import os

import pytest

hypothesis = pytest.importorskip("hypothesis")
from conftest import RETURNING, WORD_COUNT  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

import sre_runtime as sre  # noqa: E402
from sre_runtime import (  # noqa: E402
    AsyncClient,
    Client,
    CommitResult,
    InvalidOrder,
    NativeConfig,
    Orchestrator,
    OrderConfig,
    OrderResult,
    Receipt,
    SandboxConfig,
    SreError,
)

EXAMPLES = int(os.environ.get("SRE_FUZZ_EXAMPLES", "60"))
NO_SERVICE = "http://127.0.0.1:1"


class Hostile:
    def __getattribute__(self, name):
        raise RuntimeError("hands off")

    def __eq__(self, other):
        raise RuntimeError("hands off")

    __hash__ = None

    def __str__(self):
        raise RuntimeError("hands off")

    __repr__ = __str__


class Text(str):
    pass


def cyclic():
    value: dict = {"a": 1}
    value["b"] = [value]
    return value


# Made anew for each example, by a function, because hypothesis looks at values, and looking at these raises.
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=2**62, max_value=2**70),
    st.floats(),
    st.text(st.characters(exclude_categories=[]), max_size=20),
    st.sampled_from(["", "\ud800", "a\0b", "o", "-1", "512m", "../x", "x" * 200, "http://\0", "da:sha256:" + "0" * 64]),
    st.binary(max_size=20),
)
PLAIN = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(st.text(max_size=5), st.integers()), inner, max_size=3)
    ),
    max_leaves=8,
)
MAKERS = {
    "plain": lambda value: value,
    "hostile": lambda value: Hostile(),
    "in a list": lambda value: [value, Hostile()],
    "subclass": lambda value: Text("x"),
    "ordered": lambda value: collections.OrderedDict(a=value),
    "tuple": lambda value: (value,),
    "cyclic": lambda value: cyclic(),
    "class": lambda value: dict,
    "function": lambda value: lambda *_: value,
    "set": lambda value: {1, 2},
    "bytes": lambda value: bytearray(b"x"),
    "complex": lambda value: 1j,
    "generator": lambda value: (each for each in [value]),
}


def order(**changes):
    return dataclasses.replace(OrderConfig("o", RETURNING), **changes)


def now(value):
    """Runs what is to be awaited or walked through."""
    if inspect.isasyncgen(value):
        return asyncio.run(value.__anext__())
    if inspect.isgenerator(value):
        return next(value, None)
    return asyncio.run(value) if inspect.iscoroutine(value) else value


CLAIM = CommitResult("o")
# Every parameter of every public function, and a call that has a value there.
CALLS = {
    **{f"OrderConfig.{f.name}": lambda v, n=f.name: sre.execute_skill_order_sync(order(**{n: v})) for f in dataclasses.fields(OrderConfig)},
    **{
        f"SandboxConfig.{f.name}": lambda v, n=f.name: sre.execute_skill_order_sync(order(sandbox_config=SandboxConfig(**{n: v})))
        for f in dataclasses.fields(SandboxConfig)
    },
    **{f"NativeConfig.{f.name}": lambda v, n=f.name: Orchestrator(native=NativeConfig(**{n: v})) for f in dataclasses.fields(NativeConfig)},
    **{f"CommitResult.{f.name}": lambda v, n=f.name: sre.verify_result_sync(dataclasses.replace(CLAIM, **{n: v})) for f in dataclasses.fields(CommitResult)},
    "execute_skill_order(config)": lambda v: now(sre.execute_skill_order(v)),
    "execute_skill_order_sync(config)": lambda v: sre.execute_skill_order_sync(v),
    "run_skill(skill)": lambda v: sre.run_skill(v, "main.wat"),
    "run_skill(entry)": lambda v: sre.run_skill(WORD_COUNT["path"], v),
    "run_skill(env)": lambda v: sre.run_skill(WORD_COUNT["path"], env=v),
    "run_skill(accept_exit)": lambda v: sre.run_skill(WORD_COUNT["path"], accept_exit=v),
    "run_skill(order_id)": lambda v: sre.run_skill(WORD_COUNT["path"], order_id=v),
    "execute_skill_orders(configs)": lambda v: now(sre.execute_skill_orders(v)),
    "execute_skill_orders(orchestrator)": lambda v: now(sre.execute_skill_orders([], orchestrator=v)),
    "Orchestrator(data_dir)": lambda v: Orchestrator(data_dir=v),
    "Orchestrator(cache_dir)": lambda v: Orchestrator(cache_dir=v),
    "Orchestrator(commit_result)": lambda v: Orchestrator(commit_result=v),
    "Orchestrator(verify_result)": lambda v: Orchestrator(verify_result=v),
    "Orchestrator(native)": lambda v: Orchestrator(native=v),
    "Orchestrator.result(order_id)": lambda v: now(Orchestrator().result(v)),
    "Orchestrator.receipt(order_id)": lambda v: now(Orchestrator().receipt(v)),
    "Orchestrator.bundle(order_id)": lambda v: now(Orchestrator().bundle(v)),
    "Orchestrator.bundle(with_runtime)": lambda v: Orchestrator().bundle_sync("never", with_runtime=v),
    "register_failure_callback(callback)": lambda v: Orchestrator().register_failure_callback(v),
    "register_success_callback(callback)": lambda v: Orchestrator().register_success_callback(v),
    "verify_receipt(receipt)": lambda v: sre.verify_receipt_sync(v),
    "verify_receipt(Receipt)": lambda v: sre.verify_receipt_sync(Receipt(v, v)),
    "verify_receipt(proof)": lambda v: now(sre.verify_receipt(b"", proof=v)),
    "verify_receipt(trust)": lambda v: sre.verify_receipt_sync(b"", trust=v),
    "verify_receipt(require_proof)": lambda v: sre.verify_receipt_sync(b"", require_proof=v),
    "verify_receipt(witnesses)": lambda v: sre.verify_receipt_sync(b"", witnesses=v),
    "commit_result(order_id)": lambda v: sre.commit_result_sync(v, RETURNING, {}),
    "commit_result(skill_package)": lambda v: sre.commit_result_sync("o", v, {}),
    "commit_result(input_data)": lambda v: now(sre.commit_result("o", RETURNING, v)),
    "commit_result(sandbox_config)": lambda v: sre.commit_result_sync("o", RETURNING, {}, v),
    "verify_result(claim)": lambda v: now(sre.verify_result(v)),
    "verify_result(OrderResult)": lambda v: sre.verify_result_sync(OrderResult("o", "completed", v, None, 0, output=v)),
    "execute_in_sandbox(skill_package)": lambda v: sre.execute_in_sandbox_sync(v),
    "execute_in_sandbox(input_data)": lambda v: now(sre.execute_in_sandbox(RETURNING, v)),
    "execute_in_sandbox(config)": lambda v: sre.execute_in_sandbox_sync(RETURNING, {}, v),
    "execute_in_sandbox(order_id)": lambda v: sre.execute_in_sandbox_sync(RETURNING, order_id=v),
    "store_result(value)": lambda v: sre.store_result_sync(v),
    "fetch_result(uri)": lambda v: now(sre.fetch_result(v)),
    "store_bytes(data)": lambda v: sre.store_bytes_sync(v),
    "fetch_bytes(uri)": lambda v: sre.fetch_bytes_sync(v),
    "Client(server)": lambda v: Client(v),
    "Client(token)": lambda v: Client(NO_SERVICE, v),
    "Client(timeout_seconds)": lambda v: Client(NO_SERVICE, timeout_seconds=v),
    "Client.submit(config)": lambda v: Client(NO_SERVICE).submit(v),
    "Client.execute(timeout_seconds)": lambda v: Client(NO_SERVICE).execute(order(), timeout_seconds=v),
    "Client.result(order_id)": lambda v: Client(NO_SERVICE).result(v),
    "Client.result(wait_seconds)": lambda v: Client(NO_SERVICE).result("o", wait_seconds=v),
    "Client.wait(order_id)": lambda v: now(AsyncClient(NO_SERVICE).wait(v)),
    "Client.wait(timeout_seconds)": lambda v: now(AsyncClient(NO_SERVICE).wait("o", timeout_seconds=v)),
    "Client.cancel(order_id)": lambda v: Client(NO_SERVICE).cancel(v),
    "Client.bundle(order_id)": lambda v: Client(NO_SERVICE).bundle(v),
    "Client.bundle(with_runtime)": lambda v: now(AsyncClient(NO_SERVICE).bundle("o", with_runtime=v)),
    "Client.list(status)": lambda v: now(AsyncClient(NO_SERVICE).list(status=v)),
    "Client.list(skill)": lambda v: now(Client(NO_SERVICE).list(skill=v)),
    "Client.events(after)": lambda v: Client(NO_SERVICE)._service.events("o", v),
    "Client.events(order_id)": lambda v: Client(NO_SERVICE)._service.events(v, 0),
    "Client.verify(claim)": lambda v: Client(NO_SERVICE).verify(v),
    "verify_webhook(headers)": lambda v: sre.verify_webhook(v, b"", "whsec_AAAA"),
    "verify_webhook(body)": lambda v: sre.verify_webhook({}, v, "whsec_AAAA"),
    "verify_webhook(secret)": lambda v: sre.verify_webhook({}, b"", v),
    "verify_webhook(tolerance_seconds)": lambda v: sre.verify_webhook({}, b"", "whsec_AAAA", tolerance_seconds=v),
    "verify_webhook(now)": lambda v: sre.verify_webhook({}, b"", "whsec_AAAA", now=v),
}


# Where a value is part of something with a name of its own.
OF_OTHERS = ("order_id", "invocation", "sandbox_config", "commit_result", "native", "receipt", "proof", "config", "claim")


@pytest.mark.parametrize("name", CALLS)
def test_any_value_is_answered_or_refused_by_name(name):
    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(st.sampled_from(["plain"] * 8 + list(MAKERS)), PLAIN)
    def check(kind, plain):
        try:
            CALLS[name](MAKERS[kind](plain))
        except SreError as error:
            assert error.code and error.code != "internal", str(error)
            if isinstance(error, InvalidOrder):
                root = error.field.split(".")[0].split("[")[0]
                assert root in name or root in OF_OTHERS, (name, error.field)
        except TimeoutError:
            assert "timeout_seconds" in name

    check()


def test_every_public_function_is_here():
    tested = " ".join(CALLS)
    functions = [name for name in sre.__all__ if inspect.isfunction(getattr(sre, name))]
    missing = [name for name in functions if name.removesuffix("_sync") not in tested and not name.startswith("clear_")]
    assert missing == []
