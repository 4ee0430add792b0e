"""One account of the ledger: what is spent, held and leased of it.  Its rules: `accounts`."""

from __future__ import annotations

from dataclasses import dataclass

from actors.protocol import Account

UNLIMITED = 2**62
"""What an account without a limit can take: what sums stay within 64 bits for."""


@dataclass(eq=False, slots=True)
class Balance:
    """One account.  `used` is what was spent of its lease since it was last looked at, `recent`
    the same of the time before.
    """

    owner: str
    window: str
    limit: int | None
    spent: int = 0
    held: int = 0
    leased: int = 0
    leasing: int = 0
    used: int = 0
    recent: int = 0

    @property
    def unspent(self) -> int:
        return (UNLIMITED if self.limit is None else self.limit) - self.spent

    @property
    def room(self) -> int:
        """How much more may be held."""
        return self.unspent - self.held

    @property
    def is_covered(self) -> bool:
        """Whether all that is held is under a committed lease."""
        return self.held <= self.leased

    @property
    def idle(self) -> bool:
        return not (self.held or self.leased or self.leasing)

    def lease_more(self) -> int:
        """Takes what is missing of the lease, and as much again as was spent lately."""
        missing = self.held - self.leased - self.leasing
        if missing <= 0:
            return 0
        amount = missing + max(0, min(self.recent, self.room))
        self.leasing += amount
        return amount

    def lease_ended(self, amount: int, *, committed: bool) -> None:
        self.leasing -= amount
        if committed:
            self.leased += amount

    def give_back(self, keep: int = 0) -> int:
        """Takes from the lease what is not held, but for `keep`."""
        amount = max(0, self.leased - self.held - keep)
        self.leased -= amount
        return amount

    def settle(self, held: int, cost: int) -> None:
        self.held -= held
        self.spent += cost
        consumed = min(held, cost)
        self.leased -= consumed
        self.used += consumed

    def report(self) -> Account:
        return Account(self.owner, self.window, self.limit, self.spent, self.held)
