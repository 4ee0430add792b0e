"""A journal of what a run was told carries it out again, to the same end or on from there."""

from __future__ import annotations

from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from actors.domain.ballots import built
from actors.domain.model import Model
from actors.protocol import Ballot, BallotBuilt, Candidate, Step
from actors.strategies.actions import Action, AskJudge, AskRouter, Done, Grace, OpenRound, StartCall
from actors.strategies.journal import (
    Told,
    answer_step,
    carry_on,
    expire_step,
    give_up_step,
    take,
    told_by,
    without_failures,
)
from actors.strategies.plan import (
    Answered,
    Call,
    Choose,
    Chosen,
    Plan,
    Quorum,
    Result,
    Round,
    Unanswered,
    ask,
    build_ballot,
    choose,
)
from actors.strategies.run import Run

MODEL = Model("m", "v", "m")
CANDIDATES = (Candidate(MODEL, 0.0),)


def call(text: str) -> Call:
    return Call("voter", text.encode(), CANDIDATES)


def some_plan() -> Plan[Result]:
    """A choice, a quorum of three, then one more call: all kinds of ends are possible."""
    chosen = yield from choose(Choose("voter", "normal", b"[]"))
    first = yield Round((call("a"), call("b"), call("c")), Quorum(2), leave_s=1.0)
    last = yield from ask(call("last"))
    texts = [outcome.text for outcome in (*first, *last)]
    return Result("m", f"{len(chosen.ranked)}", "|".join(texts), b"{}")


def answer(action: Action, random: Random) -> Told | None:
    match action:
        case AskRouter():
            return Chosen(CANDIDATES, ())
        case StartCall(key):
            failed = random.random() < 0.3
            return Unanswered("failed") if failed else Answered(f"text {key}", MODEL)
        case _:
            return None


def carried_out(seed: int) -> tuple[list[Step], list[list[Action]]]:
    """A run with answers in a random order, sometimes expired or given up; its journal, and what
    it did at each step.
    """
    random = Random(seed)
    run = Run(some_plan())
    steps: list[Step] = []
    done = [run.begin()]
    open_now = list(done[0])
    while not run.ended:
        number = len(steps) + 1
        draw = random.random()
        rounds = [action.key for action in open_now if isinstance(action, OpenRound)]
        if draw < 0.05:
            step = give_up_step(number, "deadline")
        elif draw < 0.15 and rounds:
            kind = random.choice(["deadline", "late"])
            step = expire_step(number, random.choice(rounds), kind)
        else:
            waiting = [
                action
                for action in open_now
                if isinstance(action, AskRouter | AskJudge | StartCall)
                and action.key in run.outstanding
            ]
            chosen = random.choice(waiting)
            told = answer(chosen, random)
            assert told is not None
            step = answer_step(number, chosen.key, told)
        steps.append(step)
        done.append(take(run, step))
        open_now += done[-1]
    return steps, done


@given(st.integers(0, 2**32))
def test_the_same_steps_lead_to_the_same_actions(seed: int) -> None:
    """A run is a function of its journal."""
    steps, done = carried_out(seed)
    again = Run(some_plan())
    assert [again.begin(), *(take(again, step) for step in steps)] == done


@given(st.integers(0, 2**32), st.floats(0, 1))
def test_a_run_is_carried_on_from_anywhere(seed: int, where: float) -> None:
    """Cut anywhere, what is left to do is what had been started and not answered by then."""
    steps, done = carried_out(seed)
    cut = int(where * len(steps))
    before = Run(some_plan())
    left = carry_on(before, steps[:cut])
    started = {a.key for a in left if isinstance(a, AskRouter | AskJudge | StartCall)}
    assert started == set(before.outstanding)
    for step in steps[cut:]:
        take(before, step)
    assert before.ended
    assert carry_on(Run(some_plan()), steps) == [a for a in done[-1] if isinstance(a, Done)]


def test_a_grace_goes_on_while_its_round_is_open() -> None:
    """Carried on, it is given again; with its round it is over."""

    def plan() -> Plan[Result]:
        outcomes = yield Round((call("a"), call("b"), call("c")), grace=Quorum(2))
        return Result("m", "test", "|".join(outcome.text for outcome in outcomes), b"{}")

    steps = [answer_step(1, 2, Answered("a", MODEL)), answer_step(2, 3, Answered("b", MODEL))]
    left = carry_on(Run(plan()), steps)
    assert [type(action) for action in left] == [OpenRound, Grace, StartCall]
    (done,) = carry_on(Run(plan()), [*steps, expire_step(3, 1, "late")])
    assert isinstance(done, Done)
    assert done.result.text == "a|b|late"


