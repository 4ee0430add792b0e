"""Run carries a plan out: answers in, actions out."""

from __future__ import annotations

from typing import Any

import pytest

from actors.errors import AllModelsFailed
from actors.protocol import Ballot, BallotBuilt, Candidate, VerdictUnreadable
from actors.strategies.actions import (
    Action,
    Announce,
    AskJudge,
    AskRouter,
    CancelCall,
    CloseRound,
    Died,
    Done,
    Grace,
    OpenRound,
    StartCall,
    StrategyFailed,
)
from actors.strategies.plan import (
    Agreement,
    AllIn,
    Answered,
    Call,
    Choose,
    Chosen,
    Finish,
    FirstAnswer,
    Note,
    Plan,
    Quorum,
    Result,
    Round,
    Unanswered,
    ask,
    build_ballot,
    choose,
    fork,
    note,
)
from actors.strategies.run import Run
from tests.actors.strategies.driver import model

MODEL = model("m")
CALL = Call("voter", b"[]", (Candidate(MODEL, 0.0),))
JUDGING = Call("judge", b"[]", (Candidate(MODEL, 0.0),))
CHOOSE = Choose("voter", "normal", b"[]")


def said(text: str) -> Answered:
    return Answered(text, MODEL)


def result(*parts: object) -> Result:
    return Result("m", "test", " ".join(map(str, parts)), b"{}")


def words(outcomes: tuple[Any, ...]) -> list[str]:
    return [o.kind if isinstance(o, Unanswered) else getattr(o, "text", o) for o in outcomes]


def one_round(round: Round) -> Plan[Result]:
    outcomes = yield round
    return result(*words(outcomes))


def test_a_round_waits_for_all_and_keeps_the_order_of_its_branches() -> None:
    """Results come in the branches' order, whatever the order of completion."""
    run = Run(one_round(Round((CALL, CALL))))
    assert run.begin() == [OpenRound(1, 2, 0.0, None), StartCall(2, CALL), StartCall(3, CALL)]
    assert run.resume(3, said("b")) == []
    assert run.outstanding == (2,)
    assert run.resume(2, said("a")) == [CloseRound(1, "voter", 2, 0), Done(result("a", "b"))]
    assert run.ended
    assert repr(run) == "<Run ended, 0 rounds open, 0 ignored>"


def test_a_round_says_what_it_leaves_for_the_rest_of_the_run() -> None:
    """The opening of a round carries its time and money for what comes after it."""
    finish = Finish((Candidate(MODEL, 0.0),), 100, 50)
    run = Run(one_round(Round((CALL,), leave_s=3.0, finish=finish)))
    assert run.begin()[0] == OpenRound(1, 1, 3.0, finish)


def test_an_empty_round_is_over_at_once() -> None:
    """A round without branches neither opens nor hangs."""
    run = Run(one_round(Round(())))
    assert run.begin() == [Done(result())]


@pytest.mark.parametrize(
    ("rule", "answers", "kept"),
    [
        (AllIn(), ["a", "b", "c"], "a b c"),
        (FirstAnswer(), ["a"], "a cancelled cancelled"),
        (FirstAnswer(), [None, "b"], "failed b cancelled"),
        (Quorum(2), ["a", "b"], "a b cancelled"),
        (Agreement(2), ["Yes.", "no", "yes"], "Yes. no yes"),
        (Agreement(2), ["Yes.", "yes"], "Yes. yes cancelled"),
        (Agreement(2), ["x", None, "y"], "x failed y"),
        (Quorum(3), ["a", None, "c"], "a failed c"),
    ],
)
def test_a_round_closes_when_its_rule_says_enough(
    rule: Any, answers: list[str | None], kept: str
) -> None:
    """What is not needed any more is cancelled and counts as such; a rule that cannot be met
    any more ends with the last branch.
    """
    run = Run(one_round(Round((CALL, CALL, CALL), rule)))
    run.begin()
    actions: list[Action] = []
    for key, text in enumerate(answers, start=2):
        actions = run.resume(key, Unanswered("failed") if text is None else said(text))
    cancelled = kept.split().count("cancelled")
    failed = kept.split().count("failed")
    assert actions == [
        *(CancelCall(key) for key in range(5 - cancelled, 5)),
        CloseRound(1, "voter", 3 - cancelled - failed, cancelled + failed),
        Done(result(kept)),
    ]


