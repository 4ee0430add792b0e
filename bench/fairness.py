"""What one vendor's manners do to the calls of another: p99 beside a slow one and beside a flood.

    python -m bench.fairness [--calls 4000] [--rounds 5] [--undisturbed]

The vendor that is measured answers after 20 ms, to 32 calls at a time.  Beside it are, in turns:
nobody; one that has 200 calls waiting for half a second each; one that answers 16 calls at a time
with 4 MiB each, as fast as it can.

A machine that does other things holds up whoever is busy, and so the calls beside a flood: with
`--undisturbed` the measured process and its vendor have real-time priority, if the user may.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

import trio
import uvloop

from bench.cores import pin
from bench.reaching import Calls, transports
from bench.subject import allow_many_files
from bench.upstream import Vendor, upstream

DELAY_MS = 20.0
CONCURRENCY = 32
WARM_UP = 500
MOST = 1.5
FLOOD = b"HTTP/1.1 200 OK\r\ncontent-length: 4194304\r\n\r\n" + b" " * 4_194_304


class Flooding(Vendor):
    def reply(self) -> bytes:
        return FLOOD


async def flood() -> None:
    pin(measured=False)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Flooding, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def flooding() -> Iterator[str]:
    command = [sys.executable, "-m", "bench.fairness", "--flood"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()


async def p99_ms(url: str, other: tuple[str, int] | None, calls: int) -> float:
    async with transports(2) as (transport, beside), trio.open_nursery() as nursery:
        if other is not None:
            nursery.start_soon(Calls(beside, *other).make_for_ever)
        ours = Calls(transport, url, CONCURRENCY)
        await ours.make(WARM_UP)
        ours.seconds.clear()
        await ours.make(calls)
        nursery.cancel_scope.cancel()
    return 1000 * sorted(ours.seconds)[calls * 99 // 100]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=4_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--undisturbed", action="store_true")
    parser.add_argument("--flood", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.flood:
        uvloop.run(flood())
        return
    pin(measured=True)
    allow_many_files()
    with flooding() as flood_url, upstream(500) as slow:
        if given.undisturbed:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        compare(flood_url, slow, given.calls, given.rounds)


def compare(flood_url: str, slow: str, calls: int, rounds: int) -> None:
    with upstream(DELAY_MS) as url:
        beside = {"alone": None, "slow": (slow, 200), "flood": (flood_url, 16)}
        found: dict[str, list[float]] = {name: [] for name in beside}
        for _ in range(rounds):
            for name, other in beside.items():
                found[name].append(trio.run(p99_ms, url, other, calls))
    alone = median(found["alone"])
    for name, values in found.items():
        shown = " ".join(f"{value:.1f}" for value in sorted(values))
        print(f"{name:6} p99 {median(values):6.1f} ms, x {median(values) / alone:.2f}   ({shown})")
    if any(median(values) > MOST * alone for values in found.values()):
        raise SystemExit("one vendor holds up another")


if __name__ == "__main__":
    main()
