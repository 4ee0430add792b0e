"""Mode planning: one call, in OpenAI's shape."""

from __future__ import annotations

import json

import pytest

from actors.errors import (
    AllModelsFailed,
    BudgetExceeded,
    Cancelled,
    DeadlineExceeded,
    NoEligibleModel,
    PlanError,
    UnpricedModel,
)
from actors.protocol import RefusalCode
from actors.strategies.plan import Unanswered
from tests.actors.strategies.driver import CutOff, Fails, GiveUp, World, model, order, run_mode

MODELS = [model("big", 9), model("small", 3)]


def test_one_call_answers_in_the_openai_shape() -> None:
    """Whatever the vendor, `response` is a chat.completion, cached tokens counted in the prompt."""
    world = World(MODELS, lambda call, m: "Rayleigh scattering.")
    result, response = run_mode(world, order("planning"))
    assert world.roles == ["answer"]
    assert response == {
        "id": "chatcmpl-r1",
        "object": "chat.completion",
        "created": 1700,
        "model": "big",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Rayleigh scattering."},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    }
    assert result.routing_reason == "routed-weight-9"
    assert (result.model, result.text) == ("big", "Rayleigh scattering.")
    assert (result.reasons, result.degraded) == ((), False)


def test_a_named_model_that_answers_is_explicit() -> None:
    """The hint is preferred whatever its weight; the reason says that it was asked for."""
    world = World(MODELS, lambda call, m: "yes")
    result, _ = run_mode(world, order("planning", primary="small", primary_min_weight=8))
    assert (result.model, result.routing_reason) == ("small", "explicit-model")


def test_a_named_model_that_fails_is_followed_by_routing() -> None:
    """Failover reaches a model that was not asked for, and the reason says so."""
    world = World(MODELS, lambda call, m: Fails() if m.id == "small" else "yes")
    result, _ = run_mode(world, order("planning", primary="small"))
    assert (result.model, result.routing_reason) == ("big", "routed-weight-9")


@pytest.mark.parametrize(("asked", "used"), [(None, "planning"), ("cheap", "cheap")])
def test_the_profile_is_the_modes_unless_ordered(asked: str | None, used: str) -> None:
    """`policy.profile` overrides the profile by which the primary is chosen."""
    world = World(MODELS, lambda call, m: "yes")
    run_mode(world, order("planning", profile=asked, primary_min_weight=4, max_tokens=77))
    (chosen,) = world.chooses
    assert (chosen.profile, chosen.min_weight, chosen.max_tokens) == (used, 4, 77)


def test_the_whole_order_reaches_the_call() -> None:
    """Every message with its role, the parameters, the temperature and the limit."""
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "Go on"},
    ]
    world = World(MODELS, lambda call, m: "yes")
    parameters = b'{"top_p":0.5}'
    ordered = order(
        "planning", messages=messages, parameters=parameters, temperature=0.3, max_tokens=9
    )
    run_mode(world, ordered)
    (call,) = world.calls
    assert json.loads(call.messages) == messages
    assert (call.parameters, call.temperature, call.max_tokens) == (parameters, 0.3, 9)


def test_an_answer_that_is_cut_off_is_an_answer() -> None:
    """It ends with `length`, and the reasons say `truncated`."""
    world = World(MODELS, lambda call, m: CutOff("Ray"))
    result, response = run_mode(world, order("planning"))
    assert response["choices"][0]["finish_reason"] == "length"
    assert (result.reasons, result.degraded) == (("truncated",), False)


@pytest.mark.parametrize(("strip", "text"), [(True, "Yes."), (False, "<think>hm</think>Yes.")])
def test_hidden_reasoning_is_removed_when_asked(strip: bool, text: str) -> None:
    """`strip_think` decides what the user sees."""
    world = World(MODELS, lambda call, m: "<think>hm</think>Yes.")
    result, response = run_mode(world, order("planning", strip_think=strip))
    assert result.text == response["choices"][0]["message"]["content"] == text


def test_without_any_answer_the_error_names_each_model() -> None:
    """502 tells what failed, per model."""
    world = World(MODELS, lambda call, m: Fails(f"{m.id} is down"))
    with pytest.raises(AllModelsFailed, match="big: big is down; small: small is down"):
        run_mode(world, order("planning"))


@pytest.mark.parametrize(
    ("refusals", "error", "text"),
    [
        ({"big": "weight", "small": "unavailable"}, NoEligibleModel, "no eligible model: big: is"),
        ({"big": "unpriced", "small": "weight"}, UnpricedModel, "unpriced model: big: is"),
        ({"big": "unpriced", "small": "unaffordable"}, BudgetExceeded, "budget exceeded: big"),
    ],
)
def test_nobody_eligible_is_refused_with_each_models_reason(
    refusals: dict[str, RefusalCode], error: type[PlanError], text: str
) -> None:
    """Money that lacks is 402, constraints that nobody meets are 502."""
    world = World(MODELS, lambda call, m: "yes", refusals)
    with pytest.raises(error, match=text) as caught:
        run_mode(world, order("planning"))
    assert type(caught.value) is error
    assert world.calls == []


@pytest.mark.parametrize(
    ("kind", "error"),
    [("budget", BudgetExceeded), ("deadline", DeadlineExceeded), ("cancelled", Cancelled)],
)
@pytest.mark.parametrize("how", [GiveUp, Unanswered])
def test_a_run_without_answer_ends_in_its_kind(how: type, kind: str, error: type) -> None:
    """Given up as a whole or unanswered alone: the same error."""
    world = World(MODELS, lambda call, m: how(kind))
    with pytest.raises(error):
        run_mode(world, order("planning"))
