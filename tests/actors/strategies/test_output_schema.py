"""Structured output: an answer meets the schema, or is repaired once, or is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from actors.domain.model import Model
from actors.errors import BudgetExceeded, SchemaNotMet
from actors.strategies.plan import Call, Unanswered
from tests.actors.strategies.driver import (
    Fails,
    Reply,
    World,
    model,
    order,
    run_mode,
    shown_to,
    verdict,
)

MODELS = [model("a", 9), model("b", 5), model("c", 4), model("d", 3)]
SCHEMA = b'{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}'
ONE = '{"n": 1}'


def schemed(mode: str, **fields: Any) -> Any:
    return order(mode, schema=SCHEMA, **fields)


@pytest.mark.parametrize(
    "text", [ONE, f"```json\n{ONE}\n```", f"Here you are: {ONE} Enjoy.", f"<think>2</think>{ONE}"]
)
def test_the_answer_is_bare_json_and_comes_parsed_too(text: str) -> None:
    """A fence or prose around it is taken off; `output` holds the value."""
    world = World(MODELS, lambda call, m: text)
    result, response = run_mode(world, schemed("planning"))
    assert result.text == response["choices"][0]["message"]["content"] == ONE
    assert response["output"] == {"n": 1}
    assert world.roles == ["answer"]


def test_the_call_carries_the_schema_and_tells_the_model() -> None:
    """For vendors that enforce it, and in the instructions for those that do not."""
    world = World(MODELS, lambda call, m: ONE)
    run_mode(world, schemed("planning"))
    (call,) = world.calls
    assert call.schema == SCHEMA
    first, *rest = json.loads(call.messages)
    assert first["role"] == "system"
    assert SCHEMA.decode() in first["content"]
    assert rest == [{"role": "user", "content": "Why is the sky blue?"}]


def test_an_invalid_answer_is_repaired_once_by_its_author() -> None:
    """It is shown its answer and the validator's problems."""

    def script(call: Call, m: Model) -> Reply:
        if m.id == "a":
            return Fails()
        return ONE if call.role == "repair" else '{"n": "one"}'

    world = World(MODELS, script)
    result, response = run_mode(world, schemed("planning"))
    assert world.answers == [("answer", "b"), ("repair", "b")]
    (repair,) = world.asked("repair")
    request = json.loads(repair.messages)
    assert request[-2] == {"role": "assistant", "content": '{"n": "one"}'}
    assert "$.n: 'one' is not of type 'integer'" in request[-1]["content"]
    assert (result.model, response["output"]) == ("b", {"n": 1})
    assert (result.degraded, result.reasons) == (False, ())


def test_an_answer_that_never_meets_the_schema_is_an_error() -> None:
    """502 with the problem, and the paid text in `partial`."""
    world = World(MODELS, lambda call, m: "no json")
    with pytest.raises(
        SchemaNotMet, match="a: does not meet the schema: the answer is not JSON"
    ) as e:
        run_mode(world, schemed("planning"))
    assert e.value.partial == "no json"
    assert world.roles == ["answer", "repair"]


def test_a_repair_that_cannot_be_paid_is_a_matter_of_money() -> None:
    """402, not 502."""
    world = World(MODELS, lambda c, m: Unanswered("budget") if c.role == "repair" else "no")
    with pytest.raises(BudgetExceeded) as caught:
        run_mode(world, schemed("planning"))
    assert caught.value.partial == "no"


def test_a_refinement_that_breaks_the_schema_does_not_replace_the_answer() -> None:
    """The last valid answer is returned, degraded."""
    world = World(MODELS, lambda call, m: ONE if call.role == "plan" else "prose")
    result, response = run_mode(world, schemed("adversarial"))
    assert world.roles == ["plan", "critique", "refine", "repair"]
    assert (result.text, response["output"]) == (ONE, {"n": 1})
    assert (result.degraded, result.reasons) == (True, ("stage_failed",))
    assert response["refined_plan"] is None


@pytest.mark.parametrize(
    ("mode", "fields"),
    [("refine", {}), ("refine", {"plan_only": True}), ("adversarial", {"plan_only": True})],
)
def test_every_mode_parses_the_returned_answer(mode: str, fields: dict[str, Any]) -> None:
    """`output` is there whatever the shape."""
    world = World(MODELS, lambda call, m: f"```\n{ONE}\n```")
    result, response = run_mode(world, schemed(mode, **fields))
    assert (result.text, response["output"]) == (ONE, {"n": 1})


def test_a_voter_that_breaks_the_schema_is_excluded_by_name() -> None:
    """Each voter is validated and repaired for itself; judges see bare JSON."""

    def script(call: Call, m: Model) -> Reply:
        if call.role == "judge":
            return verdict(call, '{"n": 4}')
        return {"c": "prose", "d": '{"n": 4}'}.get(m.id, f"```\n{ONE}\n```")

    world = World(MODELS, script)
    result, response = run_mode(world, schemed("vote"))
    assert world.roles == ["voter", "voter", "voter", "repair", "judge"]
    assert [r["content"] for r in response["responses"]] == [ONE, '{"n": 4}']
    assert response["failed"] == [
        {"model": "c", "error": "does not meet the schema: the answer is not JSON"}
    ]
    assert (result.text, response["output"]) == ('{"n": 4}', {"n": 4})
    assert {*shown_to(world.asked("judge")[0]).values()} == {ONE, '{"n": 4}'}
    assert result.reasons == ("voters_failed",)
