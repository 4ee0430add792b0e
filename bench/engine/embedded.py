"""The engine inside the measured process, its books on disk or in memory.

python -m bench.engine.embedded URL disk|memory
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from threading import Semaphore
from typing import Any

from bench.engine.setup import VOTE, settings
from bench.subject import Crowd, be_measured, serve
from bench.workload import PROMPT
from runtime import PlanError, Planhub, PlanResult
from runtime.config import complete, parse

CALLS = 4
WITHIN_S = 120.0


class Host:
    """A program that embeds a hub and begins runs from its own thread."""

    def __init__(self, hub: Planhub, **fields: Any) -> None:
        self.hub = hub
        self.fields = fields

    def votes(self, votes: int, concurrency: int) -> Crowd:
        places = Semaphore(concurrency)
        seconds, failures = [], []
        futures = []
        for _ in range(votes):
            if not places.acquire(timeout=WITHIN_S):
                raise TimeoutError(f"no answer in {WITHIN_S} s")
            began = time.perf_counter()
            future = self.hub.submit(PROMPT, **self.fields)

            def ended(_: Any, began: float = began) -> None:
                seconds.append(time.perf_counter() - began)
                places.release()

            future.add_done_callback(ended)
            futures.append(future)
        for future in futures:
            try:
                failures += amiss(future.result(WITHIN_S))
            except PlanError as error:
                failures.append(repr(error))
        return Crowd(seconds, failures)


def amiss(result: PlanResult) -> list[str]:
    """What is wrong with an answer that came: nothing may be, where the vendor always answers."""
    if result.status == "complete" and len(result.calls) == CALLS:
        return []
    return [f"{result.status}: {result.reasons}, {len(result.calls)} calls"]


def main() -> None:
    url = be_measured()
    config = complete(parse(settings(url)), {})
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "bench.db" if sys.argv[2] == "disk" else None
        with Planhub.open(config, database=database) as hub:
            serve(Host(hub, **VOTE).votes)


if __name__ == "__main__":
    main()
