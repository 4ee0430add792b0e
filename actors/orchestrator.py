"""Carries one request out, from its order to its one answer or its one honest error.

The strategy says what should happen (a :class:`~actors.strategies.run.Run`, purely); the
Orchestrator has it happen, by message: it asks the Router and the Judge, has the CostLedger admit
the run, and leaves the calls to :class:`~actors.calls.Calls`.  It never waits, so it can be
cancelled, asked for its status and overtaken by its deadline at any time.

The phases of a run, only forwards:

    CHOOSING   the strategy chooses models; nothing has been sent, nothing is held
    ADMITTING  the first calls are known and the ledger is asked for their money
    CALLING    calls are made
    CLOSING    the outcome is known; what is still on the wire is given up and settled
    ENDING     the ledger makes the end durable
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum, auto
from typing import Any, ClassVar, TypeAlias, assert_never

from actors.addresses import LEDGER, is_pool
from actors.attempt import Attempt
from actors.base import ABSENT, Actor, Address, Context, Down, Message, Overloaded
from actors.calls import Calls, RetryDue
from actors.domain.admission import demand, kept_nano, share_out
from actors.ending import Ending, budget_error, cancelled, cost_of, ending
from actors.errors import (
    BudgetExceeded,
    DeadlineExceeded,
    Draining,
    Internal,
    PlanError,
    RateLimited,
)
from actors.hedging import HedgeDue
from actors.narrator import Narrator
from actors.protocol import (
    Admit,
    Admitted,
    BallotBuilt,
    Begin,
    CallFailed,
    CallRecord,
    CallSent,
    Cancel,
    Completed,
    EndRun,
    GetStatus,
    OrchestratorMessage,
    Order,
    Park,
    Refused,
    RepairVerdict,
    Reserved,
    RunCost,
    RunEnded,
    RunStatus,
    Selected,
    Step,
    Validated,
    Verdict,
    VerdictUnreadable,
)
from actors.questions import Questions
from actors.run_journal import RunJournal
from actors.strategies import STRATEGIES
from actors.strategies.actions import (
    Action,
    Announce,
    AskJudge,
    AskRouter,
    AskValidator,
    CancelCall,
    CloseRound,
    Died,
    Done,
    Grace,
    OpenRound,
    StartCall,
    StrategyFailed,
)
from actors.strategies.journal import Told, carry_on
from actors.strategies.plan import Chosen, Finish, Outcome, Result, UnansweredKind
from actors.strategies.run import Run

GRACE_S = 1.0
"""How long a run that is over waits to hear what its last calls came to."""

END_S = 8.0
"""How long the ledger has to make a run's end durable, its restarts included."""

RETRY_AFTER_S = 1.0


class Phase(IntEnum):
    CHOOSING = auto()
    ADMITTING = auto()
    CALLING = auto()
    CLOSING = auto()
    ENDING = auto()


CLOSING = Phase.CLOSING  # looked at after every message, and a member costs a search


class DeadlineReached(Message, frozen=True, gc=False):
    """The run's time is up."""


class RoundTimeUp(Message, frozen=True, gc=False):
    """A round must make room for what comes after it; of kind `late`, its grace is over."""

    key: int
    kind: UnansweredKind = "deadline"


class GraceOver(Message, frozen=True, gc=False):
    """The last calls were not heard of in time."""


class EndOver(Message, frozen=True, gc=False):
    """The ledger was not heard of in time."""


class Ended(Message, frozen=True, gc=False):
    """Somebody has ended, and all that he had said before has been read."""

    address: Address
    reason: str


_Received: TypeAlias = (
    OrchestratorMessage
    | RetryDue
    | HedgeDue
    | DeadlineReached
    | RoundTimeUp
    | GraceOver
    | EndOver
    | Ended
)


