"""One run's part of the journal: its steps, numbered, each on record with the money that follows.

What a run is told costs nothing by itself: it waits here until a settlement, or the run's end,
takes it to the ledger, in one message and one transaction with what it led to.  Only then is it
written out: as what the run knows anyway it takes no room until then.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from actors.protocol import Step
from actors.strategies.journal import Told, answer_step, expire_step, give_up_step
from actors.strategies.plan import UnansweredKind


class RunJournal:
    """`before` are the steps that a run is carried on with; they are on record, or were once.

    Nothing may be taken before the run is admitted and so known to the ledger: `is_open`.
    """

    def __init__(self, before: tuple[Step, ...]) -> None:
        self._before = before
        self._waiting: list[Callable[[], Step]] = []
        self._count = len(before)
        self.is_open = False

    def answered(self, key: int, told: Told) -> None:
        self._waiting.append(partial(answer_step, self._next(), key, told))

    def expired(self, key: int, kind: UnansweredKind) -> None:
        self._waiting.append(partial(expire_step, self._next(), key, kind))

    def given_up(self, kind: UnansweredKind) -> None:
        self._waiting.append(partial(give_up_step, self._next(), kind))

    @property
    def waiting(self) -> tuple[Step, ...]:
        """What is not on record yet."""
        return tuple([step() for step in self._waiting])

    def take(self) -> tuple[Step, ...]:
        """The same, for whoever has it recorded now."""
        taken = self.waiting
        self._waiting.clear()
        return taken

    @property
    def unopened(self) -> tuple[Step, ...]:
        """All steps of a run that was never admitted."""
        return (*self._before, *self.waiting)

    def _next(self) -> int:
        self._count += 1
        return self._count
