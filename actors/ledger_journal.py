"""The ledger's part of the journal: which runs are on record, and what is written of each.

A run is on record from its begin to its end, with the steps between.  Those that a ledger left
open when it crashed are inherited by its successor.
"""

from __future__ import annotations

from actors.base import Context
from actors.commits import Commits
from actors.dispatch import handles
from actors.protocol import JudgeVerdict, Order, Record, RunBegan, RunClosed, Step, StepsTaken


class LedgerJournal:
    """Its entries go where all writes go, in their order."""

    def __init__(self, ctx: Context, commits: Commits) -> None:
        self._ctx = ctx
        self._commits = commits
        self._open: set[str] = set()
        self._inherited: set[str] = set()
        self._closed_before: set[str] = set()

    def begin(self, order: Order, steps: tuple[Step, ...], at: float) -> None:
        """Once is enough."""
        if order.run not in self._open:
            self._open.add(order.run)
            self._commits.write(RunBegan(order, at, steps))

    @handles
    def record(self, record: Record) -> None:
        self.take(record.run, record.steps)

    def take(self, run: str, steps: tuple[Step, ...]) -> None:
        """Of a run that was never begun, or has ended, nothing is kept."""
        if steps and run in self._open:
            self._commits.write(StepsTaken(run, steps))

    def close(
        self,
        run: str,
        status: str,
        body: bytes,
        http_status: int,
        verdicts: tuple[JudgeVerdict, ...] = (),
    ) -> None:
        """Of one that is parked, and so still `running`, no end is written."""
        self._open.discard(run)
        self._inherited.discard(run)
        if not self._commits.epoch:
            self._closed_before.add(run)
        if status != "running":
            now = self._ctx.wall()
            self._commits.write(RunClosed(run, status, body, http_status, now, verdicts))

    def inherit(self, running: tuple[str, ...]) -> list[str]:
        """Those of them that are left open; some have ended while the books were waited for."""
        self._inherited = {*running} - self._closed_before
        self._closed_before.clear()
        return [run for run in running if run in self._inherited]

    def is_open(self, run: str) -> bool:
        """Whether this ledger has begun it."""
        return run in self._open

    def is_inherited(self, run: str) -> bool:
        return run in self._inherited
