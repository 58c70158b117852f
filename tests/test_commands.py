"""Programs of a package run as commands, from Python."""

from __future__ import annotations

import pathlib

import pytest

import sre_runtime
from sre_runtime import Invocation, OrderConfig, run_skill

SCRIPT = """
import pathlib, sys
names = sorted(path.name for path in pathlib.Path("raw").iterdir())
pathlib.Path("out").mkdir()
pathlib.Path("out/names.csv").write_text("name\\n" + "\\n".join(names))
pathlib.Path("out/bytes.bin").write_bytes(bytes(range(256)))
print(len(names), sys.argv[1:], sys.stdin.read())
sys.exit(len(names))
"""


@pytest.fixture
def skill(tmp_path: pathlib.Path) -> pathlib.Path:
    folder = tmp_path / "skill"
    (folder / "scripts").mkdir(parents=True)
    (folder / "SKILL.md").write_text("---\nname: names\ndescription: A test.\nauthor: me\n---\n")
    (folder / "scripts" / "names.py").write_text(SCRIPT)
    return folder


def test_a_command_leaves_files_that_can_be_read(skill: pathlib.Path) -> None:
    result = run_skill(
        skill,
        "scripts/names.py",
        "a",
        "b c",
        stdin="text",
        work={"raw/x.txt": "1", "raw/y.txt": b"\xff"},
        accept_exit=[2],
    )
    assert (result.status, result.exit_code) == ("completed", 2), result.error_message
    assert result.stdout is not None
    assert result.stdout.text == "2 ['a', 'b c'] text\n"
    assert {path: file.change for path, file in result.files.items()} == {"out/bytes.bin": "added", "out/names.csv": "added"}
    assert result.files["out/names.csv"].read_text() == "name\nx.txt\ny.txt"
    assert result.files["out/bytes.bin"].read_bytes() == bytes(range(256))
    shown = result._repr_html_()
    assert "<td>x.txt</td>" in shown and "bytes.bin" in shown


def test_a_folder_and_what_an_order_left_are_given(skill: pathlib.Path, tmp_path: pathlib.Path) -> None:
    work = tmp_path / "work"
    (work / "raw").mkdir(parents=True)
    (work / "raw" / "one").write_text("1")
    first = run_skill(skill, "scripts/names.py", work=work, accept_exit="any", order_id="first-of-two")
    assert first.exit_code == 1
    (skill / "scripts" / "next.py").write_text("print(open('out/names.csv').read())")
    second = run_skill(skill, "scripts/next.py", work={"order": "first-of-two"})
    assert second.stdout is not None and second.stdout.text == "name\none\n"


def test_what_cannot_be_an_invocation_is_refused_by_name(skill: pathlib.Path) -> None:
    for invocation, part in [
        (Invocation("scripts/missing.py"), "missing.py"),
        (Invocation("scripts/names.py", env={"LD_PRELOAD": "x"}), "LD_PRELOAD"),
        (Invocation("scripts/names.py", work={"../x": "1"}), "../x"),
        ({"entri": "x"}, "entri"),
        (5, "invocation"),
    ]:
        config = OrderConfig("refused", {"path": str(skill)}, invocation=invocation)  # type: ignore[arg-type]
        with pytest.raises(sre_runtime.InvalidOrder) as refused:
            sre_runtime.execute_skill_order_sync(config)
        assert part in str(refused.value)
