"""Books that live as long as their engine: for embedding without a database, and for simulation.

Accounts are kept, so that a ledger that is restarted finds them, and what
:class:`~runtime.storage.remembered.Remembered` is told of.  Of other runs and attempts nothing is:
what ended lately the engine remembers itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from actors.base import Actor, Context
from actors.dispatch import handles
from actors.protocol import (
    Account,
    AttemptSettled,
    BooksLoaded,
    Commit,
    CommitFailed,
    Committed,
    LeaseReturned,
    LeaseTaken,
    LoadBooks,
    StorageMessage,
)
from runtime.storage.remembered import Remembered


@dataclass(slots=True)
class Standing:
    limit: int | None = None
    spent: int = 0
    leased: int = 0


class MemoryStorage(Actor):
    """Answers as :class:`~runtime.storage.sqlite.SqliteStorage` does, at once."""

    receives: ClassVar[Any] = StorageMessage

    def __init__(self, ctx: Context, remembered: Remembered | None = None) -> None:
        super().__init__(ctx)
        self.remembered = remembered or Remembered()
        self.epoch = 0
        self.accounts: dict[tuple[str, str], Standing] = {}

    def __repr__(self) -> str:
        return f"<MemoryStorage epoch {self.epoch}: {len(self.accounts)} accounts>"

    @handles
    def commit(self, commit: Commit) -> None:
        ticket, epoch = commit.ticket, commit.epoch
        if epoch != self.epoch:
            self.ctx.reply(commit, CommitFailed(ticket, epoch, "of an older epoch"))
            return
        for write in commit.writes:
            self.remembered.write(write)
            if (change := _CHANGES.get(type(write))) is not None:
                change(self, write)
        self.ctx.reply(commit, Committed(ticket, epoch))

    @handles
    def load(self, load: LoadBooks) -> None:
        """Leases that nobody has any more count as spent."""
        self.epoch += 1
        for standing in self.accounts.values():
            standing.spent += standing.leased
            standing.leased = 0
        accounts = tuple(
            Account(owner, window, standing.limit, standing.spent, 0)
            for (owner, window), standing in self.accounts.items()
        )
        self.ctx.reply(load, BooksLoaded(load.ticket, self.epoch, accounts))

    def _lease(self, taken: LeaseTaken) -> None:
        standing = self._standing(taken.account, taken.window)
        standing.leased += taken.amount_nano
        standing.limit = taken.limit_nano

    def _give_back(self, returned: LeaseReturned) -> None:
        self._standing(returned.account, returned.window).leased -= returned.amount_nano

    def _settle(self, settled: AttemptSettled) -> None:
        cost = settled.call.cost_nano
        for account, window in settled.charged:
            standing = self._standing(account, window)
            standing.spent += cost
            standing.leased -= min(cost, settled.held_nano)

    def _standing(self, account: str, window: str) -> Standing:
        """Makes it when need be; those of past months then go."""
        if (account, window) not in self.accounts:
            self.accounts = {
                place: standing
                for place, standing in self.accounts.items()
                if place[1] >= window or standing.leased
            }
            self.accounts[account, window] = Standing()
        return self.accounts[account, window]


_CHANGES: dict[type, Callable[[MemoryStorage, Any], None]] = {
    LeaseTaken: MemoryStorage._lease,
    LeaseReturned: MemoryStorage._give_back,
    AttemptSettled: MemoryStorage._settle,
}
"""What changes an account, and how; other writes do not."""
