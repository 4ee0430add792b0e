"""The end of one run: whose fault it is, what is put on record, and who is told when.

The outcome is known first, and watchers hear of an answer at once.  When nothing is on the wire
any more the ledger is told, for it makes the end durable; the asker is told last.
"""

from __future__ import annotations

from actors.addresses import LEDGER
from actors.base import Context, Message
from actors.calls import Calls
from actors.ending import Ending, Outcome, budget_error, cancelled, cost_of, ending
from actors.errors import BudgetExceeded, DeadlineExceeded, Internal, PlanError
from actors.narrator import Narrator
from actors.protocol import Begin, EndRun, Refused, RunCost
from actors.run_journal import RunJournal
from actors.strategies.actions import StrategyFailed
from actors.strategies.plan import Result
from actors.strategies.run import Run

GRACE_S = 1.0
"""How long a run that is over waits to hear what its last calls came to."""

END_S = 8.0
"""How long the ledger has to make a run's end durable, its restarts included."""


class GraceOver(Message, frozen=True, gc=False):
    """The last calls were not heard of in time."""


class EndOver(Message, frozen=True, gc=False):
    """The ledger was not heard of in time."""


class Closing:
    """`needed_nano` is what would have been enough, as far as the run knows itself.

    A run `is_parked` when it has not ended, but is carried on by the next engine.
    """

    def __init__(
        self,
        ctx: Context,
        begin: Begin,
        deadline: float,
        run: Run,
        calls: Calls,
        journal: RunJournal,
        narrator: Narrator,
    ) -> None:
        self._ctx = ctx
        self._begin = begin
        self._order = begin.order
        self._deadline = deadline
        self._run = run
        self._calls = calls
        self._journal = journal
        self._narrator = narrator
        self.needed_nano = 0
        self.is_cancelled = False
        self.is_parked = False
        self._defect: StrategyFailed | None = None
        self._outcome: Outcome | None = None
        self._ending: Ending

    @property
    def cost(self) -> RunCost:
        """What the run has cost until now."""
        calls = self._calls
        return cost_of(self._order, self._outcome, calls.tally, calls.refused, self.needed_nano)

    # --- whose fault it is ---

    def blame(self, error: PlanError | StrategyFailed) -> PlanError:
        """What the asker is told of it; a defect of a strategy's is raised once he is."""
        if isinstance(error, StrategyFailed):
            self._defect = error
            return Internal("internal error")
        if isinstance(error, BudgetExceeded) and self._calls.refused is not None:
            return self.refusal(self._calls.refused)
        return error

    def refusal(self, refused: Refused) -> PlanError:
        """Whoever waited in vain for books that were not open yet had no time left."""
        if refused.owner == "storage" and self._ctx.now() >= self._deadline:
            return DeadlineExceeded("deadline exceeded")
        return budget_error(refused)

    # --- who is told ---

    def begin(self, outcome: Outcome) -> None:
        """The outcome is known; what is still on the wire has a moment to be heard of."""
        self._outcome = cancelled(outcome) if self.is_cancelled else outcome
        if isinstance(self._outcome, Result):
            self._narrator.answer_known(self._outcome.text)
        if not self._calls.idle:
            self._ctx.after(GRACE_S, GraceOver())

    def end(self) -> None:
        """Nothing is on the wire any more: the ledger may have the last word."""
        assert self._outcome is not None, "a run ends in its outcome"
        tally = self._calls.tally
        self._ending = ending(self._order, self._outcome, tally, self.cost, self.is_parked)
        self._ctx.after(END_S, EndOver())
        self.tell_ledger()

    def tell_ledger(self) -> None:
        """Again when the ledger has begun anew, for it may not have been heard."""
        ended, run, journal = self._ending, self._order.run, self._journal
        order, steps = None, journal.waiting
        if not journal.is_open:
            known = self.is_parked or self._begin.steps
            order, steps = (self._order, journal.unopened) if known else (None, ())
        told = (ended.status, ended.body, ended.http_status, order, steps)
        verdicts = tuple(self._run.verdicts) if isinstance(ended.outcome, Result) else ()
        self._ctx.tell(LEDGER, EndRun(self._ctx.address, run, *told, verdicts))

    def tell_asker(self) -> None:
        """And the watchers, once all of it is on record.  Raises what was to blame for it, if that
        was a defect.
        """
        ended = self._ending
        if isinstance(ended.outcome, Result):
            self._narrator.run_finished(ended.body)
        else:
            self._narrator.run_failed(ended.body, ended.http_status)
        self._ctx.reply(self._begin, ended.reply(self._begin.ticket))
        self._ctx.stop()
        if self._defect is not None:
            raise self._defect
