"""Answers that are less than was asked for, errors, and cancelling: as a client sees them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import msgspec
import pytest

from actors.domain.model import Usage
from runtime.testing import Reply, judging
from tests.end_to_end.rig import (
    CLAUDE,
    GPT,
    PATIENCE_S,
    PROMPT,
    Served,
    Vendors,
    body_of,
    configured,
    held_nano,
    nano,
    request,
    served,
    spent_nano,
    until,
)

HANG = Reply(fault="hang")
CLOSED = Reply("your account is closed", status=403)
AT_ONCE_S = 1.0


@pytest.fixture
def at(vendors: Vendors) -> Iterator[Served]:
    with served(configured(vendors, models=(GPT, CLAUDE))) as at:
        yield at


def plan(**orchestration: Any) -> dict[str, Any]:
    return {"orchestration": {"primary_model_id": GPT, **orchestration}}


def settled(at: Served, body: Any) -> bool:
    """Nothing is held, and what was spent is what the only run so far says."""
    spent = body["cost"]["spent_usd"] if "cost" in body else 0.0
    assert (held_nano(at.hub), spent_nano(at.hub)) == (0, nano(spent))
    return True


def only_run(at: Served) -> str:
    """The id of the run that is under way."""
    (future,) = at.hub.engine.runs.futures()
    return future.run_id


# --- an answer once paid for is returned ---------------------------------------------------------


def test_a_later_stage_that_fails(vendors: Vendors, at: Served) -> None:
    """The plan is returned without its critique, and what failed is in the calls."""
    vendors.openai.answers([Reply("The plan."), *[CLOSED] * 5])
    vendors.anthropic.answers(CLOSED)
    response = at.post(request(**plan(mode="adversarial", iterations=2)))
    body = body_of(response)
    assert (response.status_code, body["status"], body["reasons"]) == (
        200,
        "degraded",
        ["stage_failed"],
    )
    assert body["response"] == {
        "initial_plan": "The plan.",
        "critique": None,
        "refined_plan": None,
        "iterations": 0,
        "rounds": [],
    }
    assert [(call["role"], call["status"]) for call in body["calls"]] == [
        ("plan", "ok"),
        ("critique", "failed"),
        ("critique", "failed"),
    ]
    assert settled(at, body)


def test_a_deadline_in_the_middle(vendors: Vendors, at: Served) -> None:
    """What is on the wire is given up, its connection closed, and the plan is returned."""
    vendors.openai.answers([Reply("The plan."), *[HANG] * 5])
    vendors.anthropic.answers(HANG)
    body = body_of(at.post(request(**plan(mode="adversarial"), policy={"max_latency_ms": 300})))
    assert (body["status"], body["reasons"]) == ("degraded", ["deadline"])
    assert body["response"]["initial_plan"] == "The plan."
    assert body["calls"][-1]["status"] == "cancelled"
    assert body["cost"]["estimated"]
    assert vendors.anthropic.wait_for(calls=1, connections=0, timeout=AT_ONCE_S)
    assert settled(at, body)


def test_a_budget_that_ends_in_the_middle(vendors: Vendors, at: Served) -> None:
    """The critique does not fit any more: nothing is sent for it."""
    vendors.openai.answers(
        lambda call: Reply("The plan.", Usage(input=50, output=call.body["max_tokens"]))
    )
    body = body_of(at.post(request(**plan(mode="adversarial"), policy={"max_budget_usd": 0.02})))
    assert (body["status"], body["reasons"]) == ("degraded", ["budget", "clamped"])
    assert body["response"]["initial_plan"] == "The plan."
    assert 0 < body["cost"]["spent_usd"] <= body["cost"]["limit_usd"] == 0.02
    assert len(vendors.openai.calls) + len(vendors.anthropic.calls) == 1
    assert settled(at, body)


def test_a_refinement_that_is_cut_short(vendors: Vendors, at: Served) -> None:
    """`iterations` says how many there were, and the last whole answer is returned."""
    vendors.openai.answers([Reply("first"), Reply("second"), *[CLOSED] * 5])
    vendors.anthropic.answers(CLOSED)
    body = body_of(at.post(request(**plan(mode="refine", iterations=3))))
    assert body["response"] == {
        "refined_response": "second",
        "iterations": 1,
        "model": GPT,
        "initial_response": "first",
    }
    assert (body["status"], body["reasons"]) == ("degraded", ["stage_failed"])


def test_a_vote_without_a_judge(vendors: Vendors, at: Served) -> None:
    """Both voters answer, nobody can be read as judge: the rule decides, and says so."""
    vendors.answer(Reply("I like them all."))
    body = body_of(at.post(request(orchestration={"mode": "vote", "voters": 2})))
    response = body["response"]
    assert (body["status"], response["judge_decided"]) == ("degraded", False)
    assert "judge_failed" in body["reasons"]
    assert response["judge"] is None
    assert "agree" in response["reason"]
    assert settled(at, body)


# --- no answer -----------------------------------------------------------------------------------


def test_402_says_what_would_be_needed(vendors: Vendors, at: Served) -> None:
    """Nothing was sent."""
    response = at.post(request(policy={"max_budget_usd": 0.000_01}))
    body = body_of(response)
    assert (response.status_code, body["code"]) == (402, "budget_exceeded")
    assert body["error"].startswith("budget exceeded: ")
    cost = body["cost"]
    assert (cost["limit_usd"], cost["spent_usd"], cost["held_usd"]) == (0.000_01, 0, 0)
    assert cost["needed_usd"] > 0.000_01
    assert vendors.calls == ()
    assert settled(at, body)


def test_502_says_what_failed_and_what_was_paid(vendors: Vendors, at: Served) -> None:
    """Each attempt, with its model and its error; and the text that was paid for."""
    vendors.openai.answers(Reply("One answer."))
    vendors.anthropic.answers(CLOSED)
    vote = {"mode": "vote", "voter_model_ids": [GPT, CLAUDE], "on_partial": "fail"}
    response = at.post(request(orchestration=vote))
    body = body_of(response)
    assert (response.status_code, body["code"]) == (502, "models_failed")
    assert f"{CLAUDE}: fatal: 403: your account is closed" in body["error"]
    assert sorted((c["model"], c["status"]) for c in body["calls"]) == [
        (CLAUDE, "failed"),
        (GPT, "ok"),
    ]
    assert body["partial"] == "One answer."
    assert body["cost"]["spent_usd"] > 0
    assert body["id"]
    assert settled(at, body)


def test_502_when_the_schema_is_not_met(vendors: Vendors, at: Served) -> None:
    """Not even repaired."""
    vendors.openai.answers(Reply("I would rather not."))
    schema = {"type": "object", "required": ["paths"]}
    response = at.post(request(request={"output_schema": schema}, **plan()))
    body = body_of(response)
    assert (response.status_code, body["code"]) == (502, "schema_not_met")
    assert [call["role"] for call in body["calls"]] == ["answer", "repair"]
    assert body["partial"] == "I would rather not."


def test_502_when_nobody_may(vendors: Vendors, at: Served) -> None:
    """With each model's reason."""
    response = at.post(request(orchestration={"primary_min_weight": 10}))
    body = body_of(response)
    assert (response.status_code, body["code"]) == (502, "no_eligible_model")
    assert body["error"].startswith("no eligible model: ")
    for model in (GPT, CLAUDE):
        assert f"{model}: weight" in body["error"]


