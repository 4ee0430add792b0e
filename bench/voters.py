"""Throughput of parallel voters: one request, three voters, one judge, a durable ledger.

    python -m bench.voters [--votes 200] [--concurrency 1 8 32 128] [--rounds 3]

Each orchestration is four calls to a vendor on this machine that answers at once.  CPU is that of
this process, all threads, user and system; the vendor has a process of its own.  The concurrencies
take turns, round after round, and the median round is printed with the range, because machines
are shared: compare the rows of one run with each other, not with those of another.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from threading import Semaphore
from typing import NamedTuple

from bench.upstream import upstream
from runtime.config import Config, complete, parse
from runtime.planhub import Planhub

PROMPT = "Design a REST API for a task management app. " * 40
MODELS = ("alpha", "beta", "gamma", "delta")


class Figures(NamedTuple):
    per_second: float
    cpu_ms: float


def configuration(url: str, concurrency: int) -> Config:
    vendor = {
        "id": "bench",
        "dialect": "openai",
        "base_url": url,
        "max_concurrency": concurrency,
        "max_waiting": 100_000,
    }
    models = [
        {
            "id": name,
            "provider": "bench",
            "weight": 9 - place,
            "context_tokens": 128_000,
            "input_usd_per_mtok": 1.0 + place,
            "output_usd_per_mtok": 3.0 + place,
        }
        for place, name in enumerate(MODELS)
    ]
    return complete(parse({"providers": [vendor], "models": models}), {})


def run(hub: Planhub, votes: int, concurrency: int) -> Figures:
    """`votes` orchestrations, `concurrency` of them at a time."""
    places = Semaphore(concurrency)
    futures = []
    began, cpu = time.perf_counter(), time.process_time()
    for _ in range(votes):
        places.acquire()
        future = hub.submit(PROMPT, mode="vote")
        future.add_done_callback(lambda _: places.release())
        futures.append(future)
    for future in futures:
        result = future.result(120)
        assert result.status == "complete", result.reasons
        assert len(result.calls) == 4
    elapsed, used = time.perf_counter() - began, time.process_time() - cpu
    return Figures(votes / elapsed, 1000 * used / votes)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--votes", type=int, default=200, help="orchestrations a round")
    parser.add_argument("--concurrency", type=int, nargs="+", default=[1, 8, 32, 128])
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    rounds: dict[int, list[Figures]] = {level: [] for level in given.concurrency}
    with upstream() as url, tempfile.TemporaryDirectory() as folder:
        config = configuration(url, 3 * max(given.concurrency))
        with Planhub.open(config, database=Path(folder) / "bench.db") as hub:
            run(hub, 20, 4)
            for _ in range(given.rounds):
                for level in given.concurrency:
                    rounds[level].append(run(hub, given.votes, level))
    print(
        f"vote, 3 voters and a judge; {given.votes} orchestrations a round, {given.rounds} rounds"
    )
    print(f"{'concurrent':>10} {'orchestrations/s':>18} {'CPU ms each':>12} {'(min-max)':>14}")
    for level, figures in rounds.items():
        cpu = sorted(f.cpu_ms for f in figures)
        rate = statistics.median(f.per_second for f in figures)
        spread = f"({cpu[0]:.2f}-{cpu[-1]:.2f})"
        print(f"{level:>10} {rate:>18.0f} {statistics.median(cpu):>12.2f} {spread:>14}")


if __name__ == "__main__":
    main()
