"""Mode vote with `decide` as `majority`: the voters decide, field by field."""

from __future__ import annotations

import json
from typing import Any

import pytest

from actors.domain.agreement import MOST_COMPARED
from actors.domain.model import Model
from actors.strategies.plan import Call
from tests.actors.strategies.driver import Fails, Reply, World, model, order, run_mode

MODELS = [model("a", 9), model("b", 8), model("c", 7), model("d", 6)]
SCHEMA = b'{"properties":{"x":{"type":"integer"},"y":{"type":"integer"},"z":{"type":"integer"}}}'
NOT_BOTH = b'{"not":{"properties":{"x":{"const":1},"y":{"const":1}},"required":["x","y"]}}'


def voted(schema: bytes = SCHEMA, **replies: Any) -> tuple[World, Any, dict[str, Any]]:
    fields = {name: replies.pop(name) for name in ("early_stop", "voters") if name in replies}

    def script(call: Call, m: Model) -> Reply:
        said = replies[m.id]
        return said if isinstance(said, Fails) else json.dumps(said)

    world = World(MODELS, script)
    result, response = run_mode(world, order("vote", schema=schema, decide="majority", **fields))
    return world, result, response


def test_no_judge_is_called_nor_set_aside() -> None:
    """The best model votes, and nothing is kept for a judge."""
    world, result, response = voted(a={"x": 1}, b={"x": 2}, c={"x": 2})
    assert world.answers == [("voter", "a"), ("voter", "b"), ("voter", "c")]
    assert [choose.role for choose in world.chooses] == ["voter"]
    assert (world.opened[0].leave_s, world.opened[0].finish) == (0.0, None)
    assert (result.text, result.model, response["output"]) == ('{"x": 2}', "b", {"x": 2})
    assert (response["selected"], response["judge"], response["judge_decided"]) == (1, None, False)
    assert response["reason"] == "in each field it says what most of 3 voters say"
    assert (result.reasons, result.degraded) == ((), False)
    assert "assembled" not in response
    (noted,) = world.notes
    assert (noted.judge, noted.selected, noted.decided) == (None, 1, False)


def test_an_answer_may_be_what_nobody_said_as_a_whole() -> None:
    """It is in `assembled` and `output`; the voter that is closest to it is selected."""
    _, result, response = voted(
        a={"x": 1, "y": 1, "z": 1}, b={"x": 1, "y": 2, "z": 2}, c={"x": 3, "y": 2, "z": 1}
    )
    assert response["output"] == {"x": 1, "y": 2, "z": 1}
    assert json.loads(result.text) == json.loads(response["assembled"]) == response["output"]
    assert (result.model, response["selected"]) == ("a", 0)
    assert "responses[0] is closest" in response["reason"]
    assert (result.reasons, result.degraded) == ((), False)


def test_what_does_not_meet_the_schema_is_not_returned() -> None:
    """But the answer with most of its fields, which does; and the reason says so."""
    _, result, response = voted(
        NOT_BOTH, a={"x": 1, "y": 0, "z": 5}, b={"x": 0, "y": 1, "z": 5}, c={"x": 1, "y": 1.5}
    )
    assert response["output"] == {"x": 1, "y": 0, "z": 5}
    _, result, response = voted(
        NOT_BOTH, a={"x": 1, "y": 0}, b={"x": 0, "y": 1, "z": 5}, c={"x": 1, "z": 5}, d={"y": 1},
        voters=4,
    )  # fmt: skip
    assert response["output"] == {"x": 1, "y": 0}
    assert result.reasons == ("majority_invalid",)
    assert "does not meet the schema" in response["reason"]
    assert "assembled" not in response


def test_a_failed_voter_has_no_say() -> None:
    """Of the two that answered the heavier wins; one alone is the only answer."""
    _, result, response = voted(a={"x": 1}, b=Fails(), c={"x": 2})
    assert (result.text, result.reasons, result.degraded) == ('{"x": 1}', ("voters_failed",), True)
    _, result, response = voted(a=Fails(), b=Fails(), c={"x": 2})
    assert (result.routing_reason, response["reason"]) == (
        "vote-single-response",
        "the only answer",
    )


def test_what_cannot_be_compared_is_not_counted() -> None:
    """Too long to be looked at field by field; where all are, the rule chooses."""
    long = {"w": "x" * MOST_COMPARED}
    _, result, response = voted(a=long, b={"x": 2}, c={"x": 1})
    assert (result.text, response["selected"]) == ('{"x": 2}', 1)
    _, result, response = voted(a=long, b=long, c={**long, "x": 1})
    assert (response["selected"], response["judge"]) == (0, None)
    assert response["reason"].startswith("no answer can be compared; chosen because 2 of 3")


@pytest.mark.parametrize("early_stop", [False, True])
def test_stopping_early_returns_the_same(early_stop: bool) -> None:
    """Two of three that agree in every field cannot be outvoted in any."""
    replies = {"a": {"x": 1, "y": 2}, "b": {"y": 2.0, "x": 1}, "c": {"x": 1, "y": 3}}
    world, result, response = voted(**replies, early_stop=early_stop)
    assert (result.text, response["selected"]) == ('{"x": 1, "y": 2}', 0)
    assert len(world.calls) == (2 if early_stop else 3)
    if early_stop:
        assert response["saved"]["calls"] == 1