def test_nothing_is_announced_or_asked_a_second_time() -> None:
    """What the journal answers is left to nobody."""
    steps = [answer_step(1, 1, Chosen(CANDIDATES, ()))]
    left = carry_on(Run(some_plan()), steps)
    assert [type(action) for action in left] == [OpenRound, StartCall, StartCall, StartCall]


def fails(step: Step) -> bool:
    return step.kind == "give_up" or isinstance(told_by(step), Unanswered)


@given(st.integers(0, 2**32))
def test_without_failures_the_rest_is_kept(seed: int) -> None:
    """All up to the first failure; then the answers to calls that were under way, in their order;
    numbered anew, and without any failure.
    """
    steps, _ = carried_out(seed)
    kept = without_failures(Run(some_plan()), steps)
    first = next((i for i, s in enumerate(steps) if s.kind != "expire" and fails(s)), len(steps))
    assert kept[:first] == tuple(steps[:first])
    assert [step.number for step in kept] == list(range(1, len(kept) + 1))
    later = [(step.key, step.body) for step in kept[first:]]
    paid = [(step.key, step.body) for step in steps[first:] if not fails_or_expires(step)]
    assert later == [answer for answer in paid if answer in later]


def fails_or_expires(step: Step) -> bool:
    return step.kind == "expire" or fails(step)


@given(st.integers(0, 2**32))
def test_no_answer_kept_is_asked_for_again(seed: int) -> None:
    """What is left to be done was not answered; what was answered before is not left."""
    steps, _ = carried_out(seed)
    kept = without_failures(Run(some_plan()), steps)
    left = carry_on(Run(some_plan()), kept)
    answered = {step.key for step in kept if step.kind == "answer"}
    started = {a.key for a in left if isinstance(a, AskRouter | AskJudge | StartCall)}
    assert not answered & started
    assert started or isinstance(left[0], Done)


def test_the_answers_of_a_round_outlive_its_failure() -> None:
    """The second of three failed: the others were paid for, and are enough to go on."""
    chosen = answer_step(1, 1, Chosen(CANDIDATES, ()))
    steps = [
        chosen,
        answer_step(2, 3, Answered("a", MODEL)),
        answer_step(3, 4, Unanswered("failed")),
        answer_step(4, 5, Answered("c", MODEL)),
        give_up_step(5, "deadline"),
    ]
    kept = without_failures(Run(some_plan()), steps)
    assert [step.key for step in kept] == [1, 3, 5]
    left = carry_on(Run(some_plan()), kept)
    assert [a.call for a in left if isinstance(a, StartCall)] == [call("last")]


# --- ballots ----------------------------------------------------------------------------------

BALLOT = Ballot(b'[{"role":"user","content":"Which?"}]', ("this", "that"), 7)


def judging_plan() -> Plan[Result]:
    shown = yield from build_ballot(BALLOT)
    return Result("m", "judged", shown.messages.decode(), b"{}")


def test_of_a_ballot_the_journal_keeps_what_cannot_be_built_again() -> None:
    """The texts are there already, as the answers that they were."""
    step = answer_step(1, 1, built(BALLOT))
    assert len(step.body) < 40
    (done,) = carry_on(Run(judging_plan()), [step])
    assert isinstance(done, Done)
    assert done.result.text == built(BALLOT).messages.decode()


def test_a_ballot_that_was_kept_whole_is_read() -> None:
    whole = Step(1, "answer", 1, msgspec.msgpack.encode(BallotBuilt("", b"[1]", b"{}", (), ())))
    (done,) = carry_on(Run(judging_plan()), [whole])
    assert isinstance(done, Done)
    assert done.result.text == "[1]"


def test_a_ballot_that_would_be_built_otherwise_now_is_unreadable() -> None:
    """Its labels would stand for other candidates."""
    paper = built(BALLOT)
    other = replace(paper, order=paper.order[::-1])
    with pytest.raises(msgspec.DecodeError, match="built otherwise"):
        carry_on(Run(judging_plan()), [answer_step(1, 1, other)])


def test_a_ballot_that_nobody_waits_for_any_more_is_passed_over() -> None:
    run = Run(judging_plan())
    run.begin()
    assert take(run, answer_step(1, 9, built(BALLOT))) == []
