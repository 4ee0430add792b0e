"""The waiting line of a vendor: first come, first served, until the order's deadline.

Joining, leaving from anywhere, looking at the first and at the next deadline are all cheap: the
line is an ordered mapping, its deadlines a heap whose entries outlive their orders for a while.
"""

from __future__ import annotations

from collections import OrderedDict
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from actors.base import Address
from actors.protocol import Complete

_SLACK = 64
"""The heap may hold this many outlived entries, and as many again as there are orders."""


class Waiting(NamedTuple):
    """An order in the line, and since when."""

    order: Complete
    since: float


class Line(OrderedDict[str, Waiting]):
    """Orders by ticket, in the order they came; changed by the methods below alone."""

    def __init__(self) -> None:
        super().__init__()
        self._deadlines: list[tuple[float, str]] = []

    def join(self, order: Complete, now: float) -> None:
        """To the end of the line.  The ticket must not be in it."""
        self[order.ticket] = Waiting(order, now)
        heappush(self._deadlines, (order.deadline, order.ticket))

    def first(self) -> Waiting | None:
        return next(iter(self.values()), None)

    def leave(self, ticket: str) -> Waiting:
        """Takes one out, from wherever it is.  Raises: KeyError."""
        left = self.pop(ticket)
        if len(self._deadlines) > 2 * len(self) + _SLACK:
            self._deadlines = [(w.order.deadline, t) for t, w in self.items()]
            heapify(self._deadlines)
        return left

    def leave_expired(self, now: float) -> list[Waiting]:
        """Takes those out whose deadline has come, earliest deadline first."""
        expired: list[Waiting] = []
        while (deadline := self.next_deadline()) is not None and deadline <= now:
            expired.append(self.leave(self._deadlines[0][1]))
        return expired

    def leave_all_of(self, asker: Address) -> list[Waiting]:
        """Takes out what this asker has in the line."""
        tickets = [t for t, w in self.items() if w.order.reply_to == asker]
        return [self.leave(ticket) for ticket in tickets]

    def leave_all(self) -> list[Waiting]:
        """Takes everybody out, in the order they came."""
        everybody = list(self.values())
        self.clear()
        self._deadlines.clear()
        return everybody

    def next_deadline(self) -> float | None:
        """When the next order must leave at the latest; None in an empty line."""
        while self._deadlines:
            deadline, ticket = self._deadlines[0]
            waiting = self.get(ticket)
            if waiting is not None and waiting.order.deadline == deadline:
                return deadline
            heappop(self._deadlines)
        return None