def test_late_double_and_unknown_answers_are_counted_and_ignored() -> None:
    """Nothing that comes for what is not outstanding changes anything."""
    run = Run(one_round(Round((CALL, CALL), FirstAnswer())))
    run.begin()
    run.resume(2, said("a"))
    assert run.resume(2, said("b")) == run.resume(3, said("c")) == run.resume(99, None) == []
    assert run.expire(1) == run.give_up("deadline") == []
    assert run.ignored == 5


def test_questions_go_to_the_router_and_to_the_judge_and_notes_to_nobody() -> None:
    """Each step of a plan becomes its action; a note is not waited for."""
    noted = Note("m", 0, True, "best")
    ballot = Ballot(b"[]", ("a",), 1)

    def plan() -> Plan[Result]:
        chosen = yield from choose(CHOOSE)
        built = yield from build_ballot(ballot)
        yield from note(noted)
        return result(len(chosen.ranked), built.labels[0])

    run = Run(plan())
    assert run.begin() == [AskRouter(1, CHOOSE)]
    assert run.resume(1, Chosen((), ())) == [AskJudge(2, ballot)]
    built = BallotBuilt("t", b"[]", b"{}", ("K7Q",), (0,))
    assert run.resume(2, built) == [Announce(noted), Done(result(0, "K7Q"))]


def two_steps(first: Call) -> Plan[Answered | Unanswered]:
    yield from ask(first)
    (last,) = yield from ask(JUDGING)
    return last


def forked() -> Plan[Result]:
    outcomes = yield from fork(two_steps(CALL), two_steps(CALL), leave_s=1.0)
    return result(*words(outcomes))


def test_plans_run_side_by_side_in_a_round() -> None:
    """A branch that is a plan goes on to its next step while another is at its first."""
    run = Run(forked())
    assert run.begin() == [
        OpenRound(1, 2, 1.0, None),
        OpenRound(2, 1, 0.0, None, 1),
        StartCall(3, CALL),
        OpenRound(4, 1, 0.0, None, 1),
        StartCall(5, CALL),
    ]
    assert run.resume(5, said("x")) == [
        CloseRound(4, "voter", 1, 0, 1),
        OpenRound(6, 1, 0.0, None, 1),
        StartCall(7, JUDGING),
    ]
    run.resume(3, said("y"))
    run.resume(7, said("b"))
    last = run.resume(9, said("a"))
    assert last[-2:] == [CloseRound(1, "voter", 2, 0), Done(result("a", "b"))]


def test_an_expired_round_closes_with_what_it_has() -> None:
    """Outstanding calls are cancelled, and plans inside start nothing more."""
    run = Run(forked())
    run.begin()
    run.resume(5, said("x"))
    run.resume(7, said("b"))
    assert run.expire(1) == [
        CancelCall(3),
        CloseRound(2, "voter", 0, 1, 1),
        CloseRound(1, "voter", 1, 1),
        Done(result("deadline", "b")),
    ]


def test_a_run_goes_on_after_an_expired_round() -> None:
    """Only the round's own time is up: the next one is started as ever."""

    def plan() -> Plan[Result]:
        first = yield from ask(CALL)
        second = yield from ask(JUDGING)
        return result(*words(first + second))

    run = Run(plan())
    run.begin()
    assert StartCall(4, JUDGING) in run.expire(1)
    assert run.resume(4, said("b"))[-1] == Done(result("deadline", "b"))


