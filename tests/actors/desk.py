"""A ledger at its desk: its messages, its storage and its time, each moved on by the test alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import msgspec

from actors.base import Command, Down, Message
from actors.cost_ledger import CostLedger
from actors.domain.model import Usage
from actors.protocol import (
    Account,
    AccountsListed,
    Admit,
    CallRecord,
    Commit,
    CommitFailed,
    EndRun,
    GetAccounts,
    LoadBooks,
    Order,
    Refused,
    Release,
    Reserve,
    Settle,
    Write,
)
from runtime.storage.memory import MemoryStorage
from tests.fakes import FakeContext

TOKEN = 1_000_000
"""The price, per million tokens, at which one token costs one nano-USD."""


class Desk:
    """What is told to the ledger crosses a mailbox; storage answers when the test says so."""

    def __init__(self, limit: int | None = None, *, started: bool = True) -> None:
        self.incarnations = 1
        self.context = FakeContext("ledger", draws=(1.0,))
        self.storage_context = FakeContext("storage")
        self.storage = MemoryStorage(self.storage_context)
        self.limit = limit
        self.ledger = CostLedger(self.context, limit)
        self.inbox: deque[Commit | LoadBooks] = deque()
        self.taken: list[Commit | LoadBooks] = []
        self.written: list[Write] = []
        self.answers: list[Message] = []
        self.ledger.started()
        self._collect()
        if started:
            self.store_all()

    # --- what is told ---

    def tell(self, message: Message) -> list[Message]:
        """Has the ledger handle `message`; returns whom it answered meanwhile."""
        data = msgspec.msgpack.encode(message)
        self.ledger.receive(msgspec.msgpack.decode(data, type=CostLedger.receives))
        return self._collect()

    def admit(
        self,
        run: str,
        want: int,
        least: int | None = None,
        *,
        limit: int | None = None,
        key: str | None = None,
        key_limit: int | None = None,
        wait: float = 60.0,
        first: Sequence[int] = (),
        **fields: Any,
    ) -> list[Message]:
        """`first` are the tokens that its first calls ask for: `run.1`, `run.2` and so on."""
        limits: dict[str, Any] = {"limit_nano": limit, "key_limit_nano": key_limit}
        order = Order(run, "vote", b"[]", 0, 60.0, 0, key=key, **limits, **fields)
        deadline = self.context.time + wait
        least = want if least is None else least
        calls = tuple(
            self._asking(f"{run}.{place}", tokens, tokens, 0, deadline)
            for place, tokens in enumerate(first, 1)
        )
        me = f"run:{run}"
        return self.tell(Admit(me, run, order, want, least, deadline, first=calls))

    def reserve(
        self,
        attempt: str,
        tokens: int,
        least: int | None = None,
        fixed: int = 0,
        wait: float = 60.0,
    ) -> list[Message]:
        least = tokens if least is None else least
        return self.tell(self._asking(attempt, tokens, least, fixed, self.context.time + wait))

    def settle(self, attempt: str, cost: int) -> list[Message]:
        call = CallRecord(attempt, "voter", "gpt", "openai", "ok", 1, 0.0, 1.0, Usage(), cost)
        return self.tell(Settle(attempt.partition(".")[0], call, "an answer"))

    def release(self, attempt: str) -> list[Message]:
        return self.tell(Release(attempt))

    def end(self, run: str) -> list[Message]:
        return self.tell(EndRun(f"run:{run}", run, "complete", b"{}"))

    def down(self, run: str, reason: str = "KeyError: 'x'") -> list[Message]:
        self.context.demonitor(f"run:{run}")
        return self.tell(Down(f"run:{run}", reason))

    # --- storage and time ---

    def store(self, *, fail: bool = False) -> list[Message]:
        """Storage takes its oldest message, and answers."""
        message = self.inbox.popleft()
        self.taken.append(message)
        if fail:
            epoch = message.epoch if isinstance(message, Commit) else 0
            return self.tell(CommitFailed(message.ticket, epoch, "the disk is full"))
        if isinstance(message, Commit) and message.epoch == self.storage.epoch:
            self.written += message.writes
        self.storage.receive(message)
        (answer,) = self.storage_context.take()
        return self.tell(answer)

    def store_all(self) -> list[Message]:
        """Storage answers, and time passes, until nothing is left to be written."""
        answers = []
        while self.inbox or any(
            type(message).__name__ == "GatherOver" for _, message in self.context.timers.values()
        ):
            answers += self.store() if self.inbox else self.wait(0.005)
        return answers

    def wait(self, seconds: float) -> list[Message]:
        return [answer for due in self.context.advance(seconds) for answer in self.tell(due)]

    def restart(self) -> None:
        """The ledger dies and a new one begins; storage goes on."""
        self.incarnations += 1
        now, wall = self.context.time, self.context.wall_time
        self.context = FakeContext("ledger", draws=(float(self.incarnations),))
        self.context.time, self.context.wall_time = now, wall
        self.ledger = CostLedger(self.context, self.limit, successor=True)
        self.ledger.started()
        self._collect()

    # --- how it stands ---

    def accounts(self) -> AccountsListed:
        (listed,) = self.tell(GetAccounts("asker", "t"))
        assert isinstance(listed, AccountsListed)
        return listed

    def account(self, owner: str) -> Account:
        """The latest account of an owner."""
        return max(
            (account for account in self.accounts().accounts if account.owner == owner),
            key=lambda account: account.window,
        )

    def figures(self, owner: str = "installation") -> tuple[int, int]:
        """What an owner has spent, and what is held of it."""
        account = self.account(owner)
        return account.spent_nano, account.held_nano

    def stored(self, owner: str = "installation") -> tuple[int, int]:
        """What storage knows that an owner has spent, and has leased."""
        found = [a for (o, _), a in sorted(self.storage.accounts.items()) if o == owner]
        return (found[-1].spent, found[-1].leased) if found else (0, 0)

    def writes(self, kind: type[Any]) -> list[Any]:
        return [write for write in self.written if isinstance(write, kind)]

    def _asking(
        self, attempt: str, tokens: int, least: int, fixed: int, deadline: float
    ) -> Reserve:
        run = attempt.partition(".")[0]
        what = (fixed, TOKEN, tokens, least, deadline, "voter", "gpt", "openai")
        return Reserve(f"run:{run}", attempt, run, *what)

    def _collect(self) -> list[Message]:
        told, self.context.told = self.context.told, []
        answers = [message for to, message in told if to != "storage"]
        self.inbox.extend(
            message
            for to, message in told
            if to == "storage" and isinstance(message, Commit | LoadBooks)
        )
        assert not any(isinstance(answer, Command) for answer in answers)
        self.answers += answers
        return answers


def admitted(desk: Desk, run: str, want: int, least: int | None = None) -> None:
    """Opens a run whose lease is durable."""
    desk.admit(run, want, least)
    desk.store_all()


def refused(message: object) -> Refused:
    assert isinstance(message, Refused)
    return message
