"""The engine inside the measured process.

    python -m bench.engine.embedded URL disk|memory callbacks|thread vote|adversarial

`callbacks`: the end of one run begins the next, on the engine's own thread, so that nothing but the
engine is measured.  `thread`: a thread of the host begins them, as most programs do, and the two
threads share one interpreter.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from bench.engine.setup import MODES, require_whole, settings
from bench.subject import Crowd, Votes, be_measured, serve
from bench.workload import PROMPT
from runtime import PlanError, PlanFuture, Planhub, PlanResult
from runtime.config import complete, parse
from runtime.kernel import Future

WITHIN_S = 120.0

Begin: TypeAlias = Callable[[], PlanFuture]


class Runs:
    """So many runs, and what came of them."""

    def __init__(self, begin: Begin, calls: int) -> None:
        self.begin = begin
        self.calls = calls
        self.seconds: list[float] = []
        self.failures: list[str] = []

    def one(self, ended: Callable[[], None]) -> None:
        began = time.perf_counter()

        def note(future: Future[PlanResult]) -> None:
            try:
                result = future.get(timeout=0)
                require_whole(result.status, len(result.calls), result.reasons, self.calls)
                self.seconds.append(time.perf_counter() - began)
            except (PlanError, RuntimeError) as error:
                self.failures.append(repr(error))
            finally:
                ended()

        self.begin().add_done_callback(note)

    @property
    def crowd(self) -> Crowd:
        return Crowd(self.seconds, self.failures)


def by_callbacks(begin: Begin, calls: int) -> Votes:
    def make(votes: int, concurrency: int) -> Crowd:
        runs = Runs(begin, calls)
        to_begin, to_end = votes, votes
        all_ended = threading.Event()

        def start() -> None:
            nonlocal to_begin
            to_begin -= 1
            runs.one(ended)

        def ended() -> None:
            nonlocal to_end
            to_end -= 1
            if to_begin > 0:
                start()
            if not to_end:
                all_ended.set()

        for _ in range(min(votes, concurrency)):
            start()
        if not all_ended.wait(WITHIN_S):
            raise TimeoutError(f"{to_end} runs have not ended in {WITHIN_S} s")
        return runs.crowd

    return make


def by_thread(begin: Begin, calls: int) -> Votes:
    def make(votes: int, concurrency: int) -> Crowd:
        runs = Runs(begin, calls)
        places = threading.Semaphore(concurrency)
        for begun in range(votes + concurrency):
            if not places.acquire(timeout=WITHIN_S):
                raise TimeoutError(f"no run has ended in {WITHIN_S} s")
            if begun < votes:
                runs.one(places.release)
        return runs.crowd

    return make


def main() -> None:
    url = be_measured()
    books, host, mode = sys.argv[2:]
    fields, calls = MODES[mode]
    config = complete(parse(settings(url)), {})
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "bench.db" if books == "disk" else None
        with Planhub.open(config, database=database) as hub:
            make = by_callbacks if host == "callbacks" else by_thread
            serve(make(lambda: hub.submit(PROMPT, **fields), calls))


if __name__ == "__main__":
    main()
