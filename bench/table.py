"""A matrix as a table on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from bench.results import Cell, Spread

COLUMNS = (
    "at once",
    "CPU ms each",
    "(range)",
    "x bare loop",
    "(range)",
    "votes/s",
    "p50 ms",
    "p99 ms",
)


def console() -> Console:
    """Wide enough for a table, also into a file."""
    found = Console()
    return found if found.is_terminal else Console(width=132)


def table(cells: Sequence[Cell]) -> Table:
    made = Table(title="vote-3: three voters and a judge, four HTTP calls")
    made.add_column("", no_wrap=True)
    for name in COLUMNS:
        made.add_column(name, justify="right", no_wrap=True)
    level = None
    for cell in cells:
        if level not in (None, cell.concurrency):
            made.add_section()
        level = cell.concurrency
        made.add_row(*_row(cell), style="red" if cell.failures else None)
    return made


def _row(cell: Cell) -> tuple[str, ...]:
    return (
        cell.name,
        str(cell.concurrency),
        number(cell.cpu_ms.median),
        _range(cell.cpu_ms),
        number(cell.to_bare.median),
        _range(cell.to_bare),
        f"{cell.per_second:,.0f}",
        number(cell.p50_ms),
        number(cell.p99_ms),
    )


def _range(spread: Spread) -> str:
    return f"{number(spread.least)}-{number(spread.most)}"


def number(value: float) -> str:
    """Three digits that count."""
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 10 else f"{value:.0f}"
