"""The ledger under any interleaving of runs, faults, deaths, months, restarts and a slow storage.

Storage is the one in memory; it takes its messages and answers when the machine says so, or fails.
"""

from __future__ import annotations

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from actors.base import Message
from actors.protocol import (
    Admitted,
    AttemptSettled,
    LoadBooks,
    Refused,
    Reserved,
    RunEnded,
)
from runtime.storage.memory import Standing
from tests.actors.desk import Desk

LIMIT = 1000
KEYS: dict[str | None, int | None] = {None: None, "k": 500, "free": None}
MONTH_S = 31 * 86_400.0
amounts = st.integers(0, 400)


class Interleavings(RuleBasedStateMachine):
    """Orchestrators that do what orchestrators do, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk(LIMIT, started=False)
        self.count = 0
        self.asked: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.waiting: set[str] = set()
        self.runs: dict[str, str | None] = {}
        self.reserving: set[str] = set()
        self.attempts: dict[str, tuple[int, tuple[tuple[str, str], ...]]] = {}
        self.lost: Counter[tuple[str, str]] = Counter()

    # --- what orchestrators do ---

    @rule(
        key=st.sampled_from(sorted(KEYS, key=str)),
        want=amounts,
        least=amounts,
        limit=st.none() | amounts,
        wait=st.sampled_from([0.0, 0.5, 60.0]),
        first=st.lists(amounts, max_size=3),
    )
    def admit(
        self,
        key: str | None,
        want: int,
        least: int,
        limit: int | None,
        wait: float,
        first: list[int],
    ) -> None:
        """Wants more than its first calls need: `want` is for the way the run ends."""
        self.count += 1
        run = f"r{self.count}"
        self.asked[run] += 1
        self.waiting.add(run)
        self.runs[run] = key
        want += sum(first)
        limits = {"limit": limit, "key_limit": KEYS[key]}
        asked = self.desk.admit(
            run, want, min(want, least), key=key, wait=wait, first=first, **limits
        )
        self.heard(asked)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), tokens=amounts, least=amounts, fixed=amounts)
    def reserve(self, data: st.DataObject, tokens: int, least: int, fixed: int) -> None:
        self.count += 1
        attempt = f"{data.draw(st.sampled_from(self.running))}.{self.count}"
        self.asked[attempt] += 1
        self.reserving.add(attempt)
        self.heard(self.desk.reserve(attempt, tokens, min(least, tokens), fixed))

    @precondition(lambda self: self.attempts)
    @rule(data=st.data(), percent=st.integers(0, 100))
    def settle(self, data: st.DataObject, percent: int) -> None:
        attempt = data.draw(st.sampled_from(sorted(self.attempts)))
        held, _ = self.attempts.pop(attempt)
        self.heard(self.desk.settle(attempt, held * percent // 100))

    @precondition(lambda self: self.attempts or self.reserving)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        attempt = data.draw(st.sampled_from(sorted(self.attempts.keys() | self.reserving)))
        self.attempts.pop(attempt, None)
        self.heard(self.desk.release(attempt))

    @precondition(lambda self: self.runs)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        self.end_run(data.draw(st.sampled_from(sorted(self.runs))))

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), crashed=st.booleans())
    def die(self, data: st.DataObject, crashed: bool) -> None:
        run = data.draw(st.sampled_from(sorted(self.runs)))
        self.forget(run)
        self.heard(self.desk.down(run, "KeyError: 'x'" if crashed else "normal"))

    @rule()
    def settle_what_nobody_reserved(self) -> None:
        before = self.desk.accounts().unknown_settlements
        self.heard(self.desk.settle("r0.0", 100))
        assert self.desk.accounts().unknown_settlements == before + 1

    # --- the world ---

    @precondition(lambda self: self.desk.inbox)
    @rule()
    def store(self) -> None:
        if isinstance(self.desk.inbox[0], LoadBooks):
            for place, standing in self.desk.storage.accounts.items():
                self.lost[place] += standing.leased
        self.heard(self.desk.store())

    @precondition(lambda self: self.desk.inbox)
    @rule()
    def fail(self) -> None:
        self.heard(self.desk.store(fail=True))

    @rule(seconds=st.sampled_from([0.005, 0.1, 1.0, 5.0]))
    def time_passes(self, seconds: float) -> None:
        self.heard(self.desk.wait(seconds))

    @rule(months=st.sampled_from([-1, 1]))
    def the_clock_steps(self, months: int) -> None:
        self.desk.context.wall_time += months * MONTH_S

    @rule()
    def the_ledger_dies(self) -> None:
        """Its askers hear of that, and nothing from it."""
        self.desk.restart()
        self.asked.clear()
        self.answered.clear()
        self.waiting.clear()
        self.reserving.clear()
        self.runs.clear()
        self.attempts.clear()

    # --- what must be true ---

    @invariant()
    def limits_hold_in_the_ledger(self) -> None:
        for account in self.desk.accounts().accounts:
            assert account.held_nano >= 0
            if account.limit_nano is not None:
                assert account.spent_nano + account.held_nano <= account.limit_nano

    @invariant()
    def limits_hold_in_storage(self) -> None:
        """At worst everything leased will have been spent."""
        for (owner, _), standing in self.desk.storage.accounts.items():
            limit = LIMIT if owner == "installation" else KEYS[owner.removeprefix("key:")]
            assert standing.leased >= 0
            assert limit is None or standing.spent + standing.leased <= limit

    @invariant()
    def whatever_may_be_sent_is_covered_by_storage(self) -> None:
        """Kill the ledger now: what is charged then is no less than what may be billed."""
        at_stake: Counter[tuple[str, str]] = Counter()
        for held, charged in self.attempts.values():
            at_stake.update(dict.fromkeys(charged, held))
        for place, nano in at_stake.items():
            standing = self.desk.storage.accounts.get(place, Standing())
            spent = next(
                account.spent_nano
                for account in self.desk.accounts().accounts
                if (account.owner, account.window) == place
            )
            assert spent + nano <= standing.spent + standing.leased

    @invariant()
    def nobody_is_answered_twice(self) -> None:
        assert not self.answered - self.asked

    def teardown(self) -> None:
        """When all has ended: everyone is answered, nothing is held, and the books agree."""
        for run in list(self.runs):
            self.end_run(run)
        for _ in range(12):
            self.heard(self.desk.wait(1.0))
            self.write_all()
        assert self.answered == self.asked
        assert all(account.held_nano == 0 for account in self.desk.accounts().accounts)
        assert self.desk.context.timers == {}
        assert self.desk.context.monitored == set()
        journalled: Counter[tuple[str, str]] = Counter()
        for write in self.desk.writes(AttemptSettled):
            journalled.update(dict.fromkeys(write.charged, write.call.cost_nano))
        for place, standing in self.desk.storage.accounts.items():
            assert standing.leased == 0
            assert standing.spent == journalled[place] + self.lost[place]

    # --- within ---

    @property
    def running(self) -> list[str]:
        return sorted(self.runs.keys() - self.waiting)

    def end_run(self, run: str) -> None:
        self.forget(run)
        self.asked[f"end {run}"] += 1
        self.heard(self.desk.end(run))

    def forget(self, run: str) -> None:
        assert f"run:{run}" in self.desk.context.monitored
        del self.runs[run]
        self.waiting.discard(run)
        for attempt in [a for a in self.attempts if a.startswith(f"{run}.")]:
            del self.attempts[attempt]

    def write_all(self) -> None:
        while self.desk.inbox:
            self.store()
        self.heard(self.desk.wait(0.005))

    def reserved(self, granted: Reserved) -> None:
        hold = self.desk.ledger._books.holds[granted.ticket]
        self.attempts[granted.ticket] = (granted.held_nano, hold.charged)

    def heard(self, messages: list[Message]) -> None:
        for message in messages:
            match message:
                case Admitted(ticket, reserved=first):
                    self.answered[ticket] += 1
                    self.waiting.remove(ticket)
                    for each in first:
                        self.reserved(each)
                case Reserved(ticket):
                    self.answered[ticket] += 1
                    self.reserving.remove(ticket)
                    self.reserved(message)
                case Refused(ticket):
                    self.answered[ticket] += 1
                    self.reserving.discard(ticket)
                case RunEnded(ticket):
                    self.answered[f"end {ticket}"] += 1


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(max_examples=60, stateful_step_count=40)
