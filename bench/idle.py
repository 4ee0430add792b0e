"""What connections cost that nobody uses: CPU while they are idle, and memory.

    python -m bench.idle [--seconds 60] [--connections 500]

They are kept for longer here than they are in earnest, so that all are there to the end.
"""

from __future__ import annotations

import argparse
import gc
import os
import time
from pathlib import Path

import trio

from bench.reaching import Calls, transports
from bench.subject import allow_many_files
from bench.upstream import upstream
from runtime.transport.reactor import connection

DELAY_MS = 500.0
"""Of the vendor, so that each call needs a connection of its own."""

MOST_CPU = 0.01


def resident() -> int:
    """Bytes of memory of this process."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def idle(url: str, seconds: float, connections: int) -> bool:
    async with transports(1) as (transport,):
        await Calls(transport, url, 1).make(1)
        before = resident()
        began = time.perf_counter()
        await Calls(transport, url, connections).make(connections)
        print(f"{transport!r}, opened within {time.perf_counter() - began - DELAY_MS / 1000:.2f} s")
        print(f"{(resident() - before) / connections / 1024:.1f} KiB a connection")
        cpu, began = time.process_time(), time.perf_counter()
        await trio.sleep(seconds)
        share = (time.process_time() - cpu) / (time.perf_counter() - began)
        print(f"{transport!r}: {100 * share:.3f} % of a core for {seconds:.0f} s")
        return share < MOST_CPU and repr(transport).endswith(f"{connections} idle>")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--connections", type=int, default=500)
    given = parser.parse_args()
    allow_many_files()
    connection.KEPT_S = given.seconds + 600
    with upstream(DELAY_MS) as url:
        if not trio.run(idle, url, given.seconds, given.connections):
            raise SystemExit("too much, or not all were kept")


if __name__ == "__main__":
    main()
