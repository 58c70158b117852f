"""What is refused, with the field that is at fault, before anything runs."""

from __future__ import annotations

import collections
import dataclasses
import enum
import gc
import sys

import pytest
from conftest import WORD_COUNT

from orchestrator import OrderConfig, SandboxConfig, execute_skill_order_sync
from sre_runtime import InvalidInput, InvalidOrder, InvalidSkill, InvalidType, SkillNotFound, SreError


class Str(str):
    pass


class Hostile:
    """Raises from every special method."""

    def __getattribute__(self, name):
        raise RuntimeError("hands off")

    def __str__(self):
        raise RuntimeError("hands off")

    __repr__ = __str__


class Number(enum.IntEnum):
    ONE = 1


def itself():
    value = {}
    value["list"] = [value]
    return value


def nested(levels):
    value = None
    for _ in range(levels):
        value = [value]
    return value


def explosion():
    value = ["x"]
    for _ in range(40):
        value = [value, value]
    return value


INPUTS = [
    (float("nan"), "input_data.text", ValueError, "NaN"),
    (float("inf"), "input_data.text", ValueError, "inf"),
    (float("-inf"), "input_data.text", ValueError, "inf"),
    (2**53 + 1, "input_data.text", ValueError, "2**53"),
    (-(10**5000), "input_data.text", ValueError, "2**53"),
    (2**60 + 1, "input_data.text", ValueError, "2**53"),
    (b"bytes", "input_data.text", TypeError, "found bytes"),
    (bytearray(), "input_data.text", TypeError, "found bytearray"),
    ({1}, "input_data.text", TypeError, "found set"),
    (1j, "input_data.text", TypeError, "found complex"),
    (object, "input_data.text", TypeError, "found type"),
    (Hostile(), "input_data.text", TypeError, "found Hostile"),
    (Number.ONE, "input_data.text", TypeError, "int(...)"),
    (Str("x"), "input_data.text", TypeError, "str(...)"),
    (collections.OrderedDict(), "input_data.text", TypeError, "dict(...)"),
    ([collections.UserDict()], "input_data.text[0]", TypeError, "found UserDict"),
    ({"a": [0, {"b c": {1}}]}, 'input_data.text.a[1]["b c"]', TypeError, "found set"),
    ({1: 2}, "input_data.text", TypeError, "key of type int"),
    ({None: 2}, "input_data.text", TypeError, "key of type NoneType"),
    ({Str("k"): 2}, "input_data.text", TypeError, "key of type Str"),
    ("\ud800", "input_data.text", ValueError, "surrogate"),
    ({"\udfff": 1}, "input_data.text", ValueError, "surrogate"),
    (itself(), "input_data.text.list[0]", ValueError, "contains itself"),
    (nested(200), "input_data.text" + "[0]" * 126, ValueError, "deeper than 127"),
    (explosion(), "input_data", ValueError, "larger than"),
]


# By number: pytest itself would ask the hostile ones for their names.
@pytest.mark.parametrize("index", range(len(INPUTS)))
def test_a_value_that_json_cannot_hold_is_refused_where_it_stands(index, data_dir):
    value, field, kind, says = INPUTS[index]
    with pytest.raises(kind) as refused:
        execute_skill_order_sync(OrderConfig("o", WORD_COUNT, {"text": value}))
    assert isinstance(refused.value, InvalidOrder)
    assert refused.value.field == field
    assert str(refused.value).startswith(f"{field}: ") and says in str(refused.value)
    assert not data_dir.exists()


WRONG = [None, float("nan"), float("inf"), 10**400, -1, b"x", {1}, itself(), {1: 1}, "\ud800", Str("x"), Hostile(), [], ()]
FIELDS = [field.name for field in dataclasses.fields(OrderConfig)]
SANDBOX_FIELDS = [field.name for field in dataclasses.fields(SandboxConfig)]
ALLOWED = {
    ("callback_url", 0),  # None is the default
    ("sandbox_config", 0),
    ("invocation", 0),
    ("priority", 4),  # may be negative
}


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_of_an_order_refuses_what_is_wrong_and_names_itself(name, data_dir):
    for index, value in enumerate(WRONG):
        if (name, index) in ALLOWED:
            continue
        config = dataclasses.replace(OrderConfig("o", WORD_COUNT, {"text": "x"}), **{name: value})
        with pytest.raises((TypeError, ValueError)) as refused:
            execute_skill_order_sync(config)
        assert isinstance(refused.value, SreError), (name, index)
        assert refused.value.field.startswith(name), (name, index, str(refused.value))
    assert not data_dir.exists()


