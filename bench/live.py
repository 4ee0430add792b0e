"""Ten thousand runs at once over the socket, all waiting for a slow vendor: what each keeps.

    python -m bench.live [--runs 10000] [--delay-ms 5000] [--connections 10]

Memory is the server's at its highest, less what it had before, the front end's share and that of
the connections to the vendor included.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop

from bench.cores import pin
from bench.engine.frames import Pipeline
from bench.engine.served import server
from bench.engine.setup import require_whole, written
from bench.subject import allow_many_files, cpu_seconds
from bench.upstream import upstream
from bench.workload import PROMPT

PLACES = 15_000
WARM_UP = 20
REACH_KIB, STRETCH_KIB = 16, 8
BODY = {"request": {"messages": [{"role": "user", "content": PROMPT}]}}


def resident_kib(process: int, line: str = "VmRSS") -> int:
    """Of a process: what it has now, or with `VmHWM` had at most."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.split(f"{line}:")[1].split()[0])


async def planned(pipelines: list[Pipeline], runs: int) -> list[float]:
    """So many runs at once; the seconds each took."""

    async def plan(number: int) -> float:
        began = time.perf_counter()
        answer: dict[str, Any] = await pipelines[number % len(pipelines)].plan(BODY)
        require_whole(answer["status"], len(answer["calls"]), answer["reasons"], 1)
        return time.perf_counter() - began

    return await asyncio.gather(*(plan(number) for number in range(runs)))


async def live(path: str, process: int, runs: int, connections: int) -> float:
    """Prints what was seen; the KiB that each run kept."""
    loop = asyncio.get_running_loop()
    pipelines = [await Pipeline.opened(path, loop) for _ in range(connections)]
    await planned(pipelines, WARM_UP)
    before, cpu, began = resident_kib(process), cpu_seconds(process), time.perf_counter()
    seconds = sorted(await planned(pipelines, runs))
    elapsed, used = time.perf_counter() - began, cpu_seconds(process) - cpu
    kept = (resident_kib(process, "VmHWM") - before) / runs
    print(f"{len(seconds)} of {runs} runs answered within {elapsed:.1f} s", end="; ")
    print(f"p50 {seconds[runs // 2]:.1f} s, longest {seconds[-1]:.1f} s")
    print(f"{1_000 * used / runs:.3f} ms of CPU a run")
    print(f"{kept:.1f} KiB a run (reach {REACH_KIB}, stretch {STRETCH_KIB})")
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--delay-ms", type=float, default=5_000)
    parser.add_argument("--connections", type=int, default=10)
    given = parser.parse_args()
    pin(measured=False)
    allow_many_files()
    with upstream(given.delay_ms) as url, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = str(folder / "socket")
        config = written(url, folder, places=PLACES)
        with server(config, "--socket", f"unix:{path}") as (process, _):
            kept = uvloop.run(live(path, process, given.runs, given.connections))
    if kept > REACH_KIB:
        raise SystemExit("too much")


if __name__ == "__main__":
    main()
