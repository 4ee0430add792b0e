"""What planhub wants to reach, and whether it does: the matrix, and what else the targets ask.

    python -m bench.targets [--rounds 5] [--seconds 1] [--json FILE] [--picture FILE.svg]

The milliseconds were set on one machine; the multiples of a reference in the same run hold on any.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.table import Table

from bench.cores import pin
from bench.matrix import require_none_failed, watched
from bench.picture import draw
from bench.results import Cell, multiples, write
from bench.roster import BARE, BARE_SEQUENCE, DISK, MEMORY, PROGRAMS, SEQUENCE
from bench.table import console, number, table

LEVELS = (32, 256)
MANY = (32, 256, 1_000, 2_000)
CROWD, CROWD_DELAY_MS = 1_000, 50.0
SEQUENCE_DELAY_MS = 5.0


class Target(NamedTuple):
    """`reach` and `stretch` are at most, unless `least`; `beside` is what was seen in that run."""

    what: str
    reach: float
    stretch: float | None
    measured: float
    beside: str
    least: bool = False

    @property
    def met(self) -> str:
        sign = -1 if self.least else 1
        if self.stretch is not None and sign * self.measured <= sign * self.stretch:
            return "stretch"
        return "met" if sign * self.measured <= sign * self.reach else "NOT MET"


class Seen:
    """The cells of one scenario, by name and concurrency."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self.cells = cells
        self._by = {(cell.name, cell.concurrency): cell for cell in cells}

    def cell(self, name: str, level: int) -> Cell:
        return self._by[name, level]

    def dearest(self, name: str) -> Cell:
        return max((c for c in self.cells if c.name == name), key=lambda c: c.cpu_ms.median)

    def times(self, name: str, other: str, level: int) -> float:
        """CPU of the one as a multiple of the other's."""
        return multiples(self.cell(name, level).rounds, self.cell(other, level).rounds).median


class Scenarios(NamedTuple):
    """Everything that the targets look at."""

    matrix: Seen
    alone: Seen
    many: Seen
    crowd: Seen
    sequence: Seen


def scenarios(rounds: int, seconds: float) -> Scenarios:
    pair = (BARE, DISK)
    few = max(2, rounds // 2)
    sequence = (BARE_SEQUENCE, SEQUENCE)
    return Scenarios(
        Seen(watched(PROGRAMS, LEVELS, rounds, seconds=seconds)),
        Seen(watched(pair, [1], rounds, seconds=seconds)),
        Seen(watched(pair, MANY, few, seconds=seconds)),
        Seen(watched(pair, [CROWD], few, seconds=3 * seconds, delay_ms=CROWD_DELAY_MS)),
        Seen(watched(sequence, [1], rounds, seconds=seconds, delay_ms=SEQUENCE_DELAY_MS)),
    )


def targets(seen: Scenarios) -> Iterator[Target]:
    """In the order of what they cost a user."""
    yield from _cpu(seen.matrix)
    yield from _ratios(seen.matrix)
    yield from _latencies(seen)


def _cpu(seen: Seen) -> Iterator[Target]:
    for name, reach, stretch in (
        (DISK.name, 0.39, 0.25),
        ("planhub socket", 0.45, 0.30),
        ("planhub HTTP", 0.60, 0.45),
    ):
        cell = seen.dearest(name)
        bare = seen.cell(BARE.name, cell.concurrency).cpu_ms.median
        beside = f"bare loop {number(bare)}, at {cell.concurrency}"
        yield Target(f"CPU ms a vote: {name}", reach, stretch, cell.cpu_ms.median, beside)


def _ratios(seen: Seen) -> Iterator[Target]:
    ratio = max((seen.cell(DISK.name, level).to_bare.median, level) for level in LEVELS)
    yield Target("multiple of the bare loop", 4, 2.5, ratio[0], f"at {ratio[1]}")
    for name, reach, stretch in (("httpx gather", 20, 30), ("aiohttp gather", 1.8, 2.8)):
        times, level = min((seen.times(name, DISK.name, level), level) for level in LEVELS)
        beside = f"{number(seen.cell(name, level).cpu_ms.median)} ms, at {level}"
        yield Target(f"times cheaper than {name}", reach, stretch, times, beside, least=True)


def _latencies(seen: Scenarios) -> Iterator[Target]:
    engine, bare = seen.alone.cell(DISK.name, 1), seen.alone.cell(BARE.name, 1)
    beside = f"bare loop {number(bare.p50_ms)}"
    yield Target("added p50 ms, one at a time", 0.8, 0.4, engine.p50_ms - bare.p50_ms, beside)
    engine, bare = seen.crowd.cell(DISK.name, CROWD), seen.crowd.cell(BARE.name, CROWD)
    beside = f"bare loop {number(bare.p99_ms)}; {sum(f.failed for f in engine.rounds)} failed"
    yield Target("p99 ms, 1,000 at once, vendor 50 ms", 500, 300, engine.p99_ms, beside)
    first, *others = (seen.many.cell(DISK.name, level).cpu_ms.median for level in MANY)
    away = max(abs(cpu / first - 1) for cpu in others)
    beside = ", ".join(number(cpu) for cpu in (first, *others)) + " ms"
    yield Target(f"CPU's change from {MANY[0]} to {MANY[-1]:,} at once", 0.2, None, away, beside)
    engine, bare = seen.sequence.cell(SEQUENCE.name, 1), seen.sequence.cell(BARE_SEQUENCE.name, 1)
    beside = f"bare loop {number(bare.p50_ms)}"
    yield Target("added ms, 5 calls in sequence", 2.0, 1.0, engine.p50_ms - bare.p50_ms, beside)


def durability(seen: Seen) -> str:
    """What the books on disk cost."""
    times = [(seen.times(DISK.name, MEMORY.name, level), level) for level in LEVELS]
    told = ", ".join(f"x {number(ratio)} at {level}" for ratio, level in times)
    return f"CPU with the books on disk, against memory: {told}"


def judged(found: Sequence[Target]) -> Table:
    made = Table(title="targets")
    made.add_column("", no_wrap=True)
    for name in ("reach", "stretch", "measured"):
        made.add_column(name, justify="right")
    made.add_column("in the same run")
    made.add_column("")
    for target in found:
        sign = ">=" if target.least else "<="
        made.add_row(
            target.what,
            f"{sign} {target.reach:g}",
            "-" if target.stretch is None else f"{target.stretch:g}",
            number(target.measured),
            target.beside,
            target.met,
            style="red" if target.met == "NOT MET" else None,
        )
    return made


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="about, a measurement")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    given = parser.parse_args()
    pin(measured=False)
    seen = scenarios(given.rounds, given.seconds)
    found = list(targets(seen))
    out = console()
    out.print(table(seen.matrix.cells))
    out.print(judged(found))
    out.print(durability(seen.matrix))
    if given.json:
        more: dict[str, Any] = {
            name: [cell.as_json() for cell in part.cells]
            for name, part in seen._asdict().items()
            if name != "matrix"
        }
        told = [{**target._asdict(), "met": target.met} for target in found]
        write(given.json, seen.matrix.cells, targets=told, **more)
    if given.picture:
        draw(given.picture, seen.matrix.cells)
    for part in seen:
        require_none_failed(part.cells)


if __name__ == "__main__":
    main()
