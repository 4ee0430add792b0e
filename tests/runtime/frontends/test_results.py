"""Results and errors: the same body read by every front end."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from actors.errors import AllModelsFailed, BudgetExceeded, Internal, PlanError
from runtime.frontends.wire import PlanResult, error_body, error_from_body

COMPLETION = {"choices": [{"message": {"role": "assistant", "content": "the answer"}}]}
ANSWERS = [{"content": "no", "selected": False}, {"content": "the answer", "selected": True}]


def result(response: dict[str, Any]) -> PlanResult:
    return PlanResult.from_json(
        msgspec.json.encode(
            {
                "negotiated_model": "opus",
                "estimated_cost_usd": 0.25,
                "routing_reason": "x",
                "response": response,
                "id": "run",
                "status": "complete",
                "reasons": [],
                "cost": {"spent_usd": 0.25, "limit_usd": None, "estimated": False, "calls": 1},
            }
        )
    )


@pytest.mark.parametrize(
    "response",
    [
        {"initial_plan": "first", "critique": "c", "refined_plan": "the answer"},
        {"initial_plan": "the answer", "critique": None, "refined_plan": None},
        {"initial_plan": "the answer"},
        {"responses": ANSWERS, "selected": 1, "judge": None},
        {"initial_response": "first", "refined_response": "the answer"},
        {"fused_response": "the answer", "responses": ANSWERS, "selected": None},
        {"fused_response": None, "responses": ANSWERS, "selected": 1},
        COMPLETION,
    ],
)
def test_the_text_is_the_returned_answer(response: dict[str, Any]) -> None:
    """In every mode's shape, degraded ones included."""
    assert result(response).text == "the answer"


def test_a_result_is_its_body() -> None:
    """What was read is what is written again, and `repr` says how it went."""
    read = result(COMPLETION | {"output": {"a": 1}})
    assert read.output == {"a": 1}
    assert PlanResult.from_json(read.to_json()) == read
    assert b"request_id" not in read.to_json()
    assert repr(read) == "<PlanResult run complete: opus, $0.250000>"


def test_an_error_survives_the_way() -> None:
    """Class, code, text and what was paid come out as they went in."""
    error = BudgetExceeded(
        "budget exceeded: nothing left", run="r", cost={"limit_usd": 0.0}, calls=[], partial="half"
    )
    body = error_body(error)
    assert msgspec.json.decode(body) == {
        "error": "budget exceeded: nothing left",
        "code": "budget_exceeded",
        "id": "r",
        "cost": {"limit_usd": 0.0},
        "calls": [],
        "partial": "half",
    }
    read = error_from_body(body, 402)
    assert type(read) is BudgetExceeded
    assert (read.text, read.run, read.partial) == (error.text, "r", "half")


def test_a_bare_error_has_three_fields() -> None:
    body = msgspec.json.decode(error_body(AllModelsFailed("nobody answered")))
    assert body == {"error": "nobody answered", "code": "models_failed", "id": None}


def test_an_error_nobody_can_read() -> None:
    assert isinstance(error_from_body(b"<html>", 500), Internal)
    assert isinstance(error_from_body(b'{"error":"?","code":"new","id":null}', 418), PlanError)
