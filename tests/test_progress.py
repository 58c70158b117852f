"""Long work shows that it moves, to people."""

from __future__ import annotations

import os
import threading

import pytest
from test_asyncio import TIME_LIMIT_SECONDS, in_a_process

PROGRESS = """
    asyncio.run(execute_skill_orders(order(f"shown-{n}") for n in range(3)))
    print("done")
"""


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="no terminals on this platform")
def test_progress_is_shown_on_a_terminal_and_nowhere_else():
    pytest.importorskip("tqdm")
    assert in_a_process(PROGRESS).stderr == ""
    ours, theirs = os.openpty()
    shown: list[bytes] = []

    def read():
        try:
            while part := os.read(ours, 65536):
                shown.append(part)
        except OSError:  # the other side is closed
            pass

    reader = threading.Thread(target=read)
    reader.start()
    try:
        done = in_a_process(PROGRESS, stderr=theirs)
    finally:
        os.close(theirs)
        reader.join(TIME_LIMIT_SECONDS)
        os.close(ours)
    assert done.stdout == "done\n"
    assert b"0/3 [" in b"".join(shown) and b"order" in b"".join(shown)


def test_many_orders_run_without_the_progress_bar_s_package():
    done = in_a_process('    sys.modules["tqdm"] = sys.modules["tqdm.auto"] = None' + PROGRESS)
    assert (done.stdout, done.stderr) == ("done\n", "")
