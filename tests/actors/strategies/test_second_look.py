"""A second look: the same judge, the reversed order, and only where it is close."""

from __future__ import annotations

from typing import Any

import pytest

from actors.domain.model import Model
from actors.errors import Cancelled
from actors.protocol import JudgeVerdict
from actors.strategies import STRATEGIES
from actors.strategies.plan import Call, Unanswered
from actors.strategies.run import Run
from tests.actors.strategies.driver import (
    Fails,
    GiveUp,
    Reply,
    World,
    model,
    order,
    run_mode,
    shown_to,
    verdict,
)

MODELS = [model("j", 5), model("a", 9), model("b", 8), model("c", 7), model("d", 6)]
LOOK: dict[str, Any] = {"second_look": True, "review": "j"}


class Judge:
    """Says these one after the other: (choice, margin), or a reply."""

    def __init__(self, *says: tuple[str, str] | Reply) -> None:
        self.says = iter(says)

    def __call__(self, call: Call, m: Model) -> Reply:
        if call.role == "voter":
            return f"from {m.id}"
        said = next(self.says)
        return verdict(call, said[0], margin=said[1]) if isinstance(said, tuple) else said


def looked(*says: tuple[str, str] | Reply, **ordered: Any) -> tuple[World, Any, dict[str, Any]]:
    world = World(MODELS, Judge(*says))
    result, response = run_mode(world, order("vote", **{**LOOK, **ordered}))
    return world, result, response


@pytest.mark.parametrize("first", [("from b", "clear"), ("none", "narrow"), ("none", "clear")])
def test_what_is_not_close_is_judged_once(first: tuple[str, str]) -> None:
    world, _, response = looked(first)
    assert len(world.asked("judge")) == 1
    assert response["verdicts"][0]["second_look"] is None


def test_nothing_is_looked_at_twice_unless_asked_for() -> None:
    """However close; and nobody is told of verdicts."""
    world, _, response = looked(("from b", "narrow"), second_look=False)
    assert len(world.asked("judge")) == 1
    assert response["judge_decided"] is True
    assert not {"verdicts", "agreement"} & response.keys()


def test_a_verdict_without_a_margin_is_clear() -> None:
    world = World(MODELS, lambda c, m: "x" if c.role == "voter" else verdict(c, "x"))
    run_mode(world, order("vote", **LOOK))
    assert len(world.asked("judge")) == 1


def test_the_second_order_is_the_first_reversed() -> None:
    """By the same judge, under other labels."""
    world, _, _ = looked(("tie", "clear"), ("tie", "clear"))
    first, second = map(shown_to, world.asked("judge"))
    assert [*second.values()] == [*first.values()][::-1]
    assert not first.keys() & second.keys()
    assert [m for role, m in world.answers if role == "judge"] == ["j", "j"]


B, C, TIE, NONE = "from b", "from c", "tie", "none"


@pytest.mark.parametrize(
    ("first", "second", "second_look", "selected", "codes"),
    [
        ((B, "narrow"), (B, "narrow"), "confirmed", 1, ()),
        ((B, "narrow"), (B, "clear"), "confirmed", 1, ()),
        ((B, "narrow"), (C, "clear"), "flipped", 0, ("judge_tie",)),
        ((B, "narrow"), (C, "narrow"), "flipped", 0, ("judge_tie",)),
        ((B, "narrow"), (TIE, "clear"), "flipped", 0, ("judge_tie",)),
        ((B, "narrow"), (NONE, "clear"), "flipped", 0, ("judge_tie",)),
        ((TIE, "clear"), (TIE, "narrow"), "confirmed", 0, ("judge_tie",)),
        ((TIE, "narrow"), (C, "clear"), "settled", 2, ()),
        ((TIE, "narrow"), (C, "narrow"), "confirmed", 0, ("judge_tie",)),
        ((TIE, "clear"), (NONE, "clear"), "flipped", 0, ("judge_tie",)),
    ],
)
def test_a_flip_counts_as_a_tie(
    first: tuple[str, str],
    second: tuple[str, str],
    second_look: str,
    selected: int,
    codes: tuple[str, ...],
) -> None:
    """Only what both orders agree on is decided, and a tie by a clear choice."""
    _, result, response = looked(first, second)
    assert (response["selected"], response["judge_decided"]) == (selected, not codes)
    assert (result.reasons, result.degraded) == (codes, False)
    (said,) = response["verdicts"]
    assert (said["judge"], said["second_look"]) == ("j", second_look)
    assert response["judge"] == "j"


def test_a_flip_is_told_in_the_reason() -> None:
    _, _, response = looked(("from b", "narrow"), ("from c", "narrow"))
    assert "responses[1] in one order, responses[2] in the other" in response["reason"]
    assert "highest model weight, 9" in response["reason"]


@pytest.mark.parametrize(
    ("lacking", "codes"),
    [
        ((Fails(),), ("second_look_failed",)),
        (("eh?", "eh?"), ("second_look_failed",)),
        ((Unanswered("budget"),), ("second_look_failed", "budget")),
        ((GiveUp("deadline"),), ("second_look_failed", "deadline")),
    ],
)
def test_where_it_cannot_be_had_the_first_verdict_stands(
    lacking: tuple[Reply, ...], codes: tuple[str, ...]
) -> None:
    """And the result says so."""
    _, result, response = looked(("from b", "narrow"), *lacking)
    assert (response["selected"], response["judge_decided"]) == (1, True)
    assert (result.reasons, result.degraded) == (codes, True)
    assert response["verdicts"][0]["second_look"] == "failed"


def test_a_run_cancelled_at_its_second_look_is_cancelled() -> None:
    with pytest.raises(Cancelled) as caught:
        looked(("from b", "narrow"), GiveUp("cancelled"))
    assert caught.value.partial == "from a\n\nfrom b\n\nfrom c"


@pytest.mark.parametrize(
    ("says", "on_record"),
    [
        ([("from b", "clear")], [JudgeVerdict("j", "one", False, None, 3, 1, False)]),
        (
            [("from a", "narrow"), ("from b", "clear")],
            [JudgeVerdict("j", "one", True, "flipped", 3, 1, True)],
        ),
        (
            ["eh?", "eh?", ("tie", "clear"), ("tie", "clear")],
            [
                JudgeVerdict("j", "unreadable"),
                JudgeVerdict("d", "tie", False, "confirmed", 3, 0, False),
            ],
        ),
    ],
)
def test_each_judge_is_on_record(
    says: list[tuple[str, str] | Reply], on_record: list[JudgeVerdict]
) -> None:
    """With its first choice, what a second look made of it, and how it treats its own family."""
    models = [model("j", 5, "family-a"), *MODELS[1:]]
    world = World(models, Judge(*says))
    run = Run(STRATEGIES["vote"](order("vote", **LOOK)))
    world.drive(run)
    assert run.verdicts == on_record
