"""Storage of a simulation: what is durable outlives every actor and every process.

It recovers as the database does: what a dead ledger left leased is spent, what it left reserved is
charged in full, and its runs are interrupted, unless somebody still wants them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, ClassVar, TypeAlias, assert_never

from actors.base import Actor, Context, Message
from actors.domain.money import month_of
from actors.protocol import (
    Account,
    AttemptReleased,
    AttemptReserved,
    AttemptSettled,
    BooksLoaded,
    CallRecord,
    Commit,
    CommitFailed,
    Committed,
    LeaseReturned,
    LeaseTaken,
    LoadBooks,
    Order,
    RunBegan,
    RunClosed,
    Step,
    StepsTaken,
    StorageMessage,
    Write,
)
from runtime.testing.simulation.scenario import Weather

Place: TypeAlias = tuple[str, str]


@dataclass(slots=True)
class Standing:
    limit: int | None = None
    spent: int = 0
    leased: int = 0


@dataclass(slots=True)
class AttemptRow:
    """`record` is None while it is reserved."""

    run: str
    held: int
    charged: tuple[Place, ...]
    record: CallRecord | None = None
    uncertain: bool = False


@dataclass(slots=True)
class RunRow:
    order: Order
    steps: list[Step] = field(default_factory=list)
    status: str = "running"
    http_status: int = 0
    body: bytes = b""


@dataclass
class Durable:
    """`broken` is told what should never be written."""

    broken: Callable[[str], None]
    epoch: int = 0
    accounts: dict[Place, Standing] = field(default_factory=dict)
    attempts: dict[str, AttemptRow] = field(default_factory=dict)
    runs: dict[str, RunRow] = field(default_factory=dict)
    _reopened: dict[str, tuple[str, int, bytes]] = field(default_factory=dict)

    def apply(self, writes: tuple[Write, ...]) -> None:
        for write in writes:
            self._write(write)
        for run in self._reopened:
            self.broken(f"{run} begins again, but it has ended")
        self._reopened.clear()

    def recover(self, at: float) -> tuple[Account, ...]:
        """A new epoch begins; returns the accounts that still matter."""
        self.epoch += 1
        explained = self._charge_reserved()
        for place, standing in self.accounts.items():
            if explained.get(place, 0) > standing.leased:
                self.broken(f"more is reserved under {place} than was leased")
            standing.spent += max(standing.leased, explained.get(place, 0))
            standing.leased = 0
        for run in self.runs.values():
            if run.status == "running" and not run.order.wanted:
                run.status, run.http_status, run.body = "interrupted", 500, b"{}"
        return tuple(
            Account(owner, window, standing.limit, standing.spent, 0)
            for (owner, window), standing in self.accounts.items()
            if window >= month_of(at)
        )

    def unfinished(self) -> list[str]:
        return [id for id, run in self.runs.items() if run.status == "running"]

    def calls_of(self, run: str) -> tuple[tuple[CallRecord, ...], int]:
        """The records of its calls, and the number of the last attempt made for it."""
        rows = {id: row for id, row in self.attempts.items() if row.run == run}
        records = tuple(row.record for row in rows.values() if row.record is not None)
        return records, max((int(id.rpartition(".")[2]) for id in rows), default=0)

    def standing(self, place: Place) -> Standing:
        return self.accounts.setdefault(place, Standing())

    def _charge_reserved(self) -> dict[Place, int]:
        sums: dict[Place, int] = {}
        for id, row in self.attempts.items():
            if row.record is None:
                row.record = _uncertain(id, row.held)
                row.uncertain = True
                for place in row.charged:
                    sums[place] = sums.get(place, 0) + row.held
        return sums

    def _write(self, write: Write) -> None:
        match write:
            case LeaseTaken(account, window, amount, limit):
                standing = self.standing((account, window))
                standing.leased += amount
                standing.limit = limit
            case LeaseReturned(account, window, amount):
                standing = self.standing((account, window))
                standing.leased -= amount
                if standing.leased < 0:
                    self.broken(f"more of {account} {window} is returned than was leased")
            case RunBegan(order, _, steps):
                self._begin(order, steps)
            case AttemptReserved():
                self._reserve(write)
            case AttemptReleased(attempt):
                row = self.attempts.get(attempt)
                if row is not None and row.record is not None:
                    self.broken(f"{attempt} is released, but it was settled")
                self.attempts.pop(attempt, None)
            case AttemptSettled():
                self._settle(write)
            case StepsTaken(run, steps):
                for step in steps:
                    self._step(run, step)
            case RunClosed():
                self._close(write)
            case _:
                assert_never(write)

    def _begin(self, order: Order, steps: tuple[Step, ...]) -> None:
        """`steps` replace its journal, which must not lose any of it."""
        row = self.runs.setdefault(order.run, RunRow(order))
        if row.status not in ("running", "interrupted"):
            self._reopened[order.run] = (row.status, row.http_status, row.body)
        if tuple(row.steps) != steps[: len(row.steps)]:
            self.broken(f"{order.run} begins with {len(steps)} steps, it had {len(row.steps)}")
        row.status, row.steps = "running", list(steps)

    def _reserve(self, write: AttemptReserved) -> None:
        if write.attempt in self.attempts:
            self.broken(f"{write.attempt} is reserved twice")
        row = AttemptRow(write.run, write.held_nano, write.charged)
        self.attempts[write.attempt] = row

    def _settle(self, write: AttemptSettled) -> None:
        id, cost = write.call.attempt_id, write.call.cost_nano
        row = self.attempts.setdefault(id, AttemptRow(write.run, write.held_nano, write.charged))
        if row.record is not None:
            self.broken(f"{id} is settled twice")
        row.record, row.uncertain = write.call, write.uncertain
        for place in write.charged:
            standing = self.standing(place)
            standing.spent += cost
            standing.leased -= min(cost, write.held_nano)

    def _step(self, run: str, step: Step) -> None:
        row = self.runs.get(run)
        if row is None or row.status != "running":
            self.broken(f"{run} takes step {step.number}, but it is not under way")
            return
        if step.number != len(row.steps) + 1:
            self.broken(f"{run} takes step {step.number} after {len(row.steps)}")
        if step.kind == "answer" and any(
            s.key == step.key for s in row.steps if s.kind == "answer"
        ):
            self.broken(f"{run} is answered twice under {step.key}: something was bought again")
        row.steps.append(step)

    def _close(self, write: RunClosed) -> None:
        row = self.runs.get(write.run)
        if row is None:
            return  # refused before it was begun
        ended = self._reopened.pop(write.run, (row.status, row.http_status, row.body))
        if ended == (write.status, write.http_status, write.body):
            pass  # the ledger fell over the news, and was told again
        elif ended[0] not in ("running", "interrupted"):
            self.broken(f"{write.run} ends twice")
        row.status, row.http_status, row.body = write.status, write.http_status, write.body


@dataclass
class Disk:
    """Where it lies, and what may go wrong there.  A `crashed` disk does nothing more."""

    durable: Durable
    weather: Weather
    draw: Random
    clock: Callable[[], float]
    committed: Callable[[tuple[Write, ...]], None]
    calm: bool = False
    crashed: bool = False

    def delay_s(self) -> float:
        if self.calm or self.draw.random() >= self.weather.commit_slow:
            return 0.0
        return self.draw.uniform(0, self.weather.slow_s)

    def fails(self) -> bool:
        if self.calm:
            return False
        locked = any(start <= self.clock() < end for start, end in self.weather.locked)
        return locked or self.draw.random() < self.weather.commit_fails

    def kills(self) -> bool:
        """The process dies here."""
        if self.calm or self.draw.random() >= self.weather.commit_kills / 2:
            return False
        self.crashed = True
        return True


class DiskDone(Message, frozen=True, gc=False):
    """A slow write has come to its end."""


class SimulatedStorage(Actor):
    """Does one thing after the other."""

    receives: ClassVar[Any] = StorageMessage | DiskDone

    def __init__(self, ctx: Context, disk: Disk) -> None:
        super().__init__(ctx)
        self._disk = disk
        self._queue: deque[StorageMessage] = deque()

    def __repr__(self) -> str:
        return f"<SimulatedStorage: {len(self._queue)} waiting>"

    def receive(self, message: StorageMessage | DiskDone) -> None:
        match message:
            case Commit() | LoadBooks():
                self._queue.append(message)
                if len(self._queue) == 1:
                    self._next()
            case DiskDone():
                self._finish()
                self._next()
            case _:
                assert_never(message)

    def _next(self) -> None:
        while self._queue:
            if delay_s := self._disk.delay_s():
                self.ctx.after(delay_s, DiskDone())
                return
            self._finish()

    def _finish(self) -> None:
        command, disk = self._queue.popleft(), self._disk
        if disk.crashed or disk.kills():
            return
        if disk.fails():
            epoch = command.epoch if isinstance(command, Commit) else 0
            self.ctx.reply(command, CommitFailed(command.ticket, epoch, "the disk is full"))
            return
        match command:
            case Commit():
                self._commit(command)
            case LoadBooks():
                accounts = disk.durable.recover(command.at)
                loaded = BooksLoaded(
                    command.ticket, disk.durable.epoch, accounts, tuple(disk.durable.unfinished())
                )
                self.ctx.reply(command, loaded)
            case _:
                assert_never(command)

    def _commit(self, commit: Commit) -> None:
        ticket, epoch, disk = commit.ticket, commit.epoch, self._disk
        if epoch != disk.durable.epoch:
            self.ctx.reply(commit, CommitFailed(ticket, epoch, "of an older epoch"))
            return
        disk.durable.apply(commit.writes)
        disk.committed(commit.writes)
        if not disk.kills():
            self.ctx.reply(commit, Committed(ticket, epoch))


def _uncertain(attempt: str, held: int) -> CallRecord:
    error = "the engine died before it was settled"
    fields: dict[str, Any] = {"cost_nano": held, "estimated": True, "error": error}
    return CallRecord(attempt, "answer", "", "", "failed", 0, 0.0, 0.0, **fields)