class Orchestrator(Actor):
    """One per request; its address is `run:<run id>`."""

    receives: ClassVar[Any] = _Received

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._phase = Phase.CHOOSING
        self._begin: Begin
        self._order: Order
        self._run: Run
        self._calls: Calls
        self._narrator: Narrator
        self._deadline = 0.0
        self._questions: Questions
        self._todo: list[Action] = []
        self._performing = False
        self._journal: RunJournal
        self._first: list[StartCall] = []
        self._opened: dict[int, float] = {}
        self._finish: Finish | None = None
        self._needed_nano = 0
        self._outcome: Result | PlanError
        self._ending: Ending
        self._defect: StrategyFailed | None = None
        self._cancelled = False
        self._parked = False

    def __repr__(self) -> str:
        if not hasattr(self, "_order"):
            return "<Orchestrator without an order>"
        calls = f"{self._calls.running} calls running, {len(self._calls.tally.records)} ended"
        return f"<Orchestrator {self._order.run} {self._order.mode}: {self._phase.name}, {calls}>"

    def receive(self, message: _Received) -> None:
        match message:  # the most frequent first
            case Completed():
                self._calls.completed(message)
            case Reserved():
                self._calls.reserved(message)
            case CallSent():
                self._calls.sent(message)
            case Selected():
                self._selected(message)
            case BallotBuilt() | Verdict() | RepairVerdict() | VerdictUnreadable():
                self._judged(message)
            case Begin():
                self._begun(message)
            case Admitted():
                self._admitted(message)
            case RunEnded() | EndOver():
                self._ended()
            case Cancel():
                self._cancel()
            case Park():
                self._park()
            case GetStatus():
                self._status(message)
            case Refused():
                self._refused(message)
            case CallFailed():
                self._calls.failed(message)
            case Validated():
                self._validated(message)
            case Overloaded():
                self._overloaded(message)
            case Down():
                self._down(message)
            case Ended():
                self._lost(message)
            case RetryDue():
                self._calls.retry(message.key)
            case HedgeDue():
                self._calls.hedge(message.ticket)
            case RoundTimeUp():
                self._expire(message)
            case DeadlineReached():
                self._give_up("deadline")
            case GraceOver():
                self._calls.abandon()
            case _:
                assert_never(message)
        if self._phase is CLOSING and self._calls.idle:
            self._end()

    # --- from the outside ---

    def _begun(self, begin: Begin) -> None:
        order = begin.order
        self._begin, self._order = begin, order
        self._deadline = self.ctx.now() + order.latency_s
        self._calls = Calls(self.ctx, order, self._deadline, self, begin.records, begin.attempts)
        self._journal = RunJournal(begin.steps)
        self._narrator = Narrator(self.ctx, order)
        self._questions = Questions(self.ctx, order)
        self._run = Run(STRATEGIES[order.mode](order))
        self.ctx.monitor(LEDGER)
        self.ctx.after(order.latency_s, DeadlineReached())
        self._narrator.run_started()
        self._perform(carry_on(self._run, begin.steps))

    def _cancel(self) -> None:
        if self._phase < Phase.CLOSING:
            self._cancelled = True
            self._give_up("cancelled")

    def _park(self) -> None:
        """Nothing of this is for the journal: the next engine carries on where it stops."""
        if self._phase < Phase.CLOSING:
            self._parked = True
            self._run.give_up("cancelled")
            self._calls.cancel_all()
            self._close(Draining("shutting down", retry_after_s=RETRY_AFTER_S))

    def _status(self, asked: GetStatus) -> None:
        running, ended = self._calls.running, len(self._calls.tally.records)
        self.ctx.reply(
            asked, RunStatus(asked.ticket, self._order.run, ended, running, self._cost())
        )

    # --- what the strategy wants done ---

    def _perform(self, actions: Iterable[Action]) -> None:
        """Has these done, after whatever is being done already."""
        self._todo.extend(actions)
        if self._performing:
            return
        self._performing = True
        while self._todo:
            self._do(self._todo.pop(0))
        self._performing = False
        if self._phase is Phase.CHOOSING and self._first:
            self._admit()

    def _do(self, action: Action) -> None:
        match action:
            case StartCall():
                self._start(action)
            case CancelCall(key):
                self._first = [first for first in self._first if first.key != key]
                self._calls.cancel(key)
            case AskRouter(key, choose):
                self._questions.choose(key, choose, self._calls.tally.spent_nano)
            case AskJudge(key, about):
                self._questions.consult(key, about)
            case AskValidator(key, check):
                self._questions.check(key, check)
            case Announce(note):
                self._narrator.judged(note)
            case OpenRound():
                self._open(action)
            case Grace(key):
                self._give_grace(key)
            case CloseRound():
                self._narrator.round_finished(action)
            case Done(result):
                self._close(result)
            case Died(error):
                self._close(self._blame(error))
            case _:
                assert_never(action)

    def _start(self, wanted: StartCall) -> None:
        if self._phase >= Phase.CALLING:
            self._calls.start(wanted.key, wanted.call)
        else:
            self._first.append(wanted)

    def _open(self, round: OpenRound) -> None:
        if self._phase is Phase.CHOOSING and round.depth == 0:
            self._finish = round.finish
        if round.leave_s > 0:
            left = self._deadline - self.ctx.now() - round.leave_s
            self.ctx.after(max(0.0, left), RoundTimeUp(round.key))

        # What is carried on has been open since the run began, for all that is known.
        now = self.ctx.now()
        self._opened[round.key] = now if self._phase >= Phase.CALLING else self._calls.begun

    def _give_grace(self, key: int) -> None:
        took = self.ctx.now() - self._opened[key]
        self.ctx.after(took, RoundTimeUp(key, "late"))

    # --- what the Router and the Judge answer ---

    def _selected(self, selected: Selected) -> None:
        needed = [refusal.needed_nano for refusal in selected.refused if refusal.needed_nano]
        self._needed_nano = min(needed, default=self._needed_nano)
        self._resume(selected.ticket, Chosen(selected.ranked, selected.refused))

    def _judged(self, read: BallotBuilt | Verdict | RepairVerdict | VerdictUnreadable) -> None:
        self._resume(read.ticket, read)

    def _validated(self, validated: Validated) -> None:
        """An answer of a call's, or what the strategy has made itself."""
        if not self._resume(validated.ticket, validated):
            self._calls.validated(validated)

    def _resume(self, ticket: str, answer: Told) -> bool:
        """Whether the strategy has asked for this."""
        if (key := self._questions.answered(ticket)) is None:
            return False
        self._journal.answered(key, answer)
        self._perform(self._run.resume(key, answer))
        return True

    # --- what is no answer ---

    def _expire(self, up: RoundTimeUp) -> None:
        if actions := self._run.expire(up.key, up.kind):
            self._journal.expired(up.key, up.kind)
            self._perform(actions)

    def _give_up(self, kind: UnansweredKind) -> None:
        if actions := self._run.give_up(kind):
            self._journal.given_up(kind)
            self._perform(actions)

    # --- admission ---

    def _admit(self) -> None:
        self._phase = Phase.ADMITTING
        wanted = demand([first.call for first in self._first], self._finish)
        self._needed_nano = wanted.least_nano
        self.ctx.tell(
            LEDGER,
            Admit(
                self.ctx.address,
                self._order.run,
                self._order,
                wanted.want_nano,
                wanted.least_nano,
                self._deadline,
                self._calls.tally.spent_nano,
                self._begin.steps,
            ),
        )

    def _admitted(self, admitted: Admitted) -> None:
        if self._phase is not Phase.ADMITTING:
            return
        self._phase = Phase.CALLING
        self._journal.is_open = True
        first, self._first = self._first, []
        calls = [start.call for start in first]
        if self._order.hedge:
            self._calls.keep(kept_nano(calls, self._finish))
        shares = share_out(admitted.granted_nano, calls, self._finish)
        for start, share in zip(first, shares, strict=True):
            self._calls.start(start.key, start.call, share)

    def _refused(self, refused: Refused) -> None:
        if refused.ticket != self._order.run:
            self._calls.refused_money(refused)
        elif refused.owner == "storage" and self.ctx.now() >= self._deadline:
            self._give_up("deadline")
        elif self._phase is Phase.ADMITTING:
            self._calls.refused = refused
            self._run.give_up("budget")
            self._close(self._money_error(refused))

    # --- when others fail ---

    def _overloaded(self, overloaded: Overloaded) -> None:
        if overloaded.ticket == self._order.run:
            self._run.give_up("failed")
            text = "rate limited: the ledger has too much work waiting"
            self._close(RateLimited(text, retry_after_s=RETRY_AFTER_S))
        else:
            self._calls.overloaded(overloaded.ticket)

    def _down(self, down: Down) -> None:
        """The ledger's end ends the run, with what it has: its holds are gone.

        News of an end overtakes what was said before it.  What a pool, the Router or the Judge had
        said is read first: answers are paid for.
        """
        if down.address == LEDGER:
            self._ledger_failed(down.reason)
        else:
            self.ctx.tell(self.ctx.address, Ended(down.address, down.reason))

    def _lost(self, ended: Ended) -> None:
        """A pool's end fails what it had sent.  A question that the Router or the Judge fell over
        is not asked again.
        """
        if is_pool(ended.address):
            self._calls.pool_failed(ended.address, ended.reason)
        elif self._questions.waits_for(ended.address):
            self._fail(f"{ended.address} failed")

    def _ledger_failed(self, reason: str) -> None:
        """Its successor is told of the run's end again, for that may be lost."""
        if reason != ABSENT:
            self.ctx.monitor(LEDGER)
        if self._phase is not Phase.ENDING:
            self._fail("ledger failed")
        elif reason != ABSENT:
            self._tell_end()
        else:
            self._answer()

    def _fail(self, why: str) -> None:
        self._calls.tally.remarks[why.replace(" ", "_")] = None
        self._give_up("failed")

    # --- what Calls tells ---

    def steps(self, key: int, outcome: Outcome) -> tuple[Step, ...]:
        self._journal.answered(key, outcome)
        return self._journal.take()

    def call_ended(self, key: int, outcome: Outcome) -> None:
        self._perform(self._run.resume(key, outcome))

    def attempt_sent(self, attempt: Attempt) -> None:
        model = attempt.model
        self._narrator.call_started(attempt.call.role, model.id, model.provider, attempt.number)

    def attempt_ended(self, record: CallRecord) -> None:
        self._narrator.call_ended(record)

    # --- the end ---

    def _blame(self, error: PlanError | StrategyFailed) -> PlanError:
        if isinstance(error, StrategyFailed):
            self._defect = error
            return Internal("internal error")
        if isinstance(error, BudgetExceeded) and self._calls.refused is not None:
            return self._money_error(self._calls.refused)
        return error

    def _money_error(self, refused: Refused) -> PlanError:
        """Whoever waited in vain for books that were not open yet had no time left."""
        if refused.owner == "storage" and self.ctx.now() >= self._deadline:
            return DeadlineExceeded("deadline exceeded")
        return budget_error(refused)

    def _close(self, outcome: Result | PlanError) -> None:
        """The outcome is known; the end waits for what is still on the wire."""
        if self._phase >= Phase.CLOSING:
            return
        self._phase = Phase.CLOSING
        self._outcome = cancelled(outcome) if self._cancelled else outcome
        if isinstance(self._outcome, Result):
            self._narrator.answer_known(self._outcome.text)
        self._questions.clear()
        self.ctx.after(GRACE_S, GraceOver())

    def _end(self) -> None:
        """Nothing is on the wire any more: the ledger may have the last word."""
        self._phase = Phase.ENDING
        tally, outcome = self._calls.tally, self._outcome
        self._ending = ending(self._order, outcome, tally, self._cost(), self._parked)
        self.ctx.after(END_S, EndOver())
        self._tell_end()

    def _tell_end(self) -> None:
        ended, run, journal = self._ending, self._order.run, self._journal
        order, steps = None, journal.waiting
        if not journal.is_open:
            known = self._parked or self._begin.steps
            order, steps = (self._order, journal.unopened) if known else (None, ())
        told = (ended.status, ended.body, ended.http_status, order, steps)
        verdicts = tuple(self._run.verdicts) if isinstance(ended.outcome, Result) else ()
        self.ctx.tell(LEDGER, EndRun(self.ctx.address, run, *told, verdicts))

    def _ended(self) -> None:
        if self._phase is Phase.ENDING:
            self._answer()

    def _answer(self) -> None:
        """Tells the asker and the watchers, once all of it is on record."""
        ended = self._ending
        if isinstance(ended.outcome, Result):
            self._narrator.run_finished(ended.body)
        else:
            self._narrator.run_failed(ended.body, ended.http_status)
        self.ctx.reply(self._begin, ended.reply(self._begin.ticket))
        self.ctx.stop()
        if self._defect is not None:
            raise self._defect

    def _cost(self) -> RunCost:
        tally, refused = self._calls.tally, self._calls.refused
        if self._phase < Phase.CLOSING:
            return RunCost(tally.spent_nano, self._order.limit_nano, tally.estimated)
        return cost_of(self._order, self._outcome, tally, refused, self._needed_nano)
