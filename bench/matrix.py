"""CPU, throughput and latency of a vote-3, by the engine and by hand, measured in turns.

    python -m bench.matrix [--concurrency 32 256] [--rounds 5] [--votes 5000] [--seconds 1]
                           [--only WORD ...] [--json FILE] [--picture FILE.svg]

Each program has a process of its own on the first core and a vendor on the other.  They take turns,
round after round, because machines are shared: compare the rows of one run with each other, best by
the ratio to the bare loop, which is taken within each round.  The first round is thrown away; it
says how many votes last `--seconds`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from bench.cores import pin
from bench.picture import draw
from bench.results import Cell, write
from bench.roster import Program, chosen
from bench.subject import Figures, Subject
from bench.table import console, table
from bench.upstream import upstream

PILOT = 64


class Measured:
    """One program at one concurrency, round after round."""

    def __init__(self, subject: Subject, concurrency: int) -> None:
        self.subject = subject
        self.concurrency = concurrency
        self.votes = 0
        self.rounds: list[Figures] = []

    def size(self, seconds: float, most: int) -> None:
        """The round that does not count."""
        pilot = max(PILOT, self.concurrency)
        rate = self.subject.run(pilot, self.concurrency).per_second
        self.votes = max(pilot, min(most, int(rate * seconds)))

    def run(self) -> None:
        self.rounds.append(self.subject.run(self.votes, self.concurrency))

    def cell(self, bare: Measured) -> Cell:
        return Cell(self.subject.name, self.concurrency, self.votes, self.rounds, bare.rounds)


def measure(
    programs: Sequence[Program],
    levels: Sequence[int],
    rounds: int,
    *,
    votes: int = 5_000,
    seconds: float = 1.0,
    delay_ms: float = 0.0,
    watch: Callable[[str], None] = lambda _: None,
) -> list[Cell]:
    """A cell for each program and level; the first program is what the others are compared with.

    `watch` is told what comes next.
    """
    with ExitStack() as stack:
        url = stack.enter_context(upstream(delay_ms))
        subjects = [stack.enter_context(program.started(url)) for program in programs]
        grid = [[Measured(subject, level) for subject in subjects] for level in levels]
        for turn in range(rounds + 1):
            for row in grid:
                for each in row:
                    watch(f"round {turn}: {each.subject.name}, {each.concurrency} concurrent")
                    if turn:
                        each.run()
                    else:
                        each.size(seconds, votes)
    return [each.cell(row[0]) for row in grid for each in row]


def watched(
    programs: Sequence[Program],
    levels: Sequence[int],
    rounds: int,
    *,
    votes: int = 5_000,
    seconds: float = 1.0,
    delay_ms: float = 0.0,
) -> list[Cell]:
    """The same with its progress on a terminal, drawn between measurements and not during them."""
    steps = (rounds + 1) * len(levels) * len(programs)
    with Progress(console=Console(stderr=True), auto_refresh=False) as progress:
        task = progress.add_task("starting", total=steps)

        def watch(what: str) -> None:
            progress.update(task, description=what)
            progress.refresh()
            progress.advance(task)

        return measure(
            programs,
            levels,
            rounds,
            votes=votes,
            seconds=seconds,
            delay_ms=delay_ms,
            watch=watch,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--concurrency", type=int, nargs="+", default=[32, 256])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--votes", type=int, default=5_000, help="at most, a measurement")
    parser.add_argument("--seconds", type=float, default=1.0, help="about, a measurement")
    parser.add_argument("--only", nargs="+", default=[], help="words of the programs' names")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    given = parser.parse_args()
    pin(measured=False)
    cells = watched(
        chosen(given.only),
        given.concurrency,
        given.rounds,
        votes=given.votes,
        seconds=given.seconds,
    )
    console().print(table(cells))
    if given.json:
        write(given.json, cells)
    if given.picture:
        draw(given.picture, cells)
    require_none_failed(cells)


def require_none_failed(cells: Sequence[Cell]) -> None:
    """Ends the command with an error that says which."""
    failures = [f"{cell.name}: {why}" for cell in cells for why in cell.failures]
    if failures:
        sys.exit("\n".join(failures))


if __name__ == "__main__":
    main()
