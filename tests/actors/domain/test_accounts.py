"""The arithmetic of money under any order of operations."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from actors.domain.accounts import INSTALLATION, Books, Hold, RunAccounts, Short
from actors.domain.balance import Balance
from actors.domain.pricing import output_cost
from actors.protocol import Account, Admit, Order, Reserve

LIMITS = {"a": 400, "b": None}
MONTHS = ("2026-09", "2026-10", "2026-11")
amounts = st.integers(0, 300)


def order(run: str, key: str | None = None, limit: int | None = None) -> Order:
    key_limit = None if key is None else LIMITS[key]
    return Order(
        run, "vote", b"[]", 0, 60.0, 0, key=key, limit_nano=limit, key_limit_nano=key_limit
    )


def asking(order: Order, want: int, least: int) -> Admit:
    return Admit("run", order.run, order, want, least, 60.0)


def reserve(attempt: str, run: str, fixed: int, tokens: int, least: int) -> Reserve:
    """Output costs one nano-USD a token here."""
    return Reserve("asker", attempt, run, fixed, 1_000_000, tokens, least, 0.0)


class AnyOrder(RuleBasedStateMachine):
    """Books with a limited installation, a limited and an unlimited key, and limited runs."""

    runs: Bundle[RunAccounts] = Bundle("runs")
    holds: Bundle[Hold] = Bundle("holds")

    def __init__(self) -> None:
        super().__init__()
        self.books = Books(1000)
        self.books.turn(MONTHS[0])
        self.leases: list[tuple[Balance, int]] = []
        self.count = 0

    def name(self) -> str:
        self.count += 1
        return str(self.count)

    def lease(self, balances: tuple[Balance, ...]) -> None:
        for balance in balances:
            if amount := balance.lease_more():
                self.leases.append((balance, amount))

    @rule(
        target=runs,
        key=st.sampled_from([None, "a", "b"]),
        limit=st.none() | amounts,
        want=amounts,
        least=amounts,
    )
    def admit(self, key: str | None, limit: int | None, want: int, least: int) -> object:
        least = min(want, least)
        run = self.books.admit(asking(order(self.name(), key, limit), want, least), 0.0)
        if isinstance(run, Short):
            assert any(balance.room < least for balance in run.balances)
            return multiple()
        assert least <= run.pot <= want
        self.lease(run.shared)
        return run

    @rule(target=holds, run=runs, fixed=amounts, tokens=amounts, least=amounts, block=st.booleans())
    def reserve(self, run: RunAccounts, fixed: int, tokens: int, least: int, block: bool) -> object:
        if run.id not in self.books.runs:
            return multiple()
        least = min(least, tokens)
        asked = reserve(self.name(), run.id, fixed, tokens, least)
        blocked = set(run.shared) if block else set()
        hold = self.books.reserve(run, asked, 0.0, blocked)
        if isinstance(hold, Short):
            assert fixed + least > run.pot
            return multiple()
        assert least <= hold.max_tokens <= tokens
        assert hold.amount == fixed + output_cost(hold.max_tokens, 1_000_000)
        assert hold.beyond_pot == 0 or blocked.isdisjoint(hold.shared)
        self.lease(hold.shared)
        return hold

    @rule(hold=holds, percent=st.integers(0, 100))
    def settle(self, hold: Hold, percent: int) -> None:
        """Only what was answered is settled, and so what is covered."""
        self.leases_are_committed()
        known = hold.asked.ticket in self.books.holds
        cost = hold.amount * percent // 100
        assert (self.books.settle(hold.asked.ticket, cost) is not None) == known

    @rule(hold=holds)
    def release(self, hold: Hold) -> None:
        known = hold.asked.ticket in self.books.holds
        assert (self.books.release(hold.asked.ticket) is not None) == known

    @rule(run=consumes(runs))
    def end(self, run: RunAccounts) -> None:
        self.books.end(run)
        assert run.own.held == 0

    @rule(month=st.sampled_from(MONTHS))
    def turn(self, month: str) -> None:
        before = self.books.month
        self.books.turn(month)
        assert self.books.month == max(before, month)

    @rule()
    def leases_are_committed(self) -> None:
        for balance, amount in self.leases:
            balance.lease_ended(amount, committed=True)
        self.leases.clear()

    @rule()
    def look(self) -> None:
        self.books.look()
        for balance, amount in self.books.spare_leases():
            assert amount > 0
            assert balance.is_covered

    @invariant()
    def limits_hold(self) -> None:
        for account in self.books.report():
            assert account.held_nano >= 0
            if account.limit_nano is not None:
                assert account.spent_nano + account.held_nano <= account.limit_nano

    @invariant()
    def leases_cover_and_keep_the_limits(self) -> None:
        for balance in self.books._months.values():
            promised = balance.leased + balance.leasing
            assert balance.leased >= 0
            assert balance.held <= promised
            if balance.limit is not None:
                assert balance.spent + promised <= balance.limit

    @invariant()
    def held_is_the_sum_of_holds_and_pots(self) -> None:
        held = sum(account.held_nano for account in self.books.report() if account.window == "run")
        of_months = sum(b.held for b in self.books._months.values() if b.owner == INSTALLATION)
        pots = sum(run.pot for run in self.books.runs.values())
        assert held == of_months == pots + sum(hold.amount for hold in self.books.holds.values())


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=100, stateful_step_count=30)


def test_what_is_spent_refuses_for_good_and_what_is_held_for_now() -> None:
    """`final` names the account whose limit cannot be met whatever others give back."""
    books = Books(100)
    run = books.admit(asking(order("1"), 60, 60), 0.0)
    assert isinstance(run, RunAccounts)
    waits = books.admit(asking(order("2"), 60, 60), 0.0)
    assert isinstance(waits, Short)
    assert waits.final is None
    hold = books.reserve(run, reserve("1.1", "1", 60, 0, 0), 0.0)
    assert isinstance(hold, Hold)
    books.settle("1.1", 60)
    spent = books.admit(asking(order("2"), 60, 60), 0.0)
    assert isinstance(spent, Short)
    assert spent.final is not None
    assert spent.final.owner == INSTALLATION


def test_an_overrun_is_spent_in_full_and_closes_the_limit() -> None:
    """A bill above the hold is real money; but what costs nothing still passes."""
    books = Books(100)
    run = books.admit(asking(order("1"), 50, 50), 0.0)
    assert isinstance(run, RunAccounts)
    books.reserve(run, reserve("1.1", "1", 50, 0, 0), 0.0)
    books.settle("1.1", 130)
    books.end(run)
    assert isinstance(books.admit(asking(order("2"), 1, 1), 0.0), Short)
    assert isinstance(books.admit(asking(order("3"), 0, 0), 0.0), RunAccounts)
    assert books.report()[0] == Account(INSTALLATION, "", 100, 130, 0)


def test_what_no_sum_can_take_is_refused_even_without_a_limit() -> None:
    """Sums stay within 64 bits."""
    books = Books(None)
    refused = books.admit(asking(order("1"), 2**63, 2**63), 0.0)
    assert isinstance(refused, Short)
    assert refused.final is not None


def test_a_blocked_account_gives_only_what_the_pot_has() -> None:
    """Whoever waits there comes first, even if less would fit."""
    books = Books(1000)
    run = books.admit(asking(order("1"), 50, 50), 0.0)
    assert isinstance(run, RunAccounts)
    hold = books.reserve(run, reserve("1.1", "1", 10, 100, 20), 0.0, run.shared)
    assert isinstance(hold, Hold)
    assert (hold.amount, hold.max_tokens, hold.clamped) == (50, 40, True)
    more = books.reserve(run, reserve("1.2", "1", 10, 100, 20), 0.0, run.shared)
    assert isinstance(more, Short)


def test_past_months_are_forgotten_once_nothing_is_held_there() -> None:
    """Accounts do not gather; the present month stays."""
    books = Books(100)
    books.load([Account(INSTALLATION, "2026-09", None, 90, 0)])
    books.turn("2026-10")
    books.look()
    assert books.report() == [Account(INSTALLATION, "2026-10", 100, 0, 0)]
