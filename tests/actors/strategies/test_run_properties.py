"""Whatever comes in whatever order, a run ends once, with nothing outstanding, and replays."""

from __future__ import annotations

from typing import Any, TypeAlias

from hypothesis import given
from hypothesis import strategies as st

from actors.errors import AllModelsFailed
from actors.protocol import Candidate
from actors.strategies.actions import (
    Action,
    AskRouter,
    CancelCall,
    CloseRound,
    Died,
    Done,
    OpenRound,
    StartCall,
)
from actors.strategies.plan import (
    Agreement,
    AllIn,
    Answered,
    Call,
    Choose,
    Chosen,
    FirstAnswer,
    Plan,
    Quorum,
    Result,
    Round,
    Unanswered,
    choose,
)
from actors.strategies.run import Run
from tests.actors.strategies.driver import model

MODEL = model("m")
CALL = Call("voter", b"[]", (Candidate(MODEL, 0.0),))

Shape: TypeAlias = Any
"""A plan as data: `call`, `choose`, `raise`, or a round: its rule and its branches' shapes."""

RULES = st.sampled_from([AllIn(), FirstAnswer(), Quorum(2), Agreement(2)])
LEAVES = st.sampled_from(["call", "call", "call", "choose", "raise"])
SHAPES = st.recursive(
    LEAVES, lambda inner: st.tuples(RULES, st.lists(inner, max_size=4)), max_leaves=12
)
STORIES = st.lists(st.tuples(RULES, st.lists(SHAPES, max_size=4)), max_size=4)
CHANCES = st.lists(st.integers(0, 2**20), max_size=60)
PLAIN = 2 * 7 + 1
"""The chance of an ordinary answer, once the others are used up."""


def branch(shape: Shape) -> Call | Plan[Any]:
    return CALL if shape == "call" else inner(shape)


def inner(shape: Shape) -> Plan[Any]:
    match shape:
        case "choose":
            chosen = yield from choose(Choose("voter", "normal", b"[]"))
            return chosen.stopped or "chosen"
        case "raise":
            yield Round((CALL,))
            raise AllModelsFailed("as written")
        case (rule, branches):
            results = yield Round(tuple(map(branch, branches)), rule)
            return Unanswered("failed") if not results else results[0]


def story(rounds: list[Shape]) -> Plan[Result]:
    said = []
    for shape in rounds:
        said.append((yield from inner(shape)))
    return Result("m", "test", repr(said), b"{}")


def answer(action: Action, chance: int) -> object:
    if isinstance(action, AskRouter):
        return Chosen((), ())
    return Answered("ab"[chance % 2], MODEL) if chance % 3 else Unanswered("failed")


def carry_out(rounds: list[Shape], chances: list[int]) -> tuple[Run, list[Any], list[Action]]:
    """Answers what is outstanding in an order, and with failures, that `chances` decide."""
    run = Run(story(rounds))
    journal: list[Any] = []
    actions = run.begin()
    draws = iter(chances)
    while not run.ended:
        chance = next(draws, PLAIN)
        key = run.outstanding[chance % len(run.outstanding)]
        asked = {a.key: a for a in actions if isinstance(a, StartCall | AskRouter)}[key]
        opened = [a.key for a in actions if isinstance(a, OpenRound)]
        kind = chance // 7 % 16
        if kind == 0 and opened:
            entry = ("expire", opened[chance % len(opened)])
        elif kind == 1:
            entry = ("give_up", ("deadline", "cancelled", "budget")[chance % 3])
        else:
            entry = ("resume", key, answer(asked, chance))
        journal.append(entry)
        actions += perform(run, entry)
    return run, journal, actions


def perform(run: Run, entry: Any) -> list[Action]:
    name, *arguments = entry
    done: list[Action] = getattr(run, name)(*arguments)
    return done


@given(STORIES, CHANCES)
def test_a_run_ends_once_with_nothing_outstanding(rounds: list[Shape], chances: list[int]) -> None:
    """Every call ends or is cancelled, every round that opened closes unless the run died, and
    the last action is the only end.
    """
    run, journal, actions = carry_out(rounds, chances)
    assert run.outstanding == ()
    ends = [action for action in actions if isinstance(action, Done | Died)]
    assert ends == [actions[-1]]
    started = {action.key for action in actions if isinstance(action, StartCall)}
    cancelled = [action.key for action in actions if isinstance(action, CancelCall)]
    resumed = {entry[1] for entry in journal if entry[0] == "resume"}
    assert len(cancelled) == len(set(cancelled))
    assert started - resumed == set(cancelled)
    opened = [(a.key, a.depth) for a in actions if isinstance(a, OpenRound)]
    closed = [(a.key, a.depth) for a in actions if isinstance(a, CloseRound)]
    assert set(closed) <= set(opened)
    assert len(closed) == len(set(closed))


@given(STORIES, CHANCES)
def test_a_journal_of_answers_replays_to_the_same_actions(
    rounds: list[Shape], chances: list[int]
) -> None:
    """Keys and actions follow from the answers and their order alone."""
    _, journal, actions = carry_out(rounds, chances)
    again = Run(story(rounds))
    replayed = again.begin()
    for entry in journal:
        replayed += perform(again, entry)
    assert list(map(comparable, replayed)) == list(map(comparable, actions))


def comparable(action: Action) -> object:
    return repr(action.error) if isinstance(action, Died) else action
