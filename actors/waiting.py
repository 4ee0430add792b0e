"""The line of those who wait for money that others hold, first come first served.

Who waits *blocks* the accounts he waits under: nobody who came later may take anything there.  So
a small sum does not starve a large one, and accounts that nobody waits under stay free.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from actors.base import Context, Message, Timer
from actors.domain.accounts import Short
from actors.domain.balance import Balance
from actors.protocol import Admit, Reserve

MOST_WAITING = 1024
WAIT_S = 5.0

Asked: TypeAlias = Admit | Reserve


class WaitOver(Message, frozen=True, gc=False):
    """Somebody in the line has waited long enough."""

    place: int


@dataclass(eq=False, slots=True)
class Waiting:
    """Somebody in the line, and what he was short of when he was looked at last."""

    asked: Asked
    short: Short
    timer: Timer


class Line:
    """`blocked` are the accounts that somebody waits under."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._waiting: dict[int, Waiting] = {}
        self._places = 0
        self.blocked: set[Balance] = set()

    def __len__(self) -> int:
        return len(self._waiting)

    def join(self, asked: Asked, short: Short) -> bool:
        """False when there is no place, or no time to wait."""
        patience = min(WAIT_S, asked.deadline - self._ctx.now())
        if patience <= 0 or len(self._waiting) >= MOST_WAITING:
            return False
        self._places += 1
        timer = self._ctx.after(patience, WaitOver(self._places))
        self._waiting[self._places] = Waiting(asked, short, timer)
        self.blocked.update(short.balances)
        return True

    def leave(self, place: int) -> Waiting | None:
        """Who waited at `place`, if he still did."""
        waiting = self._waiting.pop(place, None)
        if waiting is not None:
            self._ctx.cancel_timer(waiting.timer)
        return waiting

    def leave_for(self, run: str | None, ticket: str) -> list[Waiting]:
        """Whoever waited under `ticket`, or for `run`."""
        places = [
            place
            for place, waiting in self._waiting.items()
            if waiting.asked.ticket == ticket
            or (isinstance(waiting.asked, Reserve) and waiting.asked.run == run)
        ]
        return [left for place in places if (left := self.leave(place)) is not None]

    def serve(self, attempt: Callable[[Asked, set[Balance]], Short | None]) -> None:
        """Has everybody tried again, in order; None from `attempt` means that he is dealt with."""
        blocked: set[Balance] = set()
        for place, waiting in list(self._waiting.items()):
            if blocked.isdisjoint(waiting.short.balances):
                short = attempt(waiting.asked, blocked)
                if short is None:
                    self.leave(place)
                    continue
                waiting.short = short
            blocked.update(waiting.short.balances)
        self.blocked = blocked
