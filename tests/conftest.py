"""Every test has a data folder of its own, and the real pipeline."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
WORD_COUNT = {"path": str(ROOT / "examples" / "word-count")}


def script(source: str, **block):
    """A Python skill as an object."""
    return {"name": "script", "version": "1.0.0", "runtime": {"entrypoint": "main.py"}, "files": {"main.py": source}, **block}


def module(text: str, **block):
    """A WebAssembly skill as an object, from its text form. It needs no interpreter: nothing long is compiled."""
    return {"name": "module", "version": "1.0.0", "runtime": {"entrypoint": "main.wat"}, "files": {"main.wat": text}, **block}


# Exits with code 3.
FAILING = module(
    '(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))'
    ' (memory (export "memory") 1) (func (export "_start") (call $exit (i32.const 3))))'
)
# Never ends.
ENDLESS = module('(module (memory (export "memory") 1) (func (export "_start") (loop $again (br $again))))')


@pytest.fixture(autouse=True)
def data_dir(tmp_path, monkeypatch):
    folder = tmp_path / "data"
    monkeypatch.setenv("SRE_DATA_DIR", str(folder))
    yield folder


@pytest.fixture
def order_id():
    """A function that makes ids."""
    counter = itertools.count()
    return lambda: f"order-{os.getpid()}-{next(counter)}"
