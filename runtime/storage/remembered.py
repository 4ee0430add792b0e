"""The journal of an engine without a database: what failed runs that are wanted were told.

It is written on the engine's thread, as storage is told of things, and read on any once the run has
ended.  The oldest runs are forgotten beyond a bound, and those that were answered at once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

from actors.domain.judges import JudgeRecord, judge_records
from actors.protocol import (
    AttemptReserved,
    AttemptSettled,
    CallRecord,
    JudgeVerdict,
    Order,
    RunBegan,
    RunClosed,
    Step,
    StepsTaken,
    Write,
)

if TYPE_CHECKING:
    from runtime.storage.journal import Journal

MOST_RUNS = 1_000
MOST_JUDGED = 1_000
"""Runs whose judges' verdicts are counted."""


@dataclass(slots=True)
class Told:
    """A run's order, its steps, the records of its calls, and the number of the last one."""

    order: Order
    steps: list[Step]
    records: list[CallRecord] = field(default_factory=list)
    attempts: int = 0


class Remembered:
    """Journals by run."""

    def __init__(self) -> None:
        self._runs: OrderedDict[str, Told] = OrderedDict()
        self._judged: OrderedDict[str, tuple[JudgeVerdict, ...]] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Remembered {len(self._runs)} runs>"

    def load(self, run: str) -> Journal | None:
        """A run's journal; None when there is none, or no more."""
        from runtime.storage.journal import Journal

        if (told := self._runs.get(run)) is None:
            return None
        steps, records = tuple(told.steps), tuple(told.records)
        return Journal(told.order, steps, records, told.attempts, "failed", None)

    def judges(self) -> tuple[JudgeRecord, ...]:
        """How models did as judges lately."""
        return judge_records(chain.from_iterable(list(self._judged.values())))

    def write(self, write: Write) -> None:
        """Keeps what concerns a run that is wanted, and how its judges did of any."""
        if (keep := _KEEPERS.get(type(write))) is not None:
            keep(self, write)

    def _tell(self, taken: StepsTaken) -> None:
        if (told := self._runs.get(taken.run)) is not None:
            told.steps.extend(taken.steps)

    def _reserve(self, reserved: AttemptReserved) -> None:
        if (told := self._runs.get(reserved.run)) is not None:
            told.attempts = int(reserved.attempt.rpartition(".")[2])

    def _settle(self, settled: AttemptSettled) -> None:
        if (told := self._runs.get(settled.run)) is not None:
            told.records.append(settled.call)

    def _close(self, closed: RunClosed) -> None:
        if closed.verdicts:
            self._judge(closed)
        if closed.http_status == 200:
            self._runs.pop(closed.run, None)

    def _judge(self, closed: RunClosed) -> None:
        self._judged[closed.run] = closed.verdicts
        while len(self._judged) > MOST_JUDGED:
            self._judged.popitem(last=False)

    def _begin(self, began: RunBegan) -> None:
        if not began.order.wanted:
            return
        before = self._runs.pop(began.order.run, Told(began.order, []))
        told = Told(began.order, list(began.steps), before.records, before.attempts)
        self._runs[began.order.run] = told
        while len(self._runs) > MOST_RUNS:
            self._runs.popitem(last=False)


_KEEPERS: dict[type, Callable[[Remembered, Any], None]] = {
    RunBegan: Remembered._begin,
    StepsTaken: Remembered._tell,
    AttemptReserved: Remembered._reserve,
    AttemptSettled: Remembered._settle,
    RunClosed: Remembered._close,
}
