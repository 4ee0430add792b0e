"""What all runs of an evaluation together may cost: each takes its budget out of one purse."""

from __future__ import annotations


class Purse:
    """Nano-USD; `spent + held <= limit`, as long as no run costs more than its budget."""

    def __init__(self, limit_nano: int, spent_nano: int = 0) -> None:
        self.limit_nano = limit_nano
        self.spent_nano = spent_nano
        self.held_nano = 0

    def __repr__(self) -> str:
        return f"<Purse {self.spent_nano} spent, {self.held_nano} held of {self.limit_nano}>"

    @property
    def free_nano(self) -> int:
        return max(0, self.limit_nano - self.spent_nano - self.held_nano)

    def take(self, want_nano: int | None, least_nano: int) -> int | None:
        """A budget: as much as is wanted, or, when nobody else has any, what is left of it.

        `want_nano` None wants all there is.  None where one must wait for others, or where what is
        left is less than the least; :attr:`held_nano` tells which.
        """
        free = self.free_nano
        if want_nano is not None and want_nano <= free:
            granted = want_nano
        elif not self.held_nano and least_nano <= free and free > 0:
            granted = free
        else:
            return None
        self.held_nano += granted
        return granted

    def settle(self, held_nano: int, cost_nano: int) -> None:
        """A run with that budget has ended, and cost so much."""
        self.held_nano -= held_nano
        self.spent_nano += cost_nano
