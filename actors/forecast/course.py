"""One imagined course of a run: its strategy carried out, with answers that nobody gave.

The Router's answers are what it would say now, ballots are built as they would be.  So every mode
and every option is foretold by the very plan that would be carried out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from heapq import heappop, heappush

from msgspec import Struct

from actors.domain import ballots
from actors.domain.admission import Demand, demand
from actors.domain.selection import Selector
from actors.errors import Internal, PlanError
from actors.forecast.guesses import Guess, answered, cost, latency_ms
from actors.protocol import (
    Ballot,
    BallotBuilt,
    Candidate,
    Order,
    Reading,
    Refusal,
    RepairVerdict,
    Role,
    Validated,
    Verdict,
)
from actors.questions import selection
from actors.strategies import STRATEGIES
from actors.strategies.actions import (
    Action,
    AskJudge,
    AskRouter,
    AskValidator,
    CancelCall,
    Died,
    Done,
    OpenRound,
    StartCall,
    StrategyFailed,
)
from actors.strategies.plan import Call, Choose, Chosen, Finish, Result
from actors.strategies.run import Run

HEDGED = 2
"""How often a call that may be hedged is made at most."""


class Imagined(Struct, frozen=True):
    """A call: when it would start, how long it would take, what it would cost.

    Calls of one `stage` (1, 2, 3 …) belong to one round of the run's own plan.  `ranked` is what
    the Router says about the role; `cost_nano` is None where a price is unknown.
    """

    call: Call
    stage: int
    ranked: tuple[Candidate, ...]
    started_ms: float
    latency_ms: float
    cost_nano: int | None

    @property
    def asked(self) -> Candidate:
        return self.call.candidates[0]

    @property
    def is_timed(self) -> bool:
        """Whether the model's speed is known."""
        return self.asked.expected_ms is not None


class Course(Struct, frozen=True):
    """The calls in order of start, how it ends, and the money that its first calls need at once.

    `refused` has, for each role that was to be taken, who may not.
    """

    calls: tuple[Imagined, ...]
    refused: Mapping[Role, tuple[Refusal, ...]]
    end: Result | PlanError
    took_ms: float
    demand: Demand

    @property
    def is_timed(self) -> bool:
        return all(call.is_timed for call in self.calls)

    @property
    def cost_nano(self) -> int | None:
        """None where a price is unknown."""
        costs = [call.cost_nano for call in self.calls]
        return None if None in costs else sum(cost or 0 for cost in costs)


def imagined(order: Order, selector: Selector, guess: Guess) -> Course:
    """Carries `order` out in mind.  Raises Internal where its strategy has a defect."""
    return _Imagining(order, selector, guess).course()


class _Imagining:
    def __init__(self, order: Order, selector: Selector, guess: Guess) -> None:
        self._order = order
        self._selector = selector
        self._guess: Guess = guess
        self._run = Run(STRATEGIES[order.mode](order))
        self._now = 0.0
        self._stage = 0
        self._spent_nano = 0
        self._chosen: dict[Role, Chosen] = {}
        self._under_way: list[tuple[float, int]] = []
        self._calls: dict[int, Imagined] = {}
        self._finish: Finish | None = None
        self._end: Result | PlanError | None = None

    def course(self) -> Course:
        self._perform(self._run.begin())
        while self._end is None:
            self._now, key = heappop(self._under_way)
            if key in self._run.outstanding:
                self._perform(
                    self._run.resume(key, answered(self._calls[key].call, key, self._guess))
                )
        calls = tuple(self._calls.values())
        first = [call.call for call in calls if not call.started_ms]
        refused = {role: chosen.refused for role, chosen in self._chosen.items()}
        return Course(calls, refused, self._end, self._now, demand(first, self._finish))

    def _perform(self, actions: Iterable[Action]) -> None:
        todo = list(actions)
        while todo:
            todo += self._do(todo.pop(0))

    def _do(self, action: Action) -> Iterable[Action]:
        match action:
            case StartCall(key, call):
                self._start(key, call)
            case AskRouter(key, wanted):
                return self._run.resume(key, self._choose(wanted))
            case AskJudge(key, about):
                return self._run.resume(key, self._judged(about))
            case AskValidator(key):
                return self._run.resume(key, Validated("", ()))
            case OpenRound(finish=finish, depth=0):
                self._stage += 1
                if self._stage == 1:
                    self._finish = finish
            case CancelCall(key):
                self._calls.pop(key, None)
            case Done(result):
                self._end = result
            case Died(error):
                self._end = _blamed(error)
            case _:
                pass  # what watchers are told
        return ()

    def _choose(self, wanted: Choose) -> Chosen:
        also = None if wanted.also is None else self._choose(wanted.also)
        asked = selection(self._order, wanted, self._spent_nano, reply_to="", ticket="")
        chosen = Chosen(*self._selector.select(asked), also=also)
        self._chosen[wanted.role] = chosen
        return chosen

    def _start(self, key: int, call: Call) -> None:
        if not call.candidates:
            raise Internal("a call without candidates")
        nano = cost(call, self._guess, self._order.input_tokens)
        if nano is not None and self._guess == "most" and self._order.hedge:
            nano *= HEDGED
        self._spend(nano or 0)
        chosen = self._chosen.get(call.role)
        ranked = call.candidates if chosen is None else chosen.ranked
        took_ms = latency_ms(call.candidates[0], call, self._guess)
        self._calls[key] = Imagined(call, self._stage, ranked, self._now, took_ms, nano)
        heappush(self._under_way, (self._now + took_ms, key))

    def _spend(self, nano: int) -> None:
        """What a limit cannot pay for is not bought: the answer is cut, or not asked for."""
        limit = self._order.limit_nano
        spent = self._spent_nano + nano
        self._spent_nano = spent if limit is None else min(spent, limit)

    def _judged(self, about: Ballot | Reading) -> BallotBuilt | Verdict | RepairVerdict:
        if isinstance(about, Ballot):
            return ballots.built(about)
        if self._guess != "most":
            return Verdict("", 0, "")
        if about.repaired:
            return Verdict("", "tie", "")
        problem = "it cannot be read"
        messages = ballots.repair(about.messages, about.text, about.labels, problem)
        return RepairVerdict("", messages, problem)


def _blamed(error: PlanError | StrategyFailed) -> PlanError:
    if isinstance(error, StrategyFailed):
        raise Internal("internal error") from error
    return error
