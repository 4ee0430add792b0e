"""Calls carried out attempt by attempt: the money asked for, the order given, the outcome settled.

A *call* is one answer wanted, from whichever of its candidates gives it; an *attempt* is one order
to one vendor's pool (:mod:`actors.attempt` has its stages).  A call has one attempt at a time, but
two once it is hedged: the first answer wins, and the other attempt is given up.

An attempt ends in exactly one Settle, or in one Release when nothing was sent.  Its call then
ends in one outcome or goes on with another attempt.  A call that is cancelled has no outcome any
more, but its attempts are still here until they are settled.
"""

from __future__ import annotations

from typing import Protocol

from actors.addresses import LEDGER
from actors.attempt import Attempt, Stage, Wanted
from actors.base import ABSENT, Context
from actors.dispatch import handles
from actors.domain.admission import Share, quote
from actors.domain.retry import Again, Next
from actors.domain.schema import NOT_JSON, is_heavy, problems
from actors.domain.text import json_in, visible
from actors.hedging import HedgeDue, Hedging, another
from actors.narrator import Narrator
from actors.ordering import Ordering
from actors.protocol import (
    AskAfter,
    Begin,
    CallErrorKind,
    CallFailed,
    CallRecord,
    CallSent,
    CancelCall,
    Candidate,
    Completed,
    Record,
    Refused,
    Release,
    Reserved,
    Settle,
    Step,
    Validate,
    Validated,
)
from actors.retrying import RetryDue, Retrying, cheaper, remember
from actors.strategies.plan import Answered, Call, Outcome, Unanswered, UnansweredKind
from actors.tally import Tally


class Watcher(Protocol):
    """Whom :class:`Calls` tells what happens."""

    def steps(self, key: int, outcome: Outcome) -> tuple[Step, ...]:
        """The journal's next entries, the last of them: the call has this outcome."""

    def call_ended(self, key: int, outcome: Outcome) -> None:
        """The call has an outcome; it is in the journal."""


