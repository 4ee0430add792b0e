"""Mode refine: one model improves its own answer."""

from __future__ import annotations

import json
from itertools import count

import pytest

from actors.errors import Cancelled
from actors.protocol import RefusalCode
from actors.strategies.plan import Call, Unanswered
from tests.actors.strategies.driver import (
    CutOff,
    Fails,
    GiveUp,
    Reply,
    Script,
    World,
    model,
    order,
    run_mode,
)

MODELS = [model("a"), model("b")]


def drafts() -> Script:
    numbers = count(1)
    return lambda call, m: f"draft {next(numbers)}"


@pytest.mark.parametrize(("iterations", "done"), [(0, 2), (1, 1), (3, 3)])
def test_it_costs_one_call_and_one_per_iteration(iterations: int, done: int) -> None:
    """The default is two; the response tells the first and the last text."""
    world = World(MODELS, drafts())
    result, response = run_mode(world, order("refine", iterations=iterations))
    assert world.roles == ["answer"] + ["refine"] * done
    last = f"draft {done + 1}"
    assert response == {
        "refined_response": last,
        "iterations": done,
        "model": "a",
        "initial_response": "draft 1",
    }
    assert result.routing_reason == "refine-orchestration"
    assert (result.model, result.text, result.reasons) == ("a", last, ())


def test_plan_only_stops_after_the_first_answer() -> None:
    """Both texts are the same, nothing was refined."""
    world = World(MODELS, drafts())
    result, response = run_mode(world, order("refine", plan_only=True, iterations=3))
    assert world.roles == ["answer"]
    assert response == {
        "refined_response": "draft 1",
        "iterations": 0,
        "model": "a",
        "initial_response": "draft 1",
    }
    assert (result.routing_reason, result.degraded) == ("refine-plan-only", False)


def test_each_round_keeps_the_conversation_and_shows_the_last_answer() -> None:
    """The answer is the model's own turn, without its hidden reasoning."""
    world = World(MODELS, lambda call, m: "<think>no</think>Blue.")
    run_mode(world, order("refine", iterations=1))
    turns = json.loads(world.asked("refine")[0].messages)
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]
    assert turns[0]["content"] == "Why is the sky blue?"
    assert turns[1]["content"] == "Blue."


def test_the_author_refines_and_another_when_it_fails() -> None:
    """`model` is the last one that refined, and is asked first from then on."""

    def script(call: Call, m: object) -> Reply:
        return Fails() if call.role == "refine" and m == MODELS[0] else call.role

    world = World(MODELS, script)
    result, response = run_mode(world, order("refine", iterations=2))
    assert response["model"] == result.model == "b"
    assert [choose.named for choose in world.chooses] == [(), ("a",), ("b",)]


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Fails(), "stage_failed"),
        (Unanswered("budget"), "budget"),
        (GiveUp("deadline"), "deadline"),
        (GiveUp("budget"), "budget"),
    ],
)
def test_a_later_stage_that_fails_leaves_the_best_answer(reply: Reply, reason: str) -> None:
    """200 and degraded: an answer once paid for is returned."""
    world = World(MODELS, lambda call, m: reply if len(world.calls) == 3 else call.role)
    result, response = run_mode(world, order("refine", iterations=4))
    assert (result.degraded, result.reasons) == (True, (reason,))
    assert response["iterations"] == 1
    assert response["refined_response"] == "refine"


def test_nobody_left_for_a_later_stage_is_a_failure_like_any_other() -> None:
    """A model that became unavailable meanwhile does not undo what was paid."""

    def script(call: Call, m: object) -> Reply:
        gone: dict[str, RefusalCode] = {"a": "unavailable", "b": "unavailable"}
        world.refusals = gone
        return "first"

    world = World(MODELS, script)
    result, response = run_mode(world, order("refine"))
    assert result.reasons == ("stage_failed",)
    assert response["refined_response"] == response["initial_response"] == "first"


def test_a_cancelled_run_has_no_answer_but_tells_what_was_paid() -> None:
    """The client changed its mind: the error carries the text so far."""
    world = World(MODELS, lambda call, m: GiveUp("cancelled") if call.role == "refine" else "one")
    with pytest.raises(Cancelled) as caught:
        run_mode(world, order("refine"))
    assert caught.value.partial == "one"


def test_only_the_returned_answer_counts_as_cut_off() -> None:
    """`truncated` is said of what the user gets."""
    world = World(MODELS, lambda call, m: CutOff("x") if call.role == "answer" else "whole")
    assert run_mode(world, order("refine"))[0].reasons == ()
    world = World(MODELS, lambda call, m: CutOff("x") if call.role == "refine" else "whole")
    assert run_mode(world, order("refine"))[0].reasons == ("truncated",)