def test_504_when_nothing_came_in_time(vendors: Vendors, at: Served) -> None:
    """What was begun is in the calls, its cost estimated, its connections closed."""
    vendors.answer(HANG)
    response = at.post(request(policy={"max_latency_ms": 200}))
    body = body_of(response)
    assert (response.status_code, body["code"]) == (504, "deadline")
    assert body["error"] == "deadline exceeded"
    assert body["cost"]["estimated"]
    assert {call["status"] for call in body["calls"]} <= {"cancelled", "failed"}
    for vendor in vendors:
        assert vendor.wait_for(connections=0, timeout=AT_ONCE_S)
    assert settled(at, body)


def test_bad_requests_reach_nobody(vendors: Vendors, at: Served) -> None:
    """Each is told what is wrong, on the connection on which the next request is answered."""
    wrong: list[tuple[bytes, str]] = [
        (b"{", "bad_json"),
        (b'{"request": {"messages": []}}', "messages_required"),
        (_with(orchestration={"iterations": 11}), "bad_iterations"),
        (_with(orchestration={"mode": "debate"}), "unknown_mode"),
        (_with(orchestration={"output_schema": "{"}), "bad_schema"),
        (_with(request={"output_schema": {"$ref": "http://there/x"}}), "bad_schema"),
        (_with(orchestration={"review_model_id": "gpt-9"}), "unknown_model"),
        (_with(policy={"max_budget": 1}), "unknown_field"),
        (_with(dry_run="yes"), "bad_request"),
        (_with(orchestration={"voters": 11}), "bad_request"),
        (_with(request={"parameters": {"model": "x"}}), "bad_request"),
    ]
    with at.client() as client:
        for content, code in wrong:
            headers = {"content-type": "application/json"}
            response = client.post("/v1/plan", content=content, headers=headers)
            assert (response.status_code, response.json()["code"]) == (400, code), content
        assert vendors.calls == ()
        assert client.post("/v1/plan", json=request()).status_code == 200


