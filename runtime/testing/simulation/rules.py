"""What must hold, whatever happens.

After every turn of an actor:

1. `spent + held <= limit` for the installation, each key and each run, unless a vendor billed more
   than its worst case; and what is held is covered by a lease.
2. A call that reaches a vendor is covered by a hold that is still there.
3. A request is answered once, with one last event before it, and what a client is told is durable,
   unless it was told otherwise.

With every commit: an attempt is reserved once, settled once, and not released then; an answer in
the journal has its settlement beside it, for what the vendor billed; steps have no gaps, come
between the beginning and the end of their run, and answer no question twice; a run ends once.
(:class:`~runtime.testing.simulation.storage.Durable` sees to what a single row says.)

After a crash: whatever a vendor was heard to bill counts as spent; at the end it is within the
limits of its run, whichever processes the run went on in.

When all is quiet: nothing is held, leased, reserved, waiting, or watched; the books agree with the
settlements, the journal with the replies, and everybody who asked was answered.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from actors.base import Message
from actors.cost_ledger import CostLedger
from actors.domain.balance import Balance
from actors.domain.model import Model, Usage
from actors.domain.pricing import cost_nano
from actors.protocol import (
    Admitted,
    Answer,
    AttemptSettled,
    CallAnswered,
    CallErrored,
    CallFailed,
    Completed,
    Reserved,
    RunCost,
    RunEnded,
    StepsTaken,
    Write,
)
from actors.strategies.journal import told_by
from actors.strategies.plan import Answered
from runtime.kernel import System
from runtime.testing.simulation.storage import Durable, Place


class Rules:
    """Watches one simulation and calls `broken` with a sentence for each breach."""

    def __init__(self, models: Iterable[Model], broken: Callable[[str], None]) -> None:
        self._prices = {model.id: model.price for model in models}
        self._broken = broken
        self._charged: dict[str, tuple[Place, ...]] = {}
        self._epochs: dict[str, int] = {}
        self._models: dict[str, str] = {}
        self._answers: dict[str, Answer] = {}
        self._overbilled: defaultdict[str, int] = defaultdict(int)
        self._billed: defaultdict[Place, int] = defaultdict(int)
        self._billed_run: defaultdict[str, int] = defaultdict(int)
        self._heard: set[str] = set()
        self._not_durable: set[str] = set()
        self._last_events: Counter[str] = Counter()

    # --- what is seen to happen ---

    def process_began(self) -> None:
        """What an earlier process was told does not bind this one."""
        self._last_events.clear()
        self._charged.clear()
        self._heard.clear()

    def delivered(self, system: System, to: str, message: Message) -> None:
        match message:
            case Reserved(ticket):
                self._reserved(system, ticket)
            case Admitted(reserved=first):
                for each in first:
                    self._reserved(system, each.ticket)
            case Completed(ticket, answer) if to in system.cells:
                self._billed_for(ticket, answer.usage)
            case CallFailed(ticket, usage=Usage() as usage) if to in system.cells:
                self._billed_for(ticket, usage)
            case RunEnded(ticket, durable=False):
                self._not_durable.add(ticket)
            case _:
                pass

    def sent(self, system: System, attempt: str, model: str) -> None:
        """A vendor is called."""
        self._models[attempt] = model
        run = attempt.rpartition(".")[0]
        if attempt not in self._charged:
            self._broken(f"{attempt} goes to its vendor without a reservation")
        ledger = ledger_of(system)
        if ledger is None or not ledger._commits.epoch or f"run:{run}" not in system.cells:
            return
        if self._epochs.get(attempt) != ledger._commits.epoch:
            return  # the ledger before this one held it, and charged it in full
        if attempt not in ledger._books.holds:
            self._broken(f"{attempt} goes to its vendor, but nothing is held for it")

    def vendor_said(self, attempt: str, said: CallAnswered | CallErrored | Any) -> None:
        if isinstance(said, CallAnswered):
            self._answers[attempt] = said.answer

    def overbilled(self, attempt: str, usage: Usage) -> None:
        """A vendor bills more than its worst case: all limits of the attempt may be passed."""
        price = self._prices[self._models[attempt]]
        if price is None:
            return
        for owner in (*(place[0] for place in self._charged.get(attempt, ())), run_of(attempt)):
            self._overbilled[owner] += cost_nano(usage, price)

    def last_event(self, run: str) -> None:
        self._last_events[run] += 1
        if self._last_events[run] > 1:
            self._broken(f"{run} has a second last event")

    def ledger_lost(self, durable: Durable, runs: Iterable[str]) -> None:
        """A ledger fails: what its runs are told, or were just now, may not be on record."""
        self._not_durable.update(runs, durable.unfinished())

    def replied(self, durable: Durable, run: str, http_status: int, body: bytes) -> None:
        """A client is told this by the orchestrator of its run."""
        if self._last_events[run] != 1:
            self._broken(f"{run} is answered with {self._last_events[run]} last events")
        if run in self._not_durable:
            return
        row = durable.runs.get(run)
        if row is not None and (row.http_status, row.body) != (http_status, body):
            self._broken(f"{run} is answered with {http_status}, the journal has {row.status}")
        if row is None and http_status == 200:
            self._broken(f"{run} is answered, but the journal does not know it")

    def check_cost(self, durable: Durable, run: str, cost: RunCost) -> None:
        """What a client is told that it cost is what is on record."""
        if run in self._not_durable:
            return
        spent = sum(record.cost_nano for record in durable.calls_of(run)[0])
        if cost.spent_nano != spent:
            self._broken(f"{run} is told that it cost {cost.spent_nano}, the journal has {spent}")

    # --- after every turn ---

    def check_books(self, system: System) -> None:
        ledger = ledger_of(system)
        if ledger is None:
            return
        books = ledger._books
        for balance in books._months.values():
            if balance.held > balance.leased + balance.leasing:
                self._broken(f"more of {balance.owner} is held than leased")
            self._check_limit(balance)
        for run in books.runs.values():
            self._check_limit(run.own)

    def check_sums(self, system: System) -> None:
        """Every hold and pot is in `held`, and nothing else is."""
        if (ledger := ledger_of(system)) is None:
            return
        held: defaultdict[int, int] = defaultdict(int)
        for run in ledger._books.runs.values():
            for balance in run.balances:
                held[id(balance)] += run.pot
        for hold in ledger._books.holds.values():
            for balance in (hold.run.own, *hold.shared):
                held[id(balance)] += hold.amount
        for balance in ledger._books._months.values():
            if balance.held != held[id(balance)]:
                self._broken(f"{balance.owner} holds {balance.held}, its holds {held[id(balance)]}")

    def _check_limit(self, balance: Balance) -> None:
        if balance.limit is None:
            return
        over = balance.spent + balance.held - balance.limit
        if over > 0 and over > self._overbilled[balance.owner] and balance.held >= 0:
            self._broken(
                f"{balance.owner}: {balance.spent} spent + {balance.held} held "
                f"> {balance.limit} {balance.window}"
            )

    # --- with every commit ---

    def committed(self, durable: Durable, writes: tuple[Write, ...]) -> None:
        answered: Counter[str] = Counter()
        for write in writes:
            match write:
                case AttemptSettled(run=run, call=call):
                    self._check_cost(write)
                    if call.status in ("ok", "invalid") and not write.text:
                        answered[run] += 1
                case StepsTaken(run=run, steps=steps):
                    told = [told_by(step) for step in steps if step.kind == "answer"]
                    answered[run] -= sum(isinstance(each, Answered) for each in told)
                case _:
                    pass
        for run, difference in answered.items():
            if difference:
                self._broken(f"{run}: answers and settlements differ by {difference} in a commit")
        for (owner, window), standing in durable.accounts.items():
            if standing.limit is None:
                continue
            over = standing.spent + standing.leased - standing.limit
            if over > 0 and over > self._overbilled[owner]:
                self._broken(f"{owner} {window}: spent and leased are {over} over the limit")

    def _check_cost(self, write: AttemptSettled) -> None:
        call, answer = write.call, self._answers.get(write.call.attempt_id)
        price = self._prices.get(call.model)
        if call.status in ("ok", "invalid"):
            if answer is None:
                self._broken(f"{call.attempt_id} is settled as {call.status}, but has no answer")
                return
            cost = 0 if price is None else cost_nano(answer.usage, price)
            if call.cost_nano != cost or call.usage != answer.usage:
                self._broken(f"{call.attempt_id} is settled for {call.cost_nano}, billed {cost}")
        elif call.cost_nano > write.held_nano and not self._overbilled[run_of(call.attempt_id)]:
            self._broken(f"{call.attempt_id} has failed and costs more than was held")

    # --- after a crash, and at the end ---

    def check_bills(self, durable: Durable) -> None:
        for place, billed in self._billed.items():
            spent, leased = durable.standing(place).spent, durable.standing(place).leased
            if billed > spent + leased + self._overbilled[place[0]]:
                self._broken(f"vendors billed {billed} to {place}, but only {spent} is spent")

    def check_ends(self, durable: Durable) -> bool:
        """Whether runs are left to the next engine: those whose end could not be written."""
        unfinished = durable.unfinished()
        for run in unfinished:
            if run not in self._not_durable:
                self._broken(f"{run} never ended in the journal")
        return bool(unfinished)

    def check_journal(self, durable: Durable) -> None:
        """Nothing is open, and the accounts are the sums of their settlements at least."""
        sums: defaultdict[Place, int] = defaultdict(int)
        for id, row in durable.attempts.items():
            if row.record is None:
                self._broken(f"{id} was reserved, and never settled or released")
            else:
                for place in row.charged:
                    sums[place] += row.record.cost_nano
        for place, standing in durable.accounts.items():
            if standing.leased:
                self._broken(f"{standing.leased} of {place} are leased for nothing")
            if sums[place] > standing.spent or (
                durable.epoch == 1 and sums[place] != standing.spent
            ):
                self._broken(f"{place}: {standing.spent} spent, {sums[place]} settled")
        for id, run in durable.runs.items():
            if run.status == "running":
                self._broken(f"{id} never ended in the journal")
            limit, billed = run.order.limit_nano, self._billed_run[f"run:{id}"]
            if limit is not None and billed > limit + self._overbilled[f"run:{id}"]:
                self._broken(f"vendors billed {billed} to {id}, its limit is {limit}")

    def check_quiet(self, system: System, durable: Durable) -> None:
        """No request is under way any more."""
        ledger = ledger_of(system)
        if ledger is None:
            self._broken("the ledger is not there")
            return
        if ledger._books.runs or ledger._books.holds:
            self._broken(f"the ledger still holds for {[*ledger._books.runs]}")
        for balance in ledger._books._months.values():
            if balance.held or balance.leased or balance.leasing:
                self._broken(f"{balance.owner} {balance.window} is not idle: {balance}")
            spent = durable.standing((balance.owner, balance.window)).spent
            if balance.spent != spent:
                self._broken(f"{balance.owner}: {balance.spent} in the books, {spent} on disk")
        for address, cell in system.cells.items():
            if address.startswith("run:"):
                self._broken(f"{address} is still there: {cell!r}")
            if left := [one for one in cell.watchers or () if one.startswith(("run:", "ask:"))]:
                self._broken(f"{address} is watched by {left}")
            if cell.queued_messages:
                self._broken(f"{address} has not read {cell.queued_messages} messages")

    # --- within ---

    def _reserved(self, system: System, attempt: str) -> None:
        ledger = ledger_of(system)
        if ledger is None or (hold := ledger._books.holds.get(attempt)) is None:
            self._broken(f"{attempt} is told that it is reserved, but nothing is held")
            return
        self._charged[attempt] = hold.charged
        self._epochs[attempt] = ledger._commits.epoch

    def _billed_for(self, attempt: str, usage: Usage) -> None:
        if attempt in self._heard:
            self._broken(f"{attempt} is answered twice")
        self._heard.add(attempt)
        if (price := self._prices[self._models[attempt]]) is not None:
            self._billed_run[run_of(attempt)] += cost_nano(usage, price)
            for place in self._charged.get(attempt, ()):
                self._billed[place] += cost_nano(usage, price)


def ledger_of(system: System) -> CostLedger | None:
    behaviour = getattr(system.cells.get("ledger"), "behaviour", None)
    return behaviour if isinstance(behaviour, CostLedger) else None


def run_of(attempt: str) -> str:
    return "run:" + attempt.rpartition(".")[0]
