"""Carrying a plan out, purely: answers go in, actions come out, nothing waits here.

A :class:`Run` is to a plan what `h11.Connection` is to a socket.  Whoever owns it performs the
actions it returns and tells it what came of them:

- `begin()` starts the plan; `resume(key, answer)` brings the answer to what was started under
  `key`: an Outcome to :class:`StartCall`, a Chosen to :class:`AskRouter`, the Judge's reply to
  :class:`AskJudge`, a Validated to :class:`AskValidator`.
- `expire(key)` says that a round's own time is up, or that its grace is over; `give_up(kind)`
  that the whole run's time is up.

Rules:

1. Keys are 1, 2, 3 …; calls, questions and rounds share them.  The same answers in the same
   order give the same actions, so a journal of them is all it takes to carry a run out again.
2. A round is open from its :class:`OpenRound` to its :class:`CloseRound`, which comes when all of
   its branches have ended or its rule says enough; what it no longer needs gets a
   :class:`CancelCall`.  A branch that is a plan opens rounds of its own inside; they end
   without a word when the branch is given up.
3. Exactly one :class:`Done` or :class:`Died` ends a run.  Nothing is outstanding then, and
   whatever comes later is ignored and counted.
4. What is cancelled need not be resumed; an answer that comes all the same is ignored.
5. Inside an expired round, and everywhere once the run is given up, nothing more is started:
   every step is answered at once by what :func:`_instead_of` says.  So `give_up` ends the run
   before it returns, unless the run has not begun.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from actors.dispatch import handles, table
from actors.errors import PlanError
from actors.protocol import Ballot, BallotBuilt, JudgeVerdict, Reading, RepairVerdict, Validated
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
from actors.strategies.enough import answers
from actors.strategies.plan import (
    Call,
    Check,
    Choose,
    Chosen,
    Note,
    Plan,
    Result,
    Round,
    Step,
    Unanswered,
    UnansweredKind,
)
from actors.strategies.rounds import (
    WAITS,
    Asked,
    Carried,
    Opened,
    Place,
    Startable,
    Waits,
    is_within,
    rounds_above,
)


class Run:
    """One plan, carried out by one owner; not to be shared."""

    def __init__(self, plan: Plan[Result]) -> None:
        self._plan = Carried(plan, None)
        self._live = [self._plan]
        self._asked: dict[int, Asked] = {}
        self._rounds: dict[int, Opened] = {}
        self._actions: list[Action] = []
        self._last_key = 0
        self._stopping = False
        self._stopped: UnansweredKind | None = None
        self.ended = False
        self.verdicts: list[JudgeVerdict] = []
        """How the judges did that this run has asked."""
        self.ignored = 0
        """Answers and expiries that came for what was not, or no longer, outstanding."""

    def __repr__(self) -> str:
        state = "ended" if self.ended else f"{len(self._asked)} outstanding"
        return f"<Run {state}, {len(self._rounds)} rounds open, {self.ignored} ignored>"

    @property
    def outstanding(self) -> tuple[int, ...]:
        """Keys of what was started and is waited for, oldest first."""
        return tuple(self._asked)

    def asked(self, key: int) -> Startable | None:
        """What was started under `key` and is waited for."""
        return self._asked[key].step if key in self._asked else None

    def begin(self) -> list[Action]:
        """Starts the plan; to be called once, first."""
        return self._act(self._advance, self._plan, None)

    def resume(self, key: int, answer: object) -> list[Action]:
        """The answer to what was started under `key` has come."""
        if (asked := self._asked.pop(key, None)) is None:
            return self._ignore()
        return self._act(self._answer, asked, answer)

    def expire(self, key: int, kind: UnansweredKind = "deadline") -> list[Action]:
        """The time of the round opened under `key` is up: it closes with what it has."""
        if (round := self._rounds.get(key)) is None:
            return self._ignore()
        self._stopping, round.stopped = True, kind
        return self._act(self._stop, kind, round)

    def give_up(self, kind: UnansweredKind) -> list[Action]:
        """Nothing more may be started: the run ends now, with the best it has."""
        if self.ended:
            return self._ignore()
        self._stopping, self._stopped = True, kind
        return self._act(self._stop, kind, None)

    # --- what the plan says ---

    def _advance(self, plan: Carried, answer: Any) -> None:
        """Sends a plan its answer, and the next, until it waits for something or has ended."""
        while answer is not WAITS:
            try:
                step = plan.steps.send(answer)
            except StopIteration as end:
                self._returned(plan, end.value)
                return
            except PlanError:
                raise
            except Exception as error:
                raise StrategyFailed(f"{type(error).__name__}: {error}") from error
            if (take := _TAKERS.get(type(step))) is None:
                raise StrategyFailed(f"a plan yielded {step!r}, which is no step")
            answer = take(self)(step, plan)

    @handles
    def _question(self, step: Choose | Ballot | Reading | Check, plan: Carried) -> Any:
        return self._ask(Asked(step, plan))

    @handles
    def _note(self, noted: Note, _: Carried) -> None:
        self._actions.append(Announce(noted))

    @handles
    def _watched(self, verdict: JudgeVerdict, _: Carried) -> None:
        self.verdicts.append(verdict)

    def _returned(self, plan: Carried, result: Any) -> None:
        self._live.remove(plan)
        if plan.place is None:
            self._end(Done(result))
        else:
            self._settle(plan.place, result)

    # --- questions and calls ---

    def _ask(self, asked: Asked) -> Any:
        if (kind := self._stopped_at(asked.place)) is not None:
            return _instead_of(asked.step, kind)
        key = self._key()
        self._asked[key] = asked
        self._actions.append(_STARTS[type(asked.step)](key, asked.step))
        return WAITS

    def _answer(self, asked: Asked, answer: Any) -> None:
        if isinstance(asked.to, Carried):
            self._advance(asked.to, answer)
        else:
            self._settle(asked.to, answer)

    # --- rounds ---

    @handles
    def _open(self, step: Round, plan: Carried) -> Any:
        """Starts every branch.  A round without any, or with enough already, is over at once."""
        announced = bool(step.branches) and self._stopped_at(plan.place) is None
        calls = len(step.branches)
        results = [WAITS] * calls
        opened = Opened(self._key(), plan, step.enough, step.grace, results, announced, calls)
        self._rounds[opened.key] = opened
        if announced:
            opening = OpenRound(opened.key, calls, step.leave_s, step.finish, plan.depth)
            self._actions.append(opening)
        for index, branch in enumerate(step.branches):
            self._branch(Place(opened, index), branch)
        opened.opening = False
        return self._close(opened) if opened.may_close else self._wait(opened)

    def _wait(self, round: Opened) -> Waits:
        if round.gives_grace():
            self._actions.append(Grace(round.key))
        return WAITS

    def _branch(self, place: Place, branch: Call | Plan[Any]) -> None:
        if isinstance(branch, Call):
            if place.round.role is None:
                for above in rounds_above(place):
                    above.role = above.role or branch.role
            place.round.put(place.index, self._ask(Asked(branch, place)))
            return
        carried = Carried(branch, place, place.round.plan.depth + 1)
        self._live.append(carried)
        self._advance(carried, None)

    def _settle(self, place: Place, result: Any) -> None:
        round = place.round
        round.put(place.index, result)
        if round.may_close:
            self._advance(round.plan, self._close(round))
        else:
            self._wait(round)

    def _close(self, round: Opened) -> tuple[Any, ...]:
        """Gives up the branches still running and hands the results over."""
        if round.running:
            self._drop(round)
            cancelled = Unanswered("cancelled")
            round.results = [cancelled if r is WAITS else r for r in round.results]
        del self._rounds[round.key]
        if round.announced:
            answered = sum(map(answers, round.results))
            failed = len(round.results) - answered
            depth = round.plan.depth
            self._actions.append(CloseRound(round.key, round.role, answered, failed, depth))
        return tuple(round.results)

    # --- ends ---

    def _stop(self, kind: UnansweredKind, scope: Opened | None) -> None:
        """Answers all that is outstanding in `scope`, and what that leads to, by `kind`."""
        while (key := next(self._keys_in(scope), None)) is not None:
            asked = self._asked.pop(key)
            if isinstance(asked.step, Call):
                self._actions.append(CancelCall(key))
            self._answer(asked, _instead_of(asked.step, kind))

    def _stopped_at(self, place: Place | None) -> UnansweredKind | None:
        if self._stopped is not None or not self._stopping:
            return self._stopped
        for round in rounds_above(place):
            if round.stopped is not None:
                return round.stopped
        return None

    def _drop(self, scope: Opened | None) -> None:
        """Forgets all that is outstanding in `scope`, and the plans that wait for it."""
        for key in list(self._keys_in(scope)):
            if isinstance(self._asked.pop(key).step, Call):
                self._actions.append(CancelCall(key))
        for plan in [plan for plan in self._live if is_within(plan.place, scope)]:
            self._live.remove(plan)
            plan.steps.close()
        for round in [r for r in self._rounds.values() if is_within(r.plan.place, scope)]:
            del self._rounds[round.key]

    def _end(self, action: Done | Died) -> None:
        self._drop(None)
        self._actions.append(action)
        self.ended = True

    # --- small change ---

    def _act(self, work: Callable[..., None], *given: Any) -> list[Action]:
        try:
            work(*given)
        except (PlanError, StrategyFailed) as error:
            self._end(Died(error))
        actions, self._actions = self._actions, []
        return actions

    def _ignore(self) -> list[Action]:
        self.ignored += 1
        return []

    def _key(self) -> int:
        self._last_key += 1
        return self._last_key

    def _keys_in(self, scope: Opened | None) -> Iterator[int]:
        return (key for key, asked in self._asked.items() if is_within(asked.place, scope))


_TAKERS = table(Run, Step)
_STARTS: Mapping[type, Callable[[int, Any], Action]] = {
    Call: StartCall,
    Choose: AskRouter,
    Ballot: AskJudge,
    Reading: AskJudge,
    Check: AskValidator,
}


def _instead_of(
    step: Startable, kind: UnansweredKind
) -> Unanswered | Chosen | BallotBuilt | RepairVerdict | Validated:
    """The answer to what is not asked any more.  An empty ballot is sent to nobody, nor is a
    verdict repaired; what is not checked counts as invalid.
    """
    match step:
        case Call():
            return Unanswered(kind)
        case Choose():
            also = None if step.also is None else Chosen((), (), kind)
            return Chosen((), (), kind, also)
        case Ballot():
            return BallotBuilt("", b"[]", b"{}", (), ())
        case Reading():
            return RepairVerdict("", b"[]", kind)
        case Check():
            return Validated("", (f"it was not checked: {kind}",))
