"""The pool of one vendor: leases, waiting line, rate limits, breaker, and how the vendor does.

An order is one attempt at a call and is answered exactly once, with :class:`Completed` or
:class:`CallFailed`.  It is refused at once while the breaker is open or the line is full, and
waits in the line otherwise until a lease and the rate limits have room for it.  A pool never tries
again, and knows neither money nor modes.

What holds when a pool fails, be it over a dialect that crashed or over a defect of its own:

1. What was on the wire is given up and answered with kind `crashed`, for it may have cost money
   and must not be repeated silently.
2. What was waiting goes back into the mailbox, which outlives the failure, and is served by the
   next incarnation.  (A cancel that lay there before finds nothing to cancel.)
3. So a :class:`Down` of the pool tells its askers nothing: if handing over failed too, or never
   came to it, some orders are lost.  Whoever asks after an order is read behind all that went back
   into the mailbox, and what is not there by then is answered as crashed.
4. The results of what was given up come to the new incarnation: counted, and ignored.

The pool in turn monitors its askers: what an ended one had waiting is dropped, what it had on the
wire is given up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from actors.addresses import ROUTER
from actors.askers import Askers
from actors.base import Actor, Address, Context, Down, Timer
from actors.dispatch import handles
from actors.domain.breaker import ENDINGS, Breaker, Ending, State
from actors.domain.line import Line, Waiting
from actors.domain.rates import Rates
from actors.protocol import (
    AskAfter,
    CallAnswered,
    CallErrored,
    CallErrorKind,
    CallFailed,
    CallSent,
    CallVendor,
    CancelCall,
    Complete,
    Completed,
    DialectCrashed,
    GetPoolStatus,
    PoolMessage,
    PoolStatus,
    PoolTick,
    ReconfigurePool,
    VendorSettings,
)
from actors.vendor_report import VendorReport, standing

RETRY_SOON_S = 1.0
"""What a refused asker is told to wait when no better time is known."""

LAST_WORD_S = 0.1
"""How long after its deadline an order's asker has to take it back, before it just times out."""

PATIENCE_S = 10.0
"""A call that was given less, by its own deadline, says nothing of the vendor by timing out."""

SHORTEST_TIMER_S = 0.001


class DialectFailure(Exception):
    """The vendor's dialect raised while it handled a call."""


@dataclass(slots=True)
class Lease:
    """An order on the wire, as far as its end concerns it.  Nobody is told of that of an `orphaned`
    one.
    """

    asker: Address
    model: str
    waited_s: float
    sent_at: float
    timeout_s: float
    orphaned: bool = False


