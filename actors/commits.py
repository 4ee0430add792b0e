"""The ledger's writes on their way to storage: one commit in flight, the rest gather behind it.

A batch goes out at once when somebody waits for it, and otherwise a few milliseconds after its
first write: until then the lease answers for what it holds.  The order of writes is never changed.

When a commit fails, its leases are off and whoever waited for money is handed back to be refused.
Everything else has happened and must not be lost: it goes first into the next batch, which is sent
after a pause that doubles.  Until then, and before storage has told the books, `open` is False and
nothing new may be promised.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeGuard

from actors.addresses import STORAGE
from actors.base import Context, Message
from actors.dispatch import handles
from actors.domain.balance import Balance
from actors.protocol import (
    Admit,
    BooksLoaded,
    Commit,
    CommitFailed,
    Committed,
    EndRun,
    LeaseTaken,
    LoadBooks,
    Reserve,
    Write,
)

GATHER_S = 0.005
WRITES_PER_COMMIT = 512
PAUSE_S = 0.1
PAUSE_MAX_S = 5.0
LATE_S = 5.0
"""How long somebody waits for a commit."""


class GatherOver(Message, frozen=True, gc=False):
    """Writes that nobody waits for have gathered long enough."""


class PauseOver(Message, frozen=True, gc=False):
    """Storage failed a while ago: it is asked again."""


@dataclass(eq=False, slots=True)
class Batch:
    """Writes that are committed together, and who waits for that."""

    writes: list[Write] = field(default_factory=list)
    leases: list[tuple[Balance, int]] = field(default_factory=list)
    asked: list[Admit | Reserve] = field(default_factory=list)
    ended: list[EndRun] = field(default_factory=list)
    since: float | None = None
    due: bool = False

    @property
    def empty(self) -> bool:
        return not (self.writes or self.asked or self.ended)

    @property
    def urgent(self) -> bool:
        return self.due or bool(self.asked or self.ended) or len(self.writes) >= WRITES_PER_COMMIT


class Commits:
    """`open` says whether storage has told the books and does not fail."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._gathering = Batch()
        self._in_flight: Batch | None = None
        self._ticket = ""
        self._books_at = 0.0
        self._count = 0
        self._armed = False
        self._pause = PAUSE_S
        self.epoch = 0
        self.failing = False

    def __repr__(self) -> str:
        return "loading" if not self.epoch else "failing" if self.failing else "open"

    @property
    def open(self) -> bool:
        return self.epoch > 0 and not self.failing

    @property
    def idle(self) -> bool:
        return self._in_flight is None and self._gathering.empty

    # --- what is to be written ---

    def write(self, write: Write) -> None:
        self._gathering.writes.append(write)

    def lease(self, balance: Balance, amount: int) -> None:
        self.write(LeaseTaken(balance.owner, balance.window, amount, balance.limit))
        self._gathering.leases.append((balance, amount))

    def answer_after(self, command: Admit | Reserve | EndRun) -> None:
        """`command` is handed back once all that was written until now is durable."""
        batch = self._gathering
        if isinstance(command, EndRun):
            batch.ended.append(command)
        else:
            batch.asked.append(command)

    def flush(self) -> None:
        """Sends what has gathered, if it is time."""
        batch = self._gathering
        if batch.empty:
            return
        if batch.since is None:
            batch.since = self._ctx.now()
        if self._in_flight is not None or not self.open:
            return
        if batch.urgent:
            self._send()
        elif not self._armed:
            self._armed = True
            self._ctx.after(batch.since + GATHER_S - self._ctx.now(), GatherOver())

    def flush_all(self, *, orderly: bool) -> None:
        """Sends everything, for the last time.

        But nothing after a batch that storage may have failed over: a journal has no gaps.
        """
        if self.epoch and self._gathering.writes and (orderly or self._in_flight is None):
            self._send()

    # --- what becomes of it ---

    def load(self, at: float) -> None:
        """Asks for the books from the month of `at` on, until they come: for the same months each
        time, for the clock may have gone over the month's end and back.
        """
        self._books_at = at
        self._ticket = f"books:{self._ctx.random()}"
        self._ctx.tell(STORAGE, LoadBooks(self._ctx.address, self._ticket, at))

    def loaded(self, loaded: BooksLoaded) -> bool:
        """Whether these are the books that were asked for."""
        if loaded.ticket != self._ticket or self.epoch:
            return False
        self.epoch = loaded.epoch
        self._recovered()
        return True

    @handles
    def gather_over(self, _: GatherOver) -> None:
        """The batch that is gathered now may have begun after this was armed."""
        self._armed = False
        batch = self._gathering
        if batch.since is not None and batch.since + GATHER_S <= self._ctx.now():
            batch.due = True

    def committed(self, committed: Committed) -> Batch | None:
        """The batch that is durable now."""
        if (batch := self._expected(committed)) is None:
            return None
        self._recovered()
        for balance, amount in batch.leases:
            balance.lease_ended(amount, committed=True)
        return batch

    def failed(self, failed: CommitFailed) -> list[Admit | Reserve]:
        """Those who wait for money that is not covered now."""
        if self._ticket == failed.ticket and not self.epoch:
            self._wait()
            return []
        if (batch := self._expected(failed)) is None:
            return []
        then = self._gathering
        for balance, amount in (*batch.leases, *then.leases):
            balance.lease_ended(amount, committed=False)
        kept: list[Write] = [
            w for w in (*batch.writes, *then.writes) if not isinstance(w, LeaseTaken)
        ]
        ended = [*batch.ended, *then.ended]
        self._gathering = Batch(kept, ended=ended, since=batch.since, due=True)
        self._wait()
        return [*batch.asked, *then.asked]

    def pause_over(self) -> None:
        self.failing = False
        if not self.epoch:
            self.load(self._books_at)

    def overdue(self) -> tuple[list[Admit | Reserve], list[EndRun]]:
        """Those who have waited long enough for storage; they do not wait any longer."""
        asked: list[Admit | Reserve] = []
        ended: list[EndRun] = []
        for batch in filter(self._is_late, (self._in_flight, self._gathering)):
            asked += batch.asked
            ended += batch.ended
            batch.asked, batch.ended = [], []
            self.failing = self.failing or batch is self._in_flight
        return asked, ended

    # --- within ---

    def _send(self) -> None:
        batch, self._gathering = self._gathering, Batch()
        self._count += 1
        self._ticket = f"{self.epoch}.{self._count}"
        self._in_flight = batch
        commit = Commit(self._ctx.address, self._ticket, self.epoch, tuple(batch.writes))
        self._ctx.tell(STORAGE, commit)

    def _expected(self, answer: Committed | CommitFailed) -> Batch | None:
        if (answer.ticket, answer.epoch) != (self._ticket, self.epoch):
            return None
        batch, self._in_flight = self._in_flight, None
        return batch

    def _is_late(self, batch: Batch | None) -> TypeGuard[Batch]:
        if batch is None or batch.since is None:
            return False
        return batch.since <= self._ctx.now() - LATE_S

    def _recovered(self) -> None:
        self.failing = False
        self._pause = PAUSE_S

    def _wait(self) -> None:
        self.failing = True
        self._ctx.after(self._pause, PauseOver())
        self._pause = min(2 * self._pause, PAUSE_MAX_S)