@pytest.mark.parametrize("kind", ["deadline", "cancelled", "budget"])
def test_a_run_that_is_given_up_falls_through_to_its_end(kind: Any) -> None:
    """Every step from then on is answered at once, each in its own way, and nothing is begun."""

    def plan() -> Plan[Result]:
        outcomes = yield from ask(CALL)
        chosen = yield from choose(CHOOSE)
        built = yield from build_ballot(Ballot(b"[]", ("a",), 1))
        more = yield from fork(two_steps(CALL))
        return result(*words(outcomes + more), chosen.stopped, built.labels)

    run = Run(plan())
    run.begin()
    ended = Done(result(kind, kind, kind, ()))
    assert run.give_up(kind) == [CancelCall(2), CloseRound(1, "voter", 0, 1), ended]


def test_a_question_that_is_out_is_answered_when_the_run_is_given_up() -> None:
    """Neither the Router nor the Judge is waited for."""

    def plan() -> Plan[Result]:
        read = yield Ballot(b"[]", (), 1)
        return result(isinstance(read, BallotBuilt | VerdictUnreadable))

    run = Run(plan())
    run.begin()
    assert run.give_up("deadline") == [Done(result(True))]


def test_a_grace_begins_once_with_its_quorum() -> None:
    """Failures are no part of it; what has not come when it is over is late."""
    run = Run(one_round(Round((CALL,) * 4, grace=Quorum(2))))
    run.begin()
    assert run.resume(2, said("a")) == []
    assert run.resume(3, Unanswered("failed")) == []
    assert run.resume(4, said("b")) == [Grace(1)]
    closed = CloseRound(1, "voter", 2, 2)
    done = Done(result("a", "failed", "b", "late"))
    assert run.expire(1, "late") == [CancelCall(5), closed, done]
    assert run.expire(1, "late") == []
    assert run.ignored == 1


def test_a_grace_waits_for_nobody_when_all_are_in() -> None:
    """And none is given by those whose answers close the round."""
    run = Run(one_round(Round((CALL, CALL), grace=Quorum(2))))
    run.begin()
    run.resume(2, said("a"))
    assert run.resume(3, said("b")) == [CloseRound(1, "voter", 2, 0), Done(result("a", "b"))]


def test_a_run_given_up_before_it_begins_ends_when_it_does() -> None:
    """Nothing is ever started."""
    run = Run(one_round(Round((CALL,))))
    assert run.give_up("cancelled") == []
    assert run.begin() == [Done(result("cancelled"))]


def failing(error: Exception) -> Plan[Result]:
    yield from ask(CALL)
    raise error


def test_an_error_of_the_plan_ends_the_run() -> None:
    """A PlanError is the run's outcome."""
    error = AllModelsFailed("nobody")
    run = Run(failing(error))
    run.begin()
    assert run.resume(2, said("a"))[-1] == Died(error)


def test_a_bug_in_a_plan_is_told_from_its_errors() -> None:
    """Anything else it raises is a defect, with its own traceback behind it."""
    run = Run(failing(KeyError("oops")))
    run.begin()
    died = run.resume(2, said("a"))[-1]
    assert isinstance(died, Died)
    assert isinstance(died.error, StrategyFailed)
    assert isinstance(died.error.__cause__, KeyError)


def test_what_is_no_step_is_a_bug() -> None:
    """A plan that yields something else has failed."""

    def plan() -> Any:
        yield "hello"

    (died,) = Run(plan()).begin()
    assert isinstance(died, Died)
    assert isinstance(died.error, StrategyFailed)


def test_an_error_in_a_branch_ends_the_whole_run() -> None:
    """Its siblings' calls are cancelled, and their plans closed."""
    closed = []

    def sibling() -> Plan[Answered | Unanswered]:
        try:
            return (yield from two_steps(CALL))
        finally:
            closed.append(True)

    def plan() -> Plan[Result]:
        yield from fork(sibling(), failing(AllModelsFailed("no")))
        raise AssertionError("not reached")

    run = Run(plan())
    run.begin()
    actions = run.resume(5, said("x"))
    assert CancelCall(3) in actions
    assert isinstance(actions[-1], Died)
    assert closed == [True]
    assert run.outstanding == ()
