"""Books that live as long as their engine: for embedding without a database, and for simulation.

Accounts are kept, so that a ledger that is restarted finds them, and what
:class:`~runtime.storage.remembered.Remembered` is told of.  Of other runs and attempts nothing is:
what ended lately the engine remembers itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, assert_never

from actors.base import Actor, Context
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
    Write,
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

    def receive(self, message: StorageMessage) -> None:
        match message:
            case Commit():
                self._commit(message)
            case LoadBooks():
                self._load(message)
            case _:
                assert_never(message)

    def _commit(self, commit: Commit) -> None:
        ticket, epoch = commit.ticket, commit.epoch
        if epoch != self.epoch:
            self.ctx.reply(commit, CommitFailed(ticket, epoch, "of an older epoch"))
            return
        for write in commit.writes:
            self._write(write)
        self.ctx.reply(commit, Committed(ticket, epoch))

    def _write(self, write: Write) -> None:
        self.remembered.write(write)
        match write:
            case LeaseTaken(account, window, amount, limit):
                standing = self._standing(account, window)
                standing.leased += amount
                standing.limit = limit
            case LeaseReturned(account, window, amount):
                self._standing(account, window).leased -= amount
            case AttemptSettled(call=call, charged=charged, held_nano=held):
                for account, window in charged:
                    standing = self._standing(account, window)
                    standing.spent += call.cost_nano
                    standing.leased -= min(call.cost_nano, held)

    def _load(self, load: LoadBooks) -> None:
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
