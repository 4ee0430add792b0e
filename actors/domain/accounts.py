"""The arithmetic of money: accounts, pots, holds and leases.

An *account* is what one owner may spend in one window: a run while it lasts, an API key in a
month, the whole installation in a month.  A *hold* is the worst case of an attempt under way.  A
*pot* is held for a run that was admitted; its attempts draw their holds from it first.  A *lease*
is the part of a key's or the installation's account that storage knows to be in use by this
ledger; what is lost with the ledger is no more than that.

What holds for every account after every operation, whatever the order of operations:

1. `spent + held <= limit`, until a vendor bills more than its worst case.
2. `held <= leased + leasing`, and `spent + leased + leasing <= limit`: each hold is covered by a
   lease, committed or under way, and a lease never promises more than the limit does.
3. A hold is taken under all accounts of its run or under none, and is charged to the month it was
   taken in.  Months only go forward: a clock that steps back reopens nothing.
4. `held` is the sum of the holds and pots under it: nothing when nothing runs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from actors.domain.balance import Balance
from actors.domain.pricing import output_cost, tokens_that_fit
from actors.protocol import Account, Admit, Reserve

INSTALLATION = "installation"
RUN_WINDOW = "run"


@dataclass(eq=False, slots=True)
class RunAccounts:
    """The accounts of a run admitted `at`: its `own`, and those it shares with other runs.

    `lasting` says that its own limit must hold across restarts, because it may be carried on.
    """

    id: str
    mode: str
    key: str | None
    key_limit: int | None
    month: str
    own: Balance
    shared: tuple[Balance, ...]
    at: float
    pot: int = 0
    answered: bool = False
    lasting: bool = False
    attempts: dict[str, None] = field(default_factory=dict)

    @property
    def balances(self) -> tuple[Balance, ...]:
        return (self.own, *self.shared)

    def hold(self, amount: int) -> None:
        """Holds under all accounts; with a negative amount, frees."""
        for balance in self.balances:
            balance.held += amount


@dataclass(eq=False, slots=True)
class Hold:
    """The money of one attempt.  `beyond_pot` is the part that its run's pot did not have;
    `answered` says that its asker has been told, so that the vendor may have been called.
    """

    asked: Reserve
    run: RunAccounts
    shared: tuple[Balance, ...]
    amount: int
    max_tokens: int
    beyond_pot: int
    at: float
    answered: bool = False

    @property
    def clamped(self) -> bool:
        return self.max_tokens < self.asked.max_tokens

    @property
    def charged(self) -> tuple[tuple[str, str], ...]:
        """The accounts it is charged to, besides the run's own."""
        return tuple((balance.owner, balance.window) for balance in self.shared)


class Short(NamedTuple):
    """It does not fit under `balances`; never will, under `final`, for what is spent there."""

    needed: int
    balances: tuple[Balance, ...]
    final: Balance | None


