"""The specification's verification block, to the letter, and the package's own promises about its shape."""

from __future__ import annotations

import importlib
import inspect
import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import sre_runtime
from sre_runtime import errors

ROOT = Path(__file__).parent.parent

# As it stands in the specification.
BLOCK = """\
cd sre-runtime
python -c "from orchestrator import execute_skill_order, OrderConfig, OrderResult; print('AC-01: PASS')"
python -m pytest tests/test_orchestrator.py -v
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The report that the script writes now: it runs the block."""
    output = tmp_path_factory.mktemp("report") / "report.json"
    script = ROOT / "scripts" / "report-python.py"
    done = subprocess.run([sys.executable, script, "--output", output], capture_output=True, text=True)
    report = json.loads(output.read_text())
    assert done.returncode == 0, json.dumps(report, indent=2) + done.stderr
    return report


def test_the_verification_block_runs_verbatim(made):
    commands = [run["command"] for run in made["verification"]]
    assert "\n".join(["cd sre-runtime", *commands]) + "\n" == BLOCK
    assert [run["exit_code"] for run in made["verification"]] == [0, 0]
    assert made["verification"][0]["last_lines"] == ["AC-01: PASS"]


def test_the_committed_report_claims_what_still_passes(made):
    committed = json.loads((ROOT / ".project_state" / "reports" / "P2-ORCHESTRATOR_report.json").read_text())
    advice = "run scripts/test-python.sh --run python scripts/report-python.py"
    assert committed["status"] == made["status"] == "passed"
    assert committed["criteria"] == made["criteria"], advice
    assert list(made["criteria"]) == ["AC-01", "AC-02", "AC-03", "AC-04", "AC-05"]
    for then, now in zip(committed["verification"], made["verification"], strict=True):
        assert (then["command"], then["exit_code"]) == (now["command"], now["exit_code"]), advice


ERRORS = [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, errors.SreError)]


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_every_exception_is_exported_and_survives_a_process_boundary(kind):
    assert getattr(sre_runtime, kind.__name__) is kind and kind.__doc__
    error = kind("something is wrong", "a_code", "a.field")
    back = pickle.loads(pickle.dumps(error))
    assert (type(back), str(back), back.code, back.field) == (kind, "something is wrong", "a_code", "a.field")
    assert str(error) == "something is wrong"


@pytest.mark.parametrize("name", ["sre_runtime", "orchestrator", "committer", "verifier", "executor", "da"])
def test_every_package_is_typed_and_exports_what_it_lists(name):
    package = importlib.import_module(name)
    assert (Path(package.__file__).parent / "py.typed").exists()
    assert sorted(package.__all__) == list(package.__all__) and all(hasattr(package, each) for each in package.__all__)


def test_every_coroutine_has_a_twin_with_the_same_arguments():
    for name in sre_runtime.__all__:
        function = getattr(sre_runtime, name)
        if inspect.iscoroutinefunction(function) and name != "execute_skill_orders":
            twin = getattr(sre_runtime, f"{name}_sync")
            assert inspect.signature(twin) == inspect.signature(function), name