def _with(**parts: Any) -> bytes:
    return msgspec.json.encode(request(**parts))


# --- cancelling ----------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["planning", "vote"])
def test_delete_closes_the_connections_to_the_vendors(
    vendors: Vendors, at: Served, mode: str
) -> None:
    """Within a second; the run has ended as cancelled, with nothing held."""
    vendors.answer(HANG)
    body = request(orchestration={"mode": mode, "voters": 4})
    response = at.post(body, prefer="respond-async")
    assert response.status_code == 202
    place = response.headers["location"]
    wanted = 4 if mode == "vote" else 1
    assert until(lambda: len(vendors.calls) == wanted)
    with at.client() as client:
        assert client.get(place).json()["status"] == "running"
        assert client.delete(place).status_code == 202
        for vendor in vendors:
            assert vendor.wait_for(connections=0, timeout=AT_ONCE_S)
        ended = until(lambda: _ended(client, place))
        assert ended["status"] == "cancelled"
        assert ended["error"]["code"] == "cancelled"
        assert len(ended["error"]["calls"]) == wanted
        assert client.delete(place).status_code == 200
    assert settled(at, ended["error"])


def test_the_waiting_client_is_told_of_a_cancellation(vendors: Vendors, at: Served) -> None:
    """499, with what was paid until then."""
    vendors.openai.answers([Reply("The plan."), HANG])
    vendors.anthropic.answers(HANG)
    with ThreadPoolExecutor(1) as clients, at.client() as client:
        waiting = clients.submit(at.post, request(**plan(mode="adversarial")))
        assert vendors.anthropic.wait_for(calls=1, timeout=PATIENCE_S)
        run = only_run(at)
        assert client.delete(f"/v1/plan/{run}").status_code == 202
        response = waiting.result(PATIENCE_S)
    body = body_of(response)
    assert (response.status_code, body["code"], body["id"]) == (499, "cancelled", run)
    assert body["partial"] == "The plan."
    assert [call["status"] for call in body["calls"]] == ["ok", "cancelled"]
    assert settled(at, body)


def test_a_client_that_leaves_closes_the_connections_to_the_vendors(
    vendors: Vendors, at: Served
) -> None:
    """Within a second."""
    vendors.answer(HANG)
    content = _with(orchestration={"mode": "vote", "voters": 4})
    head = (
        "POST /v1/plan HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        f"content-length: {len(content)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", at.port), PATIENCE_S) as client:
        client.sendall(head.encode() + content)
        assert until(lambda: len(vendors.calls) == 4)
        run = only_run(at)
    for vendor in vendors:
        assert vendor.wait_for(connections=0, timeout=AT_ONCE_S)
    with at.client() as client:
        ended = until(lambda: _ended(client, f"/v1/plan/{run}"))
    assert ended["status"] == "cancelled"
    assert settled(at, ended["error"])
    vendors.answer(judging())
    assert at.post(request(PROMPT)).status_code == 200


def _ended(client: httpx.Client, place: str) -> Any:
    page = client.get(place).json()
    return page if page["status"] != "running" else None
