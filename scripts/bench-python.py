#!/usr/bin/env python3
"""What the Python face costs: figures and ratios of one run, no judgement.

    cargo test --workspace --test python --no-run && scripts/test-python.sh --run python scripts/bench-python.py

The baseline is the same native module doing the same orders without Python in between: `Runtime.execute_many` runs them on the
pipeline's threads and answers how long that took. In a development build the crates of this repository are not optimised, the seam to
Python included: SRE_PYTHON_LIBRARY names the module of another build.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORD_COUNT = {"path": str(ROOT / "examples" / "word-count")}
INPUT = {"text": "to be or not to be"}
IMPORT = "import time; start = time.perf_counter(); import orchestrator; print((time.perf_counter() - start) * 1e3)"


def imports(runs: int) -> float:
    """Milliseconds to import `orchestrator` in a fresh process; the median."""
    took = [float(subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True).stdout) for _ in range(runs)]
    return statistics.median(took)


def main() -> None:
    orders = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    print(f"import orchestrator: {imports(11):.1f} ms (median of 11 processes; goal: at most 50)")
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        os.environ["SRE_DATA_DIR"] = folder
        measure(orders)


def measure(orders: int) -> None:
    from orchestrator import OrderConfig, execute_skill_order, execute_skill_order_sync
    from sre_runtime.pipeline import default_orchestrator

    names = iter(range(10**9))

    def configs(count: int) -> list[OrderConfig]:
        return [OrderConfig(f"bench-{next(names)}", WORD_COUNT, INPUT) for _ in range(count)]

    native = default_orchestrator()._runtime
    for config in configs(50):
        execute_skill_order_sync(config)

    # One order at a time, taking turns, so that noise hits all alike.
    alone = orders // 8
    rust, sync, coroutine = [], [], []

    async def one_by_one() -> None:
        for _ in range(alone):
            rust.append(native.execute_many(configs(1), 1))
            [config] = configs(1)
            start = time.perf_counter()
            execute_skill_order_sync(config)
            sync.append(time.perf_counter() - start)
            [config] = configs(1)
            start = time.perf_counter()
            await execute_skill_order(config)
            coroutine.append(time.perf_counter() - start)

    asyncio.run(one_by_one())
    base = statistics.median(rust)
    print(f"one order alone, median of {alone}, durable and verified:")
    for name, took in [("from Rust", rust), ("from Python, synchronous", sync), ("from Python, coroutine", coroutine)]:
        median = statistics.median(took)
        # Of neighbours in time, so that what else the machine does is in both.
        more = statistics.median(theirs - ours for theirs, ours in zip(took, rust))
        print(f"  {name:26} {median * 1e6:8.0f} µs   ratio {median / base:5.2f}   {more * 1e6:+7.0f} µs (median of the pairs)")

    async def gather(count: int) -> float:
        batch = configs(count)
        start = time.perf_counter()
        waiting = asyncio.Semaphore(64)

        async def run(config: OrderConfig) -> None:
            async with waiting:
                await execute_skill_order(config)

        await asyncio.gather(*map(run, batch))
        return time.perf_counter() - start

    rounds = 5
    rust, python, cores = [], [], []
    for _ in range(rounds):
        rust.append(native.execute_many(configs(orders // rounds), 64))
        before = time.process_time()
        took = asyncio.run(gather(orders // rounds))
        cores.append((time.process_time() - before) / took)
        python.append(took)
    rates = [orders / rounds / statistics.median(took) for took in (rust, python)]
    print(f"64 orders in flight, median of {rounds} rounds of {orders // rounds}:")
    print(f"  from Rust                  {rates[0]:8.0f} orders/s")
    print(f"  from Python, gather        {rates[1]:8.0f} orders/s   ratio {rates[1] / rates[0]:.2f} (goal: at least 0.80)")
    print(f"  processors used            {statistics.median(cores):8.2f}")


if __name__ == "__main__":
    main()
