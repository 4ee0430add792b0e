"""How long the rounds of one run may be open: what comes after them needs time as well."""

from __future__ import annotations

from actors.base import Context, Message
from actors.dispatch import handles
from actors.strategies.actions import Grace, OpenRound
from actors.strategies.plan import UnansweredKind


class RoundTimeUp(Message, frozen=True, gc=False):
    """A round must make room for what comes after it; of kind `late`, its grace is over."""

    key: int
    kind: UnansweredKind = "deadline"


class RoundTimes:
    """`deadline` is the run's."""

    def __init__(self, ctx: Context, deadline: float) -> None:
        self._ctx = ctx
        self._deadline = deadline
        self._opened: dict[int, float] = {}

    def open(self, round: OpenRound, since: float) -> None:
        """It is open since then, and closed in time to leave what it has to leave."""
        if round.leave_s > 0:
            left = self._deadline - self._ctx.now() - round.leave_s
            self._ctx.after(max(0.0, left), RoundTimeUp(round.key))
        self._opened[round.key] = since

    @handles
    def give_grace(self, to: Grace) -> None:
        """As long again as it has been open."""
        took = self._ctx.now() - self._opened[to.key]
        self._ctx.after(took, RoundTimeUp(to.key, "late"))
