"""A measured program, in a process of its own: told how many votes, it answers with its figures.

Orders and answers are lines of JSON on its standard input and output, so that a program of any
environment can be one: only the standard library is imported here.  CPU is that of the measured
process, user and system, all threads, and read from outside the measured stretch of code.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import resource
import select
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.cores import pin

ANSWER_WITHIN_S = 300.0
STOP_S = 60.0
WARM_UP = 20
READY = "ready\n"
ROOT = Path(__file__).parents[1]


class Crowd(NamedTuple):
    """What came of some votes: the seconds each took, and why those failed that did."""

    seconds: Sequence[float]
    failures: Sequence[str] = ()


class Figures(NamedTuple):
    """One measurement.  `cpu_ms` and the latencies are per vote."""

    cpu_ms: float
    per_second: float
    p50_ms: float
    p99_ms: float
    failed: int = 0
    why: str = ""


Votes = Callable[[int, int], Crowd]
"""Makes so many votes, so many at a time."""


def cpu_seconds(process: int) -> float:
    """User and system time of a process, to the nanosecond on Linux."""
    if process == os.getpid():
        return time.process_time()
    return time.clock_gettime((~process << 3) | 2)


def measured(make: Votes, votes: int, concurrency: int, process: int) -> Figures:
    """Some votes to warm up, then those that count."""
    make(max(WARM_UP, concurrency), concurrency)
    cpu, began = cpu_seconds(process), time.perf_counter()
    seconds, failures = make(votes, concurrency)
    elapsed, used = time.perf_counter() - began, cpu_seconds(process) - cpu
    ranked = sorted(seconds) or [0.0]
    return Figures(
        cpu_ms=1000 * used / votes,
        per_second=votes / elapsed,
        p50_ms=1000 * ranked[len(ranked) // 2],
        p99_ms=1000 * ranked[min(len(ranked) - 1, len(ranked) * 99 // 100)],
        failed=len(failures),
        why=failures[0] if failures else "",
    )


def serve(make: Votes, process: int | None = None) -> None:
    """In the measured program: carries out what is ordered until its input ends."""
    gc.collect()
    gc.freeze()
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    answers.write(READY)
    for line in sys.stdin:
        order = json.loads(line)
        figures = measured(make, order["votes"], order["concurrency"], process or os.getpid())
        print(json.dumps(figures._asdict()), file=answers)


def by_tasks(vote: Callable[[], Awaitable[None]], loop: asyncio.AbstractEventLoop) -> Votes:
    """`vote` made by so many asyncio tasks at a time, on `loop`."""

    async def crowd(votes: int, concurrency: int) -> Crowd:
        seconds: list[float] = []
        failures: list[str] = []
        left = iter(range(votes))

        async def voter() -> None:
            for _ in left:
                began = time.perf_counter()
                try:
                    await vote()
                except Exception as error:  # noqa: BLE001 - it is reported with the figures
                    failures.append(repr(error))
                else:
                    seconds.append(time.perf_counter() - began)

        await asyncio.gather(*(voter() for _ in range(concurrency)))
        return Crowd(seconds, failures)

    return lambda votes, concurrency: loop.run_until_complete(crowd(votes, concurrency))


class Subject:
    """The other side: a program that runs, waiting for orders."""

    def __init__(self, name: str, process: subprocess.Popen[str]) -> None:
        self.name = name
        self._process = process
        self._said = b""
        while self._line() != READY:  # what was printed before is not for us
            pass

    def __repr__(self) -> str:
        return f"<Subject {self.name}, process {self._process.pid}>"

    @property
    def pid(self) -> int:
        return self._process.pid

    def run(self, votes: int, concurrency: int) -> Figures:
        """Raises RuntimeError when it ends, or says nothing for minutes."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"votes": votes, "concurrency": concurrency}) + "\n")
        self._process.stdin.flush()
        return Figures(**json.loads(self._line()))

    def _line(self) -> str:
        """The next one, read here: a buffer's second line would not show as ready."""
        assert self._process.stdout is not None
        answers = self._process.stdout.fileno()
        while b"\n" not in self._said:
            ready, _, _ = select.select([answers], [], [], ANSWER_WITHIN_S)
            said = os.read(answers, 65_536) if ready else b""
            if not said:
                what = "has ended" if ready else "said nothing in time"
                raise RuntimeError(f"{self.name} {what}: its last words are above")
            self._said += said
        line, _, self._said = self._said.partition(b"\n")
        return line.decode() + "\n"


@contextlib.contextmanager
def started(
    name: str, command: Sequence[str], environment: Mapping[str, str] = {}
) -> Iterator[Subject]:
    """Starts a program, which pins itself; it ends when there are no more orders."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
    )
    try:
        yield Subject(name, process)
    finally:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def be_measured() -> str:
    """What every such program begins with: its core, its descriptors; gives the vendor's URL."""
    pin(measured=True)
    allow_many_files()
    return sys.argv[1]


def allow_many_files() -> None:
    """Thousands of connections need as many descriptors."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
