"""The calls of a run as bars on one scale: light while a call waited, full while it was made."""

from __future__ import annotations

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from actors.domain.money import usd as in_usd
from runtime.cli.terminal import printable, usd
from runtime.storage.reports import AttemptRow, RunRow

WAITED, MADE = "░", "█"
LEAST_WIDTH, MOST_WIDTH = 12, 60
SHORTEST_S = 0.001
BESIDE = 84
"""Columns that all else takes."""

_STYLES = {"ok": "green", "reserved": "cyan", "cancelled": "yellow"}


def timeline(run: RunRow, until: float, width: int) -> Padding:
    """A table with a line for each attempt.

    What is under way has lasted `until` now, in seconds since the epoch.  It is laid
    out by the clock of the wall, so that the calls of a run that another process has carried on are
    where they were.
    """
    cells = min(max(width - BESIDE, LEAST_WIDTH), MOST_WIDTH)
    ends = (attempt.settled_at or until for attempt in run.attempts)
    whole = max(SHORTEST_S, max(ends, default=until) - run.started_at)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("role", "model", f"0 to {whole:.1f} s", "took", "tokens", "cost", "status"):
        right = column in ("took", "tokens", "cost")
        table.add_column(column, justify="right" if right else "left", no_wrap=True)
    for attempt in run.attempts:
        began, sent, ended = _times(attempt, run.started_at, until)
        table.add_row(
            attempt.role,
            Text(attempt.model),
            _bar(began / whole, sent / whole, ended / whole, cells, _style(attempt)),
            f"{ended - sent:.2f} s",
            f"{attempt.usage.input + attempt.usage.cache_read + attempt.usage.cache_write:,}"
            f" → {attempt.usage.output:,}",
            usd(in_usd(attempt.cost_nano)),
            Text(_said(attempt), style=_style(attempt), overflow="ellipsis"),
        )
    return Padding(table, (0, 0, 0, 2), expand=False)


def _times(attempt: AttemptRow, zero: float, until: float) -> tuple[float, float, float]:
    """When it was wanted, sent, and ended, in seconds from the run's begin."""
    began = max(0.0, attempt.reserved_at - zero)
    ended = max(began, (until if attempt.settled_at is None else attempt.settled_at) - zero)
    sent = began if attempt.settled_at is None else ended - attempt.latency_ms / 1000
    return began, min(max(began, sent), ended), ended


def _bar(began: float, sent: float, ended: float, width: int, style: str) -> Text:
    """The parts are shares of the whole; what took any time is at least a cell."""
    first, last = int(began * width), max(int(ended * width + 0.5), int(began * width) + 1)
    first, last = min(first, width - 1), min(last, width)
    middle = min(max(int(sent * width + 0.5), first), last - 1)
    bar = Text(" " * first).append(WAITED * (middle - first), style="dim")
    return bar.append(MADE * (last - middle), style=style).append(" " * (width - last))


def _style(attempt: AttemptRow) -> str:
    return _STYLES.get(attempt.status, "red")


def _said(attempt: AttemptRow) -> str:
    status = "under way" if attempt.status == "reserved" else attempt.status
    status += ", uncertain" if attempt.uncertain else ""
    return f"{status}: {printable(attempt.error)}" if attempt.error else status
