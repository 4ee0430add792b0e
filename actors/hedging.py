"""Which slow calls are sent once more, to whom, and for which money."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from actors.attempt import Attempt
from actors.base import Message
from actors.protocol import Candidate, Order
from actors.strategies.plan import Call


class HedgeDue(Message, frozen=True, gc=False):
    """An attempt takes longer than its model's do: it may be sent once more elsewhere."""

    ticket: str


class Hedging:
    """Of one run; without its order's `hedge` nothing is ever slow.

    `kept_nano` of its money is for whoever reads the voters' answers.
    """

    def __init__(self, order: Order) -> None:
        self._is_wanted = order.hedge
        self._limit_nano = order.limit_nano
        self.kept_nano = 0

    def slow_s(self, attempt: Attempt) -> float | None:
        """How long this attempt may take before it is slow, where that is known."""
        slow_ms = attempt.candidate.slow_ms
        if not self._is_wanted or attempt.hedges or slow_ms is None:
            return None
        return slow_ms / 1000

    def affords(self, call: Call, most_nano: int, gone_nano: int) -> bool:
        """Whether a call that could be done without leaves enough for those that cannot.

        `gone_nano` is what is spent and held.
        """
        if self._limit_nano is None:
            return True
        kept_nano = self.kept_nano if call.role == "voter" else 0
        return gone_nano + most_nano + kept_nano <= self._limit_nano


def another(call: Call, ahead: Sequence[Candidate]) -> Call | None:
    """The same for another model than the one in front; None where there is none.

    What it writes is shown to nobody as it comes: a watcher sees one text, of the first attempt.
    """
    if call.elsewhere is not None:
        return call.elsewhere
    others = tuple(c for c in ahead[1:] if c.model.id != ahead[0].model.id)
    return replace(call, candidates=others, final=False) if others else None
