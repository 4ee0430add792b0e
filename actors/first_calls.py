"""A run's first calls: they wait until the ledger has admitted the run, with the money for them."""

from __future__ import annotations

from actors.addresses import LEDGER
from actors.base import Context
from actors.calls import Calls
from actors.domain.admission import demand, kept_nano, share_out
from actors.protocol import Admit, Begin
from actors.strategies.actions import StartCall
from actors.strategies.plan import Finish


class FirstCalls:
    """`finish` is how the run can end once they are answered; that has to be paid for, too."""

    def __init__(self, ctx: Context, begin: Begin, deadline: float, calls: Calls) -> None:
        self._ctx = ctx
        self._begin = begin
        self._deadline = deadline
        self._calls = calls
        self.waiting: list[StartCall] = []
        self.finish: Finish | None = None

    def cancel(self, key: int) -> None:
        self.waiting = [first for first in self.waiting if first.key != key]

    def ask(self) -> int:
        """Asks the ledger for their money, and gives the least that is enough, in nano-USD."""
        order = self._begin.order
        wanted = demand([first.call for first in self.waiting], self.finish)
        self._ctx.tell(
            LEDGER,
            Admit(
                self._ctx.address,
                order.run,
                order,
                wanted.want_nano,
                wanted.least_nano,
                self._deadline,
                self._calls.tally.spent_nano,
                self._begin.steps,
            ),
        )
        return wanted.least_nano

    def start(self, granted_nano: int) -> None:
        """Shares the money out among them."""
        first, self.waiting = self.waiting, []
        calls = [start.call for start in first]
        if self._begin.order.hedge:
            self._calls.keep(kept_nano(calls, self.finish))
        shares = share_out(granted_nano, calls, self.finish)
        for start, share in zip(first, shares, strict=True):
            self._calls.start(start.key, start.call, share)