class ProviderPool(Actor):
    receives: ClassVar[object] = PoolMessage

    def __init__(self, ctx: Context, settings: VendorSettings) -> None:
        super().__init__(ctx)
        self._settings = settings
        self._breaker = Breaker()
        self._rates = Rates(settings.requests_per_minute, settings.tokens_per_minute, ctx.now())
        self._line = Line()
        self._leases: dict[str, Lease] = {}
        self._askers = Askers(ctx)
        self._report = VendorReport(ctx)
        self._timer: tuple[Timer, float] | None = None
        self._strays = 0

    def __repr__(self) -> str:
        leased = f"{len(self._leases)}/{self._settings.max_concurrency} leased"
        waiting = f"{len(self._line)} waiting"
        breaker = f"breaker {self._breaker.state.value}"
        return f"<ProviderPool {self._settings.provider}: {leased}, {waiting}, {breaker}>"

    def started(self) -> None:
        self._advance(self.ctx.now())

    def receive(self, message: PoolMessage) -> None:
        now = self.ctx.now()
        try:
            self.handlers[type(message)](self)(message, now)
            self._advance(now)
        except Exception as error:
            self._hand_over(message, _detail(error), now)
            raise

    # --- orders come and wait ---

    @handles
    def _accept(self, order: Complete, now: float) -> None:
        if order.ticket in self._line or order.ticket in self._leases:
            detail = f"attempt {order.ticket} is ordered already"
            self.ctx.reply(order, CallFailed(order.ticket, "fatal", detail))
        elif self._need_not_wait(order, now):
            self._askers.owe(order.reply_to)
            self._send(order, 0.0, now)
        elif refusal := self._refusal(order, now):
            kind, why = refusal
            self.ctx.reply(order, CallFailed(order.ticket, kind, why, self._retry_after(now)))
        else:
            self._line.join(order, now)
            self._askers.owe(order.reply_to)

    def _need_not_wait(self, order: Complete, now: float) -> bool:
        free = self._settings.key_present and not self._line and order.deadline > now
        return free and self._has_room(order, now)

    def _refusal(self, order: Complete, now: float) -> tuple[CallErrorKind, str] | None:
        """Why an order cannot even wait; None if it can."""
        if closed := self._closed_because(now):
            return "unavailable", closed
        if not self._breaker.admits(now):
            return "unavailable", "a probe of the vendor is on its way"
        full = len(self._line) >= self._settings.max_waiting
        if full and (self._line or not self._has_room(order, now)):
            return "overloaded", f"{len(self._line)} calls are waiting already"
        return None

    def _closed_because(self, now: float) -> str:
        """Why nothing may be sent, nor wait for it; empty if it may."""
        if not self._settings.key_present:
            return "no api key"
        self._breaker.admits(now)
        return f"breaker open: {self._breaker.why}" if self._breaker.state is State.OPEN else ""

    def _retry_after(self, now: float) -> float | None:
        if not self._settings.key_present:
            return None
        open_s = (self._breaker.retry_at or now) - now
        return open_s if open_s > 0 else RETRY_SOON_S

    @handles
    def _cancel(self, cancel: CancelCall, now: float) -> None:
        """A ticket that is not known was answered already: the two have crossed."""
        ticket = cancel.ticket
        if ticket in self._line:
            self._fail(self._line.leave(ticket), "cancelled", "cancelled while waiting", now)
        elif ticket in self._leases:
            self.ctx.abort(ticket)

    @handles
    def _asked_after(self, asked: AskAfter, _: float) -> None:
        if asked.ticket not in self._line and asked.ticket not in self._leases:
            why = "its vendor's pool began anew"
            self.ctx.reply(asked, CallFailed(asked.ticket, "crashed", why, written=True))

    # --- orders are sent ---

    def _advance(self, now: float) -> None:
        """Brings everything up to date after a message: the only place where time counts."""
        if self._line:
            self._serve(now)
        stands = standing(self._settings, self._breaker)
        self._report.bring_up_to_date(self._settings.provider, stands, now)
        self._arm(now)

    def _serve(self, now: float) -> None:
        """Lets out of the line who may not wait any longer, then who need not."""
        for waiting in self._line.leave_expired(now):
            self._fail(waiting, "timeout", "its deadline came while it waited", now)
        if closed := self._closed_because(now):
            for waiting in self._line.leave_all():
                self._fail(waiting, "unavailable", closed, now, self._retry_after(now))
        while (first := self._line.first()) and self._has_room(first.order, now):
            order, since = self._line.leave(first.order.ticket)
            self._send(order, now - since, now)

    def _has_room(self, order: Complete, now: float) -> bool:
        return self._has_lease(now) and self._rates.delay(now, _tokens(order)) == 0.0

    def _has_lease(self, now: float) -> bool:
        free = len(self._leases) < self._settings.max_concurrency
        return free and self._breaker.admits(now)

    def _send(self, order: Complete, waited_s: float, now: float) -> None:
        timeout_s = min(self._settings.timeout_s, order.deadline - now + LAST_WORD_S)
        self._leases[order.ticket] = Lease(order.reply_to, order.model, waited_s, now, timeout_s)
        self._breaker.sent(order.ticket)
        self._rates.take(now, _tokens(order))
        self.ctx.start(CallVendor(order.ticket, order, timeout_s))
        if order.announced:
            self.ctx.reply(order, CallSent(order.ticket))

    # --- orders end ---

    @handles
    def _answered(self, message: CallAnswered, now: float) -> None:
        if lease := self._release(message.ticket):
            latency_s = now - lease.sent_at
            self._breaker.ended(message.ticket, Ending.ANSWERED, now)
            self._report.gauges.answered(lease.model, latency_s)
            answer = message.answer
            self._answer(lease, Completed(message.ticket, answer, lease.waited_s, latency_s))

    @handles
    def _errored(self, message: CallErrored, now: float) -> None:
        if lease := self._release(message.ticket):
            if message.kind == "rate_limited" and message.retry_after_s is not None:
                self._breaker.paused(message.retry_after_s, now)
            else:
                self._breaker.ended(message.ticket, self._ending(message.kind, lease), now)
            self._report.gauges.failed(lease.model, message.kind)
            if message.kind == "cancelled":
                self._report.gauges.given_up(lease.model, now - lease.sent_at)
            self._answer(lease, _failed(message, lease, now))

    def _ending(self, kind: CallErrorKind, lease: Lease) -> Ending:
        if kind == "timeout" and lease.timeout_s < min(PATIENCE_S, self._settings.timeout_s):
            return Ending.SILENT
        return ENDINGS[kind]

    def _release(self, ticket: str) -> Lease | None:
        """Gives a lease back; None, and counted, for what this incarnation has not sent."""
        lease = self._leases.pop(ticket, None)
        if lease is None:
            self._strays += 1
        return lease

    def _answer(self, lease: Lease, message: Completed | CallFailed) -> None:
        if not lease.orphaned:
            self.ctx.tell(lease.asker, message)
            self._askers.given(lease.asker)

    def _fail(
        self,
        waiting: Waiting,
        kind: CallErrorKind,
        detail: str,
        now: float,
        retry_after_s: float | None = None,
    ) -> None:
        """Answers an order that was never sent."""
        order, since = waiting
        failed = CallFailed(order.ticket, kind, detail, retry_after_s, waited_s=now - since)
        self.ctx.reply(order, failed)
        self._askers.given(order.reply_to)

    # --- a failure, of the dialect or of our own ---

    @handles
    def _crashed(self, message: DialectCrashed, _: float) -> None:
        """Raises: DialectFailure, unless the call is of an earlier incarnation."""
        if message.ticket not in self._leases:
            self._strays += 1
            return
        raise DialectFailure(f"{self._settings.provider}: {message.detail}")

    def _hand_over(self, culprit: PoolMessage, error: str, now: float) -> None:
        """Leaves nothing unanswered but what the next incarnation will find in the mailbox."""
        if isinstance(culprit, Complete) and culprit.ticket in self._line:
            self._fail(self._line.leave(culprit.ticket), "crashed", error, now)
        ended = culprit.ticket if isinstance(culprit, DialectCrashed) else None
        for ticket, lease in self._leases.items():
            if ticket != ended:
                self.ctx.abort(ticket)
            crashed = CallErrored(ticket, "crashed", error, written=True)
            self._answer(lease, _failed(crashed, lease, now))
        for waiting in self._line.leave_all():
            self.ctx.tell(self.ctx.address, waiting.order)

    # --- askers and the Router end ---

    @handles
    def _ended(self, down: Down, _: float) -> None:
        address = down.address
        if address == ROUTER:
            self._report.router_ended()
        elif self._askers.ended(address):
            self._line.leave_all_of(address)
            for ticket, lease in self._leases.items():
                if lease.asker == address and not lease.orphaned:
                    lease.orphaned = True
                    self.ctx.abort(ticket)

    # --- settings and status ---

    @handles
    def _reconfigure(self, order: ReconfigurePool, now: float) -> None:
        self._settings = settings = order.settings
        self._rates.reconfigure(settings.requests_per_minute, settings.tokens_per_minute, now)

    @handles
    def _tell_status(self, asked: GetPoolStatus, _: float) -> None:
        stands = standing(self._settings, self._breaker)
        status = PoolStatus(
            asked.ticket,
            self._settings.provider,
            stands.available,
            stands.why,
            len(self._leases),
            self._settings.max_concurrency,
            len(self._line),
            self._breaker.state.value,
            self._strays,
        )
        self.ctx.reply(asked, status)

    # --- the timer ---

    @handles
    def _rung(self, _: PoolTick, __: float) -> None:
        self._disarm()

    def _arm(self, now: float) -> None:
        """Has the pool woken when something is due that no message will bring."""
        due = self._due(now)
        if due is None or (self._timer is not None and self._timer[1] <= due):
            return
        self._disarm()
        timer = self.ctx.after(max(due - now, SHORTEST_TIMER_S), PoolTick())
        self._timer = timer, due

    def _disarm(self) -> None:
        if self._timer is not None:
            self.ctx.cancel_timer(self._timer[0])
            self._timer = None

    def _due(self, now: float) -> float | None:
        due = self._report.due()
        if (first := self._line.first()) is None:
            return due
        dues = [due, self._line.next_deadline()]
        if self._has_lease(now):
            dues.append(now + self._rates.delay(now, _tokens(first.order)))
        return min((due for due in dues if due is not None), default=None)


def _detail(error: Exception) -> str:
    """What askers may see: the text of an unforeseen error could hold anything."""
    if isinstance(error, DialectFailure):
        return str(error)
    return f"the vendor's pool failed: {type(error).__name__}"


def _tokens(order: Complete) -> int:
    return order.input_tokens + order.max_tokens


def _failed(message: CallErrored, lease: Lease, now: float) -> CallFailed:
    return CallFailed(
        message.ticket,
        message.kind,
        message.detail,
        message.retry_after_s,
        message.usage,
        message.written,
        message.received_bytes,
        lease.waited_s,
        now - lease.sent_at,
        message.http_status,
    )