class Calls:
    """All calls of one run: its attempts, its records, its money, its retry allowance."""

    def __init__(
        self,
        ctx: Context,
        begin: Begin,
        deadline: float,
        watcher: Watcher,
        narrator: Narrator,
    ) -> None:
        self._ctx = ctx
        self._order = begin.order
        self._watcher = watcher
        self._narrator = narrator
        self._wanted: dict[int, Wanted] = {}
        self._attempts: dict[str, Attempt] = {}
        self.ordering = Ordering(ctx, begin, deadline)
        self.tally = Tally(begin.records)
        self.refused: Refused | None = None
        self._hedging = Hedging(begin.order)
        self._retrying = Retrying(ctx, deadline)

    @property
    def idle(self) -> bool:
        return not self._attempts

    @property
    def running(self) -> int:
        return len(self._attempts)

    # --- what the Orchestrator asks for ---

    def start(self, key: int, call: Call, share: Share | None = None) -> None:
        """Makes the call; `watcher.call_ended` hears of its outcome, unless it is cancelled."""
        candidates = call.candidates if share is None else share.candidates
        cap = None if share is None else share.max_tokens
        wanted = self._wanted[key] = Wanted(key, call, list(candidates), cap)
        if wanted.ahead:
            self._attempt(wanted)
        else:
            self._end(wanted, "failed")

    def start_reserved(self, wanted: Wanted, attempt: Attempt, granted: Reserved) -> None:
        """The same, by an attempt for which there is money already."""
        self._wanted[wanted.key] = wanted
        wanted.tries += 1
        self._attempts[attempt.id] = attempt
        self.reserved(granted)

    def keep(self, nano: int) -> None:
        """So much of the run's money is for its end: no hedge may take it."""
        self._hedging.kept_nano = nano

    def cancel(self, key: int) -> None:
        """Gives the call up; its attempts are taken back and settled for what they cost."""
        if (wanted := self._wanted.pop(key, None)) is None:
            return
        if wanted.waiting is not None:
            self._ctx.cancel_timer(wanted.waiting)
        self._give_up(wanted)

    def cancel_all(self) -> None:
        """Gives every call up."""
        for key in list(self._wanted):
            self.cancel(key)

    def abandon(self) -> None:
        """Settles every attempt now, by estimate: whoever should answer for it has not."""
        for attempt in list(self._attempts.values()):
            attempt.wanted = None
            if attempt.stage is Stage.RESERVING:
                self._release(attempt)
            else:
                self._failed(attempt, CallFailed(attempt.id, "cancelled", "", written=True))

    # --- what happens to attempts ---

    @handles
    def reserved(self, granted: Reserved) -> None:
        if (attempt := self._attempts.get(granted.ticket)) is None:
            return
        self._ctx.monitor(attempt.pool)
        self._ctx.tell(attempt.pool, self.ordering.order(attempt, granted))

    def refused_money(self, refused: Refused) -> None:
        """No hold for this attempt: a cheaper candidate may still fit, else the call ends."""
        if (attempt := self._attempts.pop(refused.ticket, None)) is None:
            return
        wanted = attempt.wanted
        if not attempt.hedges:
            self.refused = refused
        if wanted is None:
            return
        if attempt.hedges:
            self._cannot_hedge(wanted)
            return
        wanted.failures.append(
            (attempt.model.id, f"needs more than is left of the {refused.owner} budget")
        )
        wanted.ahead = cheaper(wanted, attempt.model)
        if wanted.ahead:
            self._attempt(wanted)
        else:
            self._end(wanted, "budget")

    def overloaded(self, ticket: str) -> None:
        """A mailbox was full: the ledger's, or the pool's.  Nothing was begun."""
        if (attempt := self._attempts.get(ticket)) is None:
            return
        if attempt.stage is Stage.RESERVING:
            del self._attempts[ticket]
            self._after_failure(attempt, "overloaded", "too much money is asked for")
        else:
            self._failed(attempt, CallFailed(ticket, "overloaded", "too much work is waiting"))

    @handles
    def sent(self, sent: CallSent) -> None:
        if (attempt := self._attempts.get(sent.ticket)) is not None:
            self._narrator.call_started(attempt)
            if (slow_s := self._hedging.slow_s(attempt)) is not None:
                self._ctx.after(slow_s, HedgeDue(attempt.id))

    @handles
    def completed(self, completed: Completed) -> None:
        """An answer has come; with a schema it is validated, elsewhere when that may take long."""
        if (attempt := self._attempts.get(completed.ticket)) is None:
            return
        attempt.started_ms += completed.waited_s * 1000
        answer = completed.answer
        if not visible(answer.text).strip():
            empty = "it said nothing but hidden reasoning"
            self._failed(
                attempt,
                CallFailed(attempt.id, "empty", empty, usage=answer.usage, written=True),
            )
            return
        attempt.answer = answer
        attempt.latency_ms = completed.latency_s * 1000
        schema = attempt.call.schema
        if schema is None or attempt.wanted is None:  # nobody will read what was given up
            self._answered(attempt, ())
        elif (found := json_in(answer.text)) is None:
            self._answered(attempt, (NOT_JSON,))
        elif is_heavy(schema, instance := found.encode()):
            attempt.stage = Stage.CHECKING
            self._ctx.start(Validate(attempt.id, schema, instance))
        else:
            self._answered(attempt, problems(schema, instance))

    def validated(self, validated: Validated) -> None:
        if (attempt := self._attempts.get(validated.ticket)) is not None:
            self._answered(attempt, validated.problems)

    @handles
    def failed(self, failed: CallFailed) -> None:
        if (attempt := self._attempts.get(failed.ticket)) is not None:
            self._failed(attempt, failed)

    def pool_failed(self, pool: str, reason: str) -> None:
        """A pool has begun anew, or is gone: what it had sent will not be answered any more.

        What it had not is in its mailbox, and will be; unless nobody reads that.
        """
        there = [
            attempt
            for attempt in self._attempts.values()
            if attempt.pool == pool and attempt.stage is Stage.ORDERED
        ]
        for attempt in there:
            if reason == ABSENT:
                why, written = "its pool is gone", attempt.may_be_lost
                self._failed(attempt, CallFailed(attempt.id, "crashed", why, written=written))
                continue
            attempt.may_be_lost = True
            self._ctx.monitor(pool)
            if attempt.wanted is None:  # a cancel may have been lost with the line
                self._ctx.tell(pool, CancelCall(attempt.id))
            self._ctx.tell(pool, AskAfter(self._ctx.address, attempt.id))

    @handles
    def retry(self, due: RetryDue) -> None:
        if (wanted := self._wanted.get(due.key)) is not None:
            wanted.waiting = None
            self._attempt(wanted)

    @handles
    def hedge(self, due: HedgeDue) -> None:
        """An attempt is slow: another model is asked as well, once, if there is money for it."""
        attempt = self._attempts.get(due.ticket)
        if attempt is None or attempt.stage is Stage.CHECKING or (wanted := attempt.wanted) is None:
            return
        call = another(wanted.call, wanted.ahead)
        if wanted.hedged or call is None or not self._retrying.left:
            return
        wanted.hedged = True
        candidate = call.candidates[0]
        most_nano = quote(call, candidate.model, wanted.cap).most_nano
        held_nano = sum(other.held_nano for other in self._attempts.values())
        if self._hedging.affords(call, most_nano, self.tally.spent_nano + held_nano):
            self._retrying.left -= 1
            self._order_attempt(wanted, call, candidate, hedges=True)
        else:
            self._cannot_hedge(wanted)

    # --- attempts ---

    def _attempt(self, wanted: Wanted) -> None:
        wanted.tries += 1
        wanted.failed = None
        self._order_attempt(wanted, wanted.call, wanted.ahead[0])

    def _order_attempt(
        self, wanted: Wanted, call: Call, candidate: Candidate, *, hedges: bool = False
    ) -> None:
        """Asks for the money for an attempt."""
        quoted = quote(call, candidate.model, wanted.cap)
        attempt = self.ordering.attempt(wanted, call, candidate, quoted, hedges=hedges)
        self._attempts[attempt.id] = attempt
        self._ctx.tell(LEDGER, self.ordering.reservation(attempt))

    def _release(self, attempt: Attempt) -> None:
        del self._attempts[attempt.id]
        self._ctx.tell(LEDGER, Release(attempt.id))

    def _answered(self, attempt: Attempt, found: tuple[str, ...]) -> None:
        answer, wanted = attempt.answer, attempt.wanted
        assert answer is not None, "an attempt is answered by its answer"
        record = self.tally.answered(attempt, answer, found)
        if wanted is None:
            self._settle(attempt, record, text=answer.text)
            return
        outcome = Answered(
            answer.text,
            attempt.model,
            answer.truncated,
            found,
            attempt.candidate.explicit,
            answer.usage,
        )
        del self._wanted[wanted.key]
        self._settle(attempt, record, steps=self._watcher.steps(wanted.key, outcome))
        if wanted.hedged:
            self._give_up(wanted)
        self._watcher.call_ended(wanted.key, outcome)

    def _failed(self, attempt: Attempt, failed: CallFailed) -> None:
        attempt.started_ms += failed.waited_s * 1000
        if failed.kind == "cancelled" and not failed.written:
            self._release(attempt)
        else:
            self._settle(attempt, self.tally.failed(attempt, failed))
        self._after_failure(attempt, failed.kind, failed.detail, failed.retry_after_s)

    def _settle(
        self,
        attempt: Attempt,
        record: CallRecord,
        text: str = "",
        steps: tuple[Step, ...] = (),
    ) -> None:
        del self._attempts[attempt.id]
        self._ctx.tell(LEDGER, Settle(self._order.run, record, text, steps))
        self._narrator.call_ended(record)

    def _give_up(self, wanted: Wanted) -> None:
        """Takes its attempts back; they are settled for what they cost."""
        for attempt in self._attempts_at(wanted):
            attempt.wanted = None
            if attempt.stage is Stage.RESERVING:
                self._release(attempt)
            elif attempt.stage is Stage.CHECKING:
                self._ctx.abort(attempt.id)
            else:
                self._ctx.tell(attempt.pool, CancelCall(attempt.id))

    def _attempts_at(self, wanted: Wanted) -> list[Attempt]:
        return [attempt for attempt in self._attempts.values() if attempt.wanted is wanted]

    def _cannot_hedge(self, wanted: Wanted) -> None:
        self.tally.remarks["hedge_unaffordable"] = None
        if wanted.failed is not None:
            self._go_on(wanted, *wanted.failed)

    # --- after a failure ---

    def _after_failure(
        self,
        attempt: Attempt,
        kind: CallErrorKind,
        detail: str,
        retry_after_s: float | None = None,
    ) -> None:
        """Again, or the next candidate, or no more: within the run's time and its allowance."""
        if (wanted := attempt.wanted) is None:
            return
        remember(wanted, attempt, kind, detail, retry_after_s)
        if wanted.failed is not None and not self._attempts_at(wanted):
            self._go_on(wanted, *wanted.failed)

    def _go_on(self, wanted: Wanted, kind: CallErrorKind, retry_after_s: float | None) -> None:
        """After this failure at the candidate in front."""
        paid = bool(self.tally.spent_nano)
        match self._retrying.decide(wanted, kind, retry_after_s, paid=paid):
            case Again(delay_s):
                wanted.waiting = self._ctx.after(delay_s, RetryDue(wanted.key))
            case Next():
                del wanted.ahead[0]
                wanted.tries = 0
                self._attempt(wanted)
            case ("deadline" | "failed") as ended:
                self._end(wanted, ended)

    def _end(self, wanted: Wanted, kind: UnansweredKind) -> None:
        del self._wanted[wanted.key]
        overloaded = 0 < wanted.turned_away == len(wanted.failures)
        outcome = Unanswered(kind, tuple(wanted.failures), overloaded=overloaded)
        steps = self._watcher.steps(wanted.key, outcome)
        self._ctx.tell(LEDGER, Record(self._order.run, steps))
        self._watcher.call_ended(wanted.key, outcome)
