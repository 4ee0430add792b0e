"""The usual requests of the Plan API, as they stand, at a server that nobody has configured."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.end_to_end.shell import Server, Shell

MESSAGES = [{"role": "user", "content": "Design a REST API for a task management app"}]

EXAMPLES: dict[str, dict[str, Any]] = {
    "the whole request": {
        "mode": "adversarial",
        "iterations": 2,
        "primary_model_id": "claude-opus",
        "review_model_id": "gpt-4",
        "primary_min_weight": 5,
        "review_min_weight": 8,
        "return_plan_only": False,
        "output_schema": '{"type":"object"}',
    },
    "adversarial": {"mode": "adversarial", "iterations": 2},
    "vote": {"mode": "vote"},
    "refine": {"mode": "refine", "iterations": 3},
    "planning": {"mode": "planning"},
    "models by name": {
        "mode": "adversarial",
        "primary_model_id": "claude-opus",
        "review_model_id": "gpt-4",
    },
    "models by weight": {"mode": "adversarial", "primary_min_weight": 7, "review_min_weight": 9},
}
KNOWN = {"negotiated_model", "estimated_cost_usd", "routing_reason", "response"}
OURS = {"id", "status", "reasons", "cost", "usage", "calls"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Shell(tmp_path_factory.mktemp("home")).serving() as server:
        yield server


@pytest.fixture(scope="module")
def answers(server: Server) -> dict[str, Any]:
    """Every example's answer; they are asked at the same time."""

    def ask(orchestration: dict[str, Any]) -> Any:
        response = server.post({"request": {"messages": MESSAGES}, "orchestration": orchestration})
        assert response.status_code == 200, response.text
        return response.json()

    with ThreadPoolExecutor(len(EXAMPLES)) as clients:
        return dict(zip(EXAMPLES, clients.map(ask, EXAMPLES.values()), strict=True))


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_is_answered_whole(answers: dict[str, Any], example: str) -> None:
    """With the four fields that everyone knows, and ours."""
    answer = answers[example]
    assert set(answer) == KNOWN | OURS
    assert (answer["status"], answer["reasons"]) == ("complete", [])
    assert isinstance(answer["negotiated_model"], str)
    assert answer["estimated_cost_usd"] == answer["cost"]["spent_usd"] > 0
    assert {call["provider"] for call in answer["calls"]} == {"simulated"}
    assert {call["status"] for call in answer["calls"]} <= {"ok", "invalid"}


@pytest.mark.parametrize(
    "example", ["the whole request", "adversarial", "models by name", "models by weight"]
)
def test_adversarial(answers: dict[str, Any], example: str) -> None:
    """A plan, its critique and the refined plan, as texts; the named models play their parts."""
    answer, asked = answers[example], EXAMPLES[example]
    iterations = asked.get("iterations", 1)
    assert answer["routing_reason"] == "adversarial-orchestration"
    response = answer["response"]
    extra = {"output"} if "output_schema" in asked else set()
    fields = {"initial_plan", "critique", "refined_plan", "iterations", "rounds"}
    assert set(response) == fields | extra
    for name in ("initial_plan", "critique", "refined_plan"):
        assert isinstance(response[name], str)
        assert response[name]
    assert (response["iterations"], len(response["rounds"])) == (iterations, iterations)
    roles = [call["role"] for call in answer["calls"] if call["role"] != "repair"]
    assert roles == ["plan", *["critique", "refine"] * iterations]
    _same_models(answer, asked, "plan", "critique")


def test_an_output_schema_as_a_string_holds(answers: dict[str, Any]) -> None:
    """The texts for the user are JSON that is valid against it."""
    response = answers["the whole request"]["response"]
    assert isinstance(response["output"], dict)
    assert json.loads(response["refined_plan"]) == response["output"]
    assert isinstance(json.loads(response["initial_plan"]), dict)


def test_vote(answers: dict[str, Any]) -> None:
    """Three answers, one of them selected, and the judge, who gave none."""
    answer = answers["vote"]
    assert answer["routing_reason"] == "vote-orchestration"
    response = answer["response"]
    ours = {"judge_decided", "reason", "failed"}
    assert set(response) == {"responses", "selected", "judge"} | ours
    assert [set(r) for r in response["responses"]] == [{"model", "content", "selected"}] * 3
    chosen = response["responses"][response["selected"]]
    assert [r for r in response["responses"] if r["selected"]] == [chosen]
    assert answer["negotiated_model"] == chosen["model"]
    assert response["judge"] not in {r["model"] for r in response["responses"]}
    assert (response["judge_decided"], response["failed"], len(answer["calls"])) == (True, [], 4)


def test_refine(answers: dict[str, Any]) -> None:
    """One model, four calls."""
    answer = answers["refine"]
    assert answer["routing_reason"] == "refine-orchestration"
    response = answer["response"]
    assert set(response) == {"refined_response", "iterations", "model", "initial_response"}
    assert (response["iterations"], response["model"]) == (3, answer["negotiated_model"])
    assert [call["role"] for call in answer["calls"]] == ["answer", *["refine"] * 3]
    assert {call["model"] for call in answer["calls"]} == {response["model"]}


def test_planning(answers: dict[str, Any]) -> None:
    """An OpenAI completion by the model that plans best."""
    answer = answers["planning"]
    assert answer["routing_reason"] == "routed-weight-9"
    response = answer["response"]
    assert response["object"] == "chat.completion"
    (choice,) = response["choices"]
    assert choice["message"]["role"] == "assistant"
    assert choice["message"]["content"]
    assert choice["finish_reason"] == "stop"
    assert response["usage"]["total_tokens"] > 0
    assert len(answer["calls"]) == 1


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({"request": {"messages": []}}, 400, "messages required"),
        (
            {"request": {"messages": MESSAGES}, "orchestration": {"iterations": 11}},
            400,
            "iterations must be between 0 and 10",
        ),
        (
            {"request": {"messages": MESSAGES}, "orchestration": {"mode": "debate"}},
            400,
            "unknown orchestration mode",
        ),
    ],
)
def test_the_known_errors(server: Server, body: Any, status: int, error: str) -> None:
    """As text, under `error`; the server serves on."""
    with server.client() as client:
        response = client.post("/v1/plan", json=body)
        assert (response.status_code, response.json()["error"]) == (status, error)
        assert client.get("/readyz").status_code == 200


def _same_models(answer: Any, asked: dict[str, Any], primary: str, review: str) -> None:
    """Whoever was asked for by name, by whatever name it goes here, had the part alone."""
    by_role = {
        role: {call["model"] for call in answer["calls"] if call["role"] == role}
        for role in (primary, review)
    }
    assert all(len(models) == 1 for models in by_role.values())
    assert by_role[primary] != by_role[review]
    assert answer["negotiated_model"] in by_role[primary]
    if "primary_model_id" in asked:
        assert by_role == {primary: {"sim-sage"}, review: {"sim-scholar"}}
