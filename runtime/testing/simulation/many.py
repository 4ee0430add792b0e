"""The command: one seed shown message by message, or many on all cores."""

from __future__ import annotations

import logging
import multiprocessing
import os
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from functools import partial

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from runtime.testing.simulation.loop import Simulation, command

SEEDS_AT_ONCE = 25
SEEDS_PER_LINE = 500
"""How often a log, which shows no bar, has a line."""

WIDEST = 240


def main() -> None:
    """Exits with 1 when a rule was broken."""
    parser = ArgumentParser(prog="python -m runtime.testing.simulation", description=__doc__)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--seed", type=int, help="show this one, message by message")
    which.add_argument("--seeds", type=int, help="try that many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    asked = parser.parse_args()
    logging.getLogger("planhub").setLevel(logging.CRITICAL)
    console = Console(soft_wrap=True, highlight=False)
    if asked.seed is not None:
        failed = show(asked.seed, console)
    else:
        failed = search(range(asked.first, asked.first + asked.seeds), asked.jobs, console)
    sys.exit(1 if failed else 0)


def show(seed: int, console: Console) -> bool:
    """Prints all that happens in a seed; whether a rule was broken."""
    simulation = Simulation(seed)
    simulation.run()
    for at, to, what in simulation.trace:
        said = what if isinstance(what, str) else repr(what)
        console.print(f"{at:9.3f} {to:>10} {said[:WIDEST]}", markup=False)
    console.print(
        f"seed {seed}: {simulation.turns} turns, {simulation.processes} processes, "
        f"digest {simulation.digest()}"
    )
    for violation in simulation.violations:
        console.print(f"VIOLATION {violation}", markup=False, style="red")
    return bool(simulation.violations)


def search(seeds: range, jobs: int, console: Console) -> bool:
    """Tries all seeds and prints what is broken, with the commands that show it."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    failed = 0
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        bar = progress.add_task("seeds", total=len(seeds))
        for done, (seed, violations) in enumerate(results(seeds, jobs), 1):
            progress.advance(bar)
            if done % SEEDS_PER_LINE == 0 and not console.is_terminal:
                console.print(f"{done} seeds tried, {failed} with a broken rule")
            if violations:
                failed += 1
                console.print(f"seed {seed}: {violations[0]}", markup=False, style="red")
                console.print(f"  {command(seed)}", markup=False)
    console.print(f"{len(seeds)} seeds, {failed} with a broken rule")
    return failed > 0


def results(seeds: range, jobs: int) -> Iterator[tuple[int, list[str]]]:
    """Each seed with its violations, as they come."""
    level = logging.getLogger("planhub").level
    with multiprocessing.Pool(jobs, partial(_quiet, level)) as pool:
        yield from pool.imap_unordered(violations_of, seeds, SEEDS_AT_ONCE)


def violations_of(seed: int) -> tuple[int, list[str]]:
    """A simulation that fails by itself is a finding too."""
    simulation = Simulation(seed)
    try:
        simulation.run()
    except Exception as error:  # noqa: BLE001  told with its seed
        simulation.violations.append(f"the simulation fails: {error!r}")
    return seed, simulation.violations


def _quiet(level: int) -> None:
    logging.getLogger("planhub").setLevel(level)
