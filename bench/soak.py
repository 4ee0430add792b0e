"""Many votes at once, again and again: is anything left behind, does anything grow?

    python -m bench.soak [--votes 1000] [--rounds 10] [--delay-ms 2] [--on-disk]

Each round begins all its votes (three voters and a judge, four calls to the simulated vendor)
before it waits for the first answer.  Between rounds nothing should be left of them: no money
held, no actor, timer, task, thread or file more than before, and no more memory once the runs
that are kept for those who ask later (the last thousand) are there.
"""

from __future__ import annotations

import argparse
import gc
import os
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import trio

from runtime import Planhub, PlanResult
from runtime.config import Config, complete, parse
from runtime.kernel import Future

PROMPT = "Design a REST API for a task management app"
WITHIN_S = 300.0


class Standing(NamedTuple):
    """What there is of an engine at rest."""

    held_nano: int
    cells: int
    asks: int
    mailboxed: int
    tasks: int
    threads: int
    files: int


def configuration(votes: int, delay_ms: float = 0.0) -> Config:
    """The simulated vendor, with room for all votes at once."""
    vendor = {
        "id": "simulated",
        "dialect": "simulated",
        "max_concurrency": 4 * votes,
        "max_waiting": 4 * votes,
        "simulated": {"delay_ms": delay_ms, "seed": 1},
    }
    return complete(parse({"providers": [vendor]}), {})


def vote(hub: Planhub, votes: int) -> list[PlanResult]:
    """All of them at once; raises what the first failed one ended in."""
    futures = [hub.submit(PROMPT, mode="vote", seed=seed) for seed in range(votes)]
    return [future.result(WITHIN_S) for future in futures]


def standing(hub: Planhub) -> Standing:
    """How it stands now; what has ended is collected first."""
    gc.collect()
    held = sum(account.held_nano for account in hub.ledger().accounts)
    inside: Future[tuple[int, int, int, int]] = Future()
    hub.engine.host.call_soon(lambda: inside.set(_inside(hub)))
    return Standing(
        held, *inside.get(WITHIN_S), threading.active_count(), len(os.listdir("/dev/fd"))
    )


def _inside(hub: Planhub) -> tuple[int, int, int, int]:
    """On the engine's thread; its own temporary address is not counted."""
    kernel = hub.engine.system.statistics()
    tasks = trio.lowlevel.current_statistics().tasks_living
    return kernel.cells, kernel.asks, kernel.mailboxed, tasks


def memory_mib() -> float:
    """The memory that is resident now, on Linux."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def soak(hub: Planhub, votes: int, rounds: int) -> Sequence[tuple[Standing, float]]:
    """Prints a line a round; what stood and the memory after each."""
    print(
        f"{'round':>5} {'answered':>8} {'seconds':>8} {'held':>5} {'cells':>6} {'asks':>5}"
        f" {'queued':>6} {'tasks':>6} {'threads':>7} {'files':>6} {'MiB':>7}"
    )
    seen: list[tuple[Standing, float]] = []
    for number in range(1, rounds + 1):
        began = time.perf_counter()
        answered = sum(result.status == "complete" for result in vote(hub, votes))
        elapsed = time.perf_counter() - began
        now, memory = standing(hub), memory_mib()
        seen.append((now, memory))
        print(
            f"{number:>5} {answered:>8} {elapsed:>8.2f} {now.held_nano:>5} {now.cells:>6}"
            f" {now.asks:>5} {now.mailboxed:>6} {now.tasks:>6} {now.threads:>7} {now.files:>6}"
            f" {memory:>7.1f}"
        )
    return seen


def verdict(seen: Sequence[tuple[Standing, float]]) -> str:
    """What grew from the second round to the last, as a sentence."""
    (first, memory_then), (last, memory_now) = seen[1], seen[-1]
    grown = [
        f"{name}: {then} -> {now}"
        for name, then, now in zip(Standing._fields, first, last, strict=True)
        if now > then
    ]
    ratio = memory_now / memory_then
    if ratio > 1.15:
        grown.append(f"memory: {memory_then:.1f} -> {memory_now:.1f} MiB")
    return f"GROWN: {'; '.join(grown)}" if grown else f"nothing grew (memory x {ratio:.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--votes", type=int, default=1_000, help="at once")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--delay-ms", type=float, default=2.0, help="of the vendor")
    parser.add_argument("--on-disk", action="store_true", help="with a database")
    given = parser.parse_args()
    if given.rounds < 2:
        parser.error("growth shows from the second round on: --rounds must be at least 2")
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "soak.db" if given.on_disk else None
        config = configuration(given.votes, given.delay_ms)
        with Planhub.open(config, database=database) as hub:
            print(verdict(soak(hub, given.votes, given.rounds)))


if __name__ == "__main__":
    main()
