"""One run's part of the journal: its steps, numbered, and on record from its admission on."""

from __future__ import annotations

from actors.addresses import LEDGER
from actors.base import Context
from actors.protocol import Record, Step
from actors.strategies.journal import Told, answer_step, expire_step, give_up_step
from actors.strategies.plan import UnansweredKind


class RunJournal:
    """`before` are the steps that a run is carried on with; they are on record, or were once.

    What a run is told before the ledger knows of it waits here until it does.
    """

    def __init__(self, ctx: Context, run: str, before: tuple[Step, ...]) -> None:
        self._ctx = ctx
        self._run = run
        self._before = before
        self._waiting: list[Step] = []
        self._count = len(before)
        self.is_open = False

    def answer(self, key: int, told: Told) -> Step:
        """The next step, for whoever has it recorded with the money that it cost."""
        return answer_step(self._next(), key, told)

    def answered(self, key: int, told: Told) -> None:
        self._record(self.answer(key, told))

    def expired(self, key: int) -> None:
        self._record(expire_step(self._next(), key))

    def given_up(self, kind: UnansweredKind) -> None:
        self._record(give_up_step(self._next(), kind))

    def open(self) -> None:
        """The run is admitted: what has waited is recorded, and from now on everything at once."""
        self.is_open = True
        if self._waiting:
            self._ctx.tell(LEDGER, Record(self._run, tuple(self._waiting)))

    @property
    def unopened(self) -> tuple[Step, ...]:
        """All steps of a run that was never admitted."""
        return (*self._before, *self._waiting)

    def _record(self, step: Step) -> None:
        if self.is_open:
            self._ctx.tell(LEDGER, Record(self._run, (step,)))
        else:
            self._waiting.append(step)

    def _next(self) -> int:
        self._count += 1
        return self._count
