"""The examples of the documentation do what they show."""

from __future__ import annotations

import ast
import asyncio
import doctest
import inspect
import json

import pytest
from conftest import ROOT

import sre_runtime
from sre_runtime import errors

PAGE = ROOT / "docs" / "how-to" / "use-from-python.md"
EXCEPTIONS = ROOT / "docs" / "reference" / "python-package.md"


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def test_the_examples_of_the_page():
    failed, run = doctest.testfile(str(PAGE), module_relative=False)
    assert run > 15 and failed == 0


def test_the_example_of_the_package():
    failed, run = doctest.testmod(sre_runtime)
    assert run > 0 and failed == 0


def test_the_notebook_runs_from_top_to_bottom():
    notebook = json.loads((ROOT / "docs" / "how-to" / "use-from-python.ipynb").read_text())
    names: dict[str, object] = {}

    async def main():
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                code = compile("".join(cell["source"]), "cell", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
                running = eval(code, names)
                if inspect.isawaitable(running):
                    await running

    asyncio.run(main())
    assert names["result"].output["words"] == 6


def test_every_exception_stands_on_the_page():
    page = EXCEPTIONS.read_text()
    named = [name for name in sre_runtime.__all__ if inspect.isclass(getattr(sre_runtime, name)) and issubclass(getattr(sre_runtime, name), errors.SreError)]
    missing = [name for name in named if f"`{name}`" not in page]
    assert missing == ["SreError"] or missing == []
