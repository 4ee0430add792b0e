"""A run's first calls: they wait until the ledger has admitted the run, with the money for them."""

from __future__ import annotations

from actors.addresses import LEDGER
from actors.attempt import Attempt, Wanted
from actors.base import Context
from actors.calls import Calls
from actors.domain.admission import demand, kept_nano, share_out
from actors.protocol import Admit, Admitted, Begin, Release, Reserved
from actors.strategies.actions import StartCall
from actors.strategies.plan import Finish


class FirstCalls:
    """`finish` is how the run can end once they are answered; that has to be paid for, too."""

    def __init__(self, ctx: Context, begin: Begin, deadline: float, calls: Calls) -> None:
        self._ctx = ctx
        self._begin = begin
        self._deadline = deadline
        self._calls = calls
        self._asked: dict[int, tuple[Wanted, Attempt]] = {}
        self.waiting: list[StartCall] = []
        self.finish: Finish | None = None

    def cancel(self, key: int) -> None:
        self.waiting = [first for first in self.waiting if first.key != key]

    def ask(self) -> int:
        """Asks the ledger for their money, and gives the least that is enough, in nano-USD."""
        order, ordering = self._begin.order, self._calls.ordering
        calls = [first.call for first in self.waiting]
        asked = demand(calls, self.finish)
        reservations = []
        for first, quoted in zip(self.waiting, asked.best, strict=True):
            call = first.call
            wanted = Wanted(first.key, call, list(call.candidates), None)
            attempt = ordering.attempt(wanted, call, call.candidates[0], quoted)
            self._asked[first.key] = wanted, attempt
            reservations.append(ordering.reservation(attempt))
        self._ctx.tell(
            LEDGER,
            Admit(
                self._ctx.address,
                order.run,
                order,
                asked.want_nano,
                asked.least_nano,
                self._deadline,
                self._calls.tally.spent_nano,
                self._begin.steps,
                tuple(reservations),
            ),
        )
        return asked.least_nano

    def start(self, admitted: Admitted) -> None:
        """Orders those that are reserved, or shares what is granted out among all of them."""
        first, self.waiting = self.waiting, []
        calls = [start.call for start in first]
        if self._begin.order.hedge:
            self._calls.keep(kept_nano(calls, self.finish))
        if admitted.reserved:
            self._start_reserved(first, {one.ticket: one for one in admitted.reserved})
        else:
            shares = share_out(admitted.granted_nano, calls, self.finish)
            for start, share in zip(first, shares, strict=True):
                self._calls.start(start.key, start.call, share)
        self._asked.clear()

    def _start_reserved(self, first: list[StartCall], reserved: dict[str, Reserved]) -> None:
        """Others have come since, who ask for themselves; some are not wanted any more."""
        for start in first:
            if (asked := self._asked.get(start.key)) is None:
                self._calls.start(start.key, start.call)
            else:
                wanted, attempt = asked
                self._calls.start_reserved(wanted, attempt, reserved.pop(attempt.id))
        for ticket in reserved:
            self._ctx.tell(LEDGER, Release(ticket))
