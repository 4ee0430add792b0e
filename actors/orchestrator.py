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

from collections.abc import Iterable, Mapping
from enum import IntEnum, auto
from typing import Any, ClassVar, TypeAlias

from msgspec.structs import replace

from actors.addresses import LEDGER, is_pool
from actors.base import ABSENT, Actor, Address, Context, Down, Message, Overloaded
from actors.calls import Calls
from actors.closing import Closing, EndOver, GraceOver
from actors.dispatch import handles, table
from actors.domain.model import shared
from actors.errors import Draining, PlanError, RateLimited
from actors.first_calls import FirstCalls
from actors.hedging import HedgeDue
from actors.narrator import Narrator
from actors.protocol import (
    Admitted,
    BallotBuilt,
    Begin,
    Cancel,
    GetStatus,
    OrchestratorMessage,
    Park,
    Refused,
    RepairVerdict,
    RunEnded,
    RunStatus,
    Selected,
    Step,
    Validated,
    Verdict,
    VerdictUnreadable,
)
from actors.questions import Questions
from actors.retrying import RetryDue
from actors.round_times import RoundTimes, RoundTimeUp
from actors.run_journal import RunJournal
from actors.strategies import STRATEGIES
from actors.strategies.actions import (
    Action,
    CancelCall,
    Died,
    Done,
    OpenRound,
    StartCall,
)
from actors.strategies.journal import Told, carry_on
from actors.strategies.plan import Chosen, Outcome, Result, UnansweredKind
from actors.strategies.run import Run

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
    """One per request; its address is `run:<run id>`.  It has its parts from its Begin on."""

    receives: ClassVar[Any] = _Received
    parts: ClassVar[Mapping[str, type]] = {
        "_calls": Calls,
        "_questions": Questions,
        "_narrator": Narrator,
        "_rounds": RoundTimes,
    }

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._phase = Phase.CHOOSING
        self._todo: list[Action] = []
        self._performing = False

    def __repr__(self) -> str:
        if not hasattr(self, "_order"):
            return "<Orchestrator without an order>"
        calls = f"{self._calls.running} calls running, {len(self._calls.tally.records)} ended"
        return f"<Orchestrator {self._order.run} {self._order.mode}: {self._phase.name}, {calls}>"

    def stopped(self, _: str) -> None:
        """Its parts know it: let go of, they and it are freed without being looked for."""
        vars(self).clear()

    def receive(self, message: _Received) -> None:
        self.handlers[type(message)](self)(message)
        if self._phase is CLOSING and self._calls.idle:
            self._phase = Phase.ENDING
            self._closing.end()

    # --- from the outside ---

    @handles
    def _begun(self, begin: Begin) -> None:
        ctx, order = self.ctx, begin.order
        self._order = order
        self._deadline = deadline = ctx.now() + order.latency_s
        self._narrator = narrator = Narrator(ctx, order)
        self._journal = journal = RunJournal(begin.steps)
        self._run = run = Run(STRATEGIES[order.mode](order))
        self._calls = calls = Calls(ctx, begin, deadline, self, narrator)
        self._questions = Questions(ctx, order, calls.tally)
        self._rounds = RoundTimes(ctx, deadline)
        self._first = FirstCalls(ctx, begin, deadline, calls)
        self._closing = Closing(ctx, begin, deadline, run, calls, journal, narrator)
        self.ctx.monitor(LEDGER)
        self.ctx.after(order.latency_s, DeadlineReached())
        self._narrator.run_started()
        self._perform(carry_on(self._run, begin.steps))

    @handles
    def _cancel(self, _: Cancel) -> None:
        if self._phase < Phase.CLOSING:
            self._closing.is_cancelled = True
            self._give_up("cancelled")

    @handles
    def _park(self, _: Park) -> None:
        """Nothing of this is for the journal: the next engine carries on where it stops."""
        if self._phase < Phase.CLOSING:
            self._closing.is_parked = True
            self._run.give_up("cancelled")
            self._calls.cancel_all()
            self._close(Draining("shutting down", retry_after_s=RETRY_AFTER_S))

    @handles
    def _status(self, asked: GetStatus) -> None:
        running, ended = self._calls.running, len(self._calls.tally.records)
        told = RunStatus(asked.ticket, self._order.run, ended, running, self._closing.cost)
        self.ctx.reply(asked, told)

    # --- what the strategy wants done ---

    def _perform(self, actions: Iterable[Action]) -> None:
        """Has these done, after whatever is being done already."""
        self._todo.extend(actions)
        if self._performing:
            return
        self._performing = True
        while self._todo:
            action = self._todo.pop(0)
            _PERFORMERS[type(action)](self)(action)
        self._performing = False
        if self._phase is Phase.CHOOSING and self._first.waiting:
            self._admit()

    @handles
    def _call_off(self, unneeded: CancelCall) -> None:
        self._first.cancel(unneeded.key)
        self._calls.cancel(unneeded.key)

    @handles
    def _done(self, done: Done) -> None:
        self._close(done.result)

    @handles
    def _died(self, died: Died) -> None:
        self._close(self._closing.blame(died.error))

    @handles
    def _start(self, wanted: StartCall) -> None:
        if self._phase >= Phase.CALLING:
            self._calls.start(wanted.key, wanted.call)
        else:
            self._first.waiting.append(wanted)

    @handles
    def _open(self, round: OpenRound) -> None:
        if self._phase is Phase.CHOOSING and round.depth == 0:
            self._first.finish = round.finish
        # What is carried on has been open since the run began, for all that is known.
        carried_on = self._phase < Phase.CALLING
        self._rounds.open(round, self._calls.ordering.begun if carried_on else self.ctx.now())

    # --- what the Router and the Judge answer ---

    @handles
    def _selected(self, selected: Selected) -> None:
        self._resume(selected.ticket, self._chosen(selected))

    def _chosen(self, selected: Selected) -> Chosen:
        also = None if selected.also is None else self._chosen(selected.also)
        needed = [refusal.needed_nano for refusal in selected.refused if refusal.needed_nano]
        self._closing.needed_nano = min(needed, default=self._closing.needed_nano)
        ranked = tuple([replace(each, model=shared(each.model)) for each in selected.ranked])
        return Chosen(ranked, selected.refused, also=also)

    @handles
    def _judged(self, read: BallotBuilt | Verdict | RepairVerdict | VerdictUnreadable) -> None:
        self._resume(read.ticket, read)

    @handles
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

    @handles
    def _expire(self, up: RoundTimeUp) -> None:
        if actions := self._run.expire(up.key, up.kind):
            self._journal.expired(up.key, up.kind)
            self._perform(actions)

    @handles
    def _overtaken(self, _: DeadlineReached) -> None:
        self._give_up("deadline")

    def _give_up(self, kind: UnansweredKind) -> None:
        if actions := self._run.give_up(kind):
            self._journal.given_up(kind)
            self._perform(actions)

    # --- admission ---

    def _admit(self) -> None:
        self._phase = Phase.ADMITTING
        self._closing.needed_nano = self._first.ask()

    @handles
    def _admitted(self, admitted: Admitted) -> None:
        if self._phase is not Phase.ADMITTING:
            return
        self._phase = Phase.CALLING
        self._journal.is_open = True
        self._first.start(admitted)

    @handles
    def _refused(self, refused: Refused) -> None:
        if refused.ticket != self._order.run:
            self._calls.refused_money(refused)
        elif refused.owner == "storage" and self.ctx.now() >= self._deadline:
            self._give_up("deadline")
        elif self._phase is Phase.ADMITTING:
            self._calls.refused = refused
            self._run.give_up("budget")
            self._close(self._closing.refusal(refused))

    # --- when others fail ---

    @handles
    def _overloaded(self, overloaded: Overloaded) -> None:
        if overloaded.ticket == self._order.run:
            self._run.give_up("failed")
            text = "rate limited: the ledger has too much work waiting"
            self._close(RateLimited(text, retry_after_s=RETRY_AFTER_S))
        else:
            self._calls.overloaded(overloaded.ticket)

    @handles
    def _down(self, down: Down) -> None:
        """The ledger's end ends the run, with what it has: its holds are gone.

        News of an end overtakes what was said before it.  What a pool, the Router or the Judge had
        said is read first: answers are paid for.
        """
        if down.address == LEDGER:
            self._ledger_failed(down.reason)
        else:
            self.ctx.tell(self.ctx.address, Ended(down.address, down.reason))

    @handles
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
            self._closing.tell_ledger()
        else:
            self._closing.tell_asker()

    def _fail(self, why: str) -> None:
        self._calls.tally.remarks[why.replace(" ", "_")] = None
        self._give_up("failed")

    @handles
    def _grace_over(self, _: GraceOver) -> None:
        self._calls.abandon()

    # --- what Calls tells ---

    def steps(self, key: int, outcome: Outcome) -> tuple[Step, ...]:
        self._journal.answered(key, outcome)
        return self._journal.take()

    def call_ended(self, key: int, outcome: Outcome) -> None:
        self._perform(self._run.resume(key, outcome))

    # --- the end ---

    def _close(self, outcome: Result | PlanError) -> None:
        """The outcome is known; the end waits for what is still on the wire."""
        if self._phase < Phase.CLOSING:
            self._phase = Phase.CLOSING
            self._questions.clear()
            self._closing.begin(outcome)

    @handles
    def _ended(self, _: RunEnded | EndOver) -> None:
        if self._phase is Phase.ENDING:
            self._closing.tell_asker()


_PERFORMERS = table(Orchestrator, Action, Orchestrator.parts)