class Books:
    """All accounts of one ledger.  Amounts are nano-USD, months as `2026-11`."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._months: dict[tuple[str, str], Balance] = {}
        self.month = ""
        self.runs: dict[str, RunAccounts] = {}
        self.holds: dict[str, Hold] = {}

    def load(self, accounts: Iterable[Account]) -> None:
        """Takes over what had been spent."""
        for account in accounts:
            balance = self._balance(account.owner, account.window, account.limit_nano)
            balance.spent = account.spent_nano
            self.turn(account.window)

    def turn(self, month: str) -> bool:
        """It is `month` now, unless a later one was seen before; whether that is new."""
        if month <= self.month:
            return False
        self.month = month
        return True

    def limit(self, limit: int | None) -> None:
        """Changes what the installation may spend in a month."""
        self._limit = limit
        self._balance(INSTALLATION, self.month, limit)

    # --- runs ---

    def admit(
        self, asked: Admit, at: float, blocked: Collection[Balance] = ()
    ) -> RunAccounts | Short:
        """Opens a run with a pot between what it wants and the least it can do with.

        If that is all it wants, its first calls have their holds out of it.  Who waits under a
        `blocked` account comes first there.
        """
        order, want, least = asked.order, asked.want_nano, asked.least_nano
        own = Balance(f"run:{order.run}", RUN_WINDOW, order.limit_nano)
        own.spent = asked.spent_nano
        shared = self._shared(order.key, order.key_limit_nano)
        run = RunAccounts(
            *(order.run, order.mode, order.key, order.key_limit_nano, self.month, own, shared, at)
        )
        if (short := _short(run.balances, least, blocked)) is not None:
            return short
        run.pot = max(least, min(want, *(balance.room for balance in run.balances)))
        run.hold(run.pot)
        run.lasting = order.wanted and order.limit_nano is not None
        self.runs[run.id] = run
        if run.pot == want:
            for first in asked.first:
                self.reserve(run, first, at)
        return run

    def end(self, run: RunAccounts) -> list[Hold]:
        """Closes a run and frees what it held; returns the holds that were never settled."""
        left = [self.holds.pop(attempt) for attempt in run.attempts]
        for hold in left:
            self._free(hold)
        run.attempts.clear()
        run.hold(-run.pot)
        run.pot = 0
        self.runs.pop(run.id, None)
        return left

    # --- attempts ---

    def reserve(
        self, run: RunAccounts, asked: Reserve, at: float, blocked: Collection[Balance] = ()
    ) -> Hold | Short:
        """Holds an attempt's worst case, with fewer tokens if need be."""
        self._follow_month(run)
        tokens, amount = asked.max_tokens, _cost(asked, asked.max_tokens)
        if amount > run.pot:
            least = _cost(asked, asked.least_tokens)
            if (short := _short(run.balances, least - run.pot, blocked)) is not None:
                return short
            if amount > (means := _means(run, blocked)):
                tokens = _affordable(asked, means)
                amount = _cost(asked, tokens)
        beyond = max(0, amount - run.pot)
        run.pot -= amount - beyond
        if beyond:
            run.hold(beyond)
        hold = Hold(asked, run, run.shared, amount, tokens, beyond, at)
        self.holds[asked.ticket] = hold
        run.attempts[asked.ticket] = None
        return hold

    def settle(self, attempt: str, cost: int) -> Hold | None:
        """Replaces a hold by its cost; None for an attempt that holds nothing."""
        if (hold := self._take(attempt)) is not None:
            hold.run.own.settle(hold.amount, cost)
            for balance in hold.shared:
                balance.settle(hold.amount, cost)
        return hold

    def release(self, attempt: str) -> Hold | None:
        """Frees a hold; None for an attempt that holds nothing."""
        if (hold := self._take(attempt)) is not None:
            self._free(hold)
        return hold

    # --- leases ---

    def spare_leases(self, *, at_last: bool = False) -> Iterator[tuple[Balance, int]]:
        """Takes back what of the leases is not held and exceeds recent use; `at_last` that too."""
        for balance in list(self._months.values()):
            if amount := balance.give_back(0 if at_last else balance.recent):
                yield balance, amount

    def look(self) -> None:
        """A while has passed: what was used in it is the recent use now; past months go."""
        for place, balance in list(self._months.items()):
            balance.recent, balance.used = balance.used, 0
            if balance.window < self.month and balance.idle:
                del self._months[place]

    @property
    def idle(self) -> bool:
        """Whether nothing is held, and nothing leased."""
        return all(balance.idle for balance in self._months.values())

    def report(self) -> list[Account]:
        self._balance(INSTALLATION, self.month, self._limit)
        runs = (run.own for run in self.runs.values())
        return [balance.report() for balance in (*self._months.values(), *runs)]

    # --- within ---

    def _balance(self, owner: str, window: str, limit: int | None) -> Balance:
        balance = self._months.get((owner, window))
        if balance is None:
            balance = self._months[owner, window] = Balance(owner, window, limit)
        balance.limit = limit
        return balance

    def _shared(self, key: str | None, key_limit: int | None) -> tuple[Balance, ...]:
        installation = self._balance(INSTALLATION, self.month, self._limit)
        if key is None:
            return (installation,)
        return (self._balance(f"key:{key}", self.month, key_limit), installation)

    def _follow_month(self, run: RunAccounts) -> None:
        """A run that goes on in a new month is charged there, and its pot has stayed behind."""
        if run.month == self.month:
            return
        run.hold(-run.pot)
        run.pot = 0
        run.month, run.shared = self.month, self._shared(run.key, run.key_limit)

    def _take(self, attempt: str) -> Hold | None:
        hold = self.holds.pop(attempt, None)
        if hold is not None:
            del hold.run.attempts[attempt]
        return hold

    def _free(self, hold: Hold) -> None:
        for balance in (hold.run.own, *hold.shared):
            balance.held -= hold.amount


def _short(
    balances: tuple[Balance, ...], needed: int, blocked: Collection[Balance]
) -> Short | None:
    """Where `needed` more cannot be held now; None where it can."""
    if needed <= 0:
        return None
    short = tuple(b for b in balances if b.room < needed or b in blocked)
    if not short:
        return None
    return Short(needed, short, next((b for b in short if b.unspent < needed), None))


def _means(run: RunAccounts, blocked: Collection[Balance]) -> int:
    """What an attempt of the run may take: its pot, and the room where nobody waits."""
    if any(balance in blocked for balance in run.balances):
        return run.pot
    return run.pot + max(0, min(balance.room for balance in run.balances))


def _cost(asked: Reserve, tokens: int) -> int:
    """Of an attempt whose answer has so many tokens."""
    return asked.fixed_nano + output_cost(tokens, asked.output_price)


def _affordable(asked: Reserve, means: int) -> int:
    """The tokens that an attempt gets for its means."""
    fit = tokens_that_fit(means - asked.fixed_nano, asked.output_price)
    return max(asked.least_tokens, min(asked.max_tokens, fit))