@pytest.mark.parametrize("name", SANDBOX_FIELDS)
def test_every_field_of_a_sandbox_configuration_refuses_what_is_wrong_and_names_itself(name, data_dir):
    for index, value in enumerate(WRONG):
        if value is None:
            continue
        config = OrderConfig("o", WORD_COUNT, {"text": "x"}, sandbox_config=SandboxConfig(**{name: value}))
        with pytest.raises((TypeError, ValueError)) as refused:
            execute_skill_order_sync(config)
        assert isinstance(refused.value, SreError), (name, index)
        assert refused.value.field.startswith(f"sandbox_config.{name}"), (name, index, str(refused.value))
    assert not data_dir.exists()


def test_what_is_no_order_config_is_refused():
    for config in [None, {}, "o", Hostile(), OrderConfig]:
        with pytest.raises(InvalidType, match="^config: must be an OrderConfig"):
            execute_skill_order_sync(config)


@pytest.mark.parametrize(
    ("change", "kind", "code"),
    [
        ({"order_id": "-x"}, InvalidOrder, "order_invalid"),
        ({"order_id": "x" * 129}, InvalidOrder, "order_invalid"),
        ({"skill_package": {"path": "no/such/place"}}, SkillNotFound, "skill_unreadable"),
        ({"skill_package": {}}, InvalidSkill, "skill_invalid"),
        ({"skill_package": {"path": 1}}, InvalidSkill, "skill_invalid"),
        ({"input_data": {"text": 5}}, InvalidInput, "input_schema"),
        ({"input_data": {str(n): n for n in range(21)}}, InvalidOrder, "order_invalid"),
        ({"input_data": {"text": "x" * 100_001}}, InvalidOrder, "order_invalid"),
        ({"timeout_seconds": 0}, InvalidOrder, "order_invalid"),
        ({"timeout_seconds": 10**6}, InvalidOrder, "order_invalid"),
        ({"timeout_seconds": True}, InvalidType, "invalid_type"),
        ({"max_retries": 11}, InvalidOrder, "order_invalid"),
        ({"max_retries": 1.0}, InvalidType, "invalid_type"),
        ({"callback_url": "ftp://example.com"}, InvalidOrder, "order_invalid"),
        ({"callback_url": "no url"}, InvalidOrder, "order_invalid"),
        ({"sandbox_config": {"fuel": 1}}, InvalidType, "invalid_type"),
        ({"sandbox_config": SandboxConfig(backend="docker")}, InvalidSkill, "skill_rejected"),
        ({"sandbox_config": SandboxConfig(network_disabled=False)}, InvalidOrder, "order_invalid"),
    ],
)
def test_each_refusal_has_its_class_and_code(change, kind, code, data_dir):
    config = dataclasses.replace(OrderConfig("o", WORD_COUNT, {"text": "x"}), **change)
    with pytest.raises(kind) as refused:
        execute_skill_order_sync(config)
    assert refused.value.code == code
    assert not data_dir.exists()


def test_a_hundred_thousand_refusals_leak_nothing():
    marker = "a text that is counted"
    payload = {"text": [marker, {marker}]}
    config = OrderConfig("o", WORD_COUNT, payload)
    for _ in range(100):
        with pytest.raises(InvalidType):
            execute_skill_order_sync(config)
    gc.collect()
    before = (sys.getrefcount(marker), sys.getrefcount(payload), len(gc.get_objects()))
    for _ in range(100_000):
        try:
            execute_skill_order_sync(config)
        except InvalidType:
            pass
    gc.collect()
    after = (sys.getrefcount(marker), sys.getrefcount(payload), len(gc.get_objects()))
    assert after[:2] == before[:2]
    assert after[2] - before[2] < 100
