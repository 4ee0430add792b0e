"""What a request may ask of the voters of a vote."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from actors.domain.health import LEAST_KEPT
from runtime.frontends.wire import PlanResult
from runtime.testing import RecordedCall, Reply, judging
from tests.end_to_end.rig import (
    CLAUDE_LIGHT,
    GPT,
    GPT_LIGHT,
    Vendors,
    request,
    until,
)

PANEL = [GPT, CLAUDE_LIGHT, GPT_LIGHT]


def saying(*texts: str) -> Any:
    """The panel's voters say these, in its order; a judge takes what it is shown first."""
    said = dict(zip(PANEL, texts, strict=True))
    return judging(otherwise=lambda call: Reply(said[call.model]))


def voted(client: httpx.Client, *, status: int = 200, **orchestration: Any) -> Any:
    asked = {"mode": "vote", "voter_model_ids": PANEL, **orchestration}
    response = client.post("/v1/plan", json=request(orchestration=asked))
    assert response.status_code == status, response.text
    return response.json()


# --- wait -------------------------------------------------------------------------------------


def test_a_straggler_is_not_waited_for(client: httpx.Client, vendors: Vendors) -> None:
    """Once most have answered; it is cancelled on its connection, and named."""
    said = saying("a", "b", "c")
    vendors.answer(lambda c: Reply(fault="hang") if c.model == GPT_LIGHT else said(c))
    body = voted(client, wait="quorum")
    assert (body["status"], body["reasons"]) == ("degraded", ["voters_late"])
    (failed,) = body["response"]["failed"]
    assert (failed["model"], "as long again" in failed["error"]) == (GPT_LIGHT, True)
    statuses = {call["model"]: call["status"] for call in body["calls"]}
    assert statuses[GPT_LIGHT] == "cancelled"
    assert body["response"]["judge"] is not None


# --- hedge ------------------------------------------------------------------------------------


def test_a_slow_call_is_sent_once_more_elsewhere(client: httpx.Client, vendors: Vendors) -> None:
    """Once it is known how long its model takes; what is slow is cancelled on its connection."""
    vendors.answer(lambda call: Reply("quick"))
    asked = {"primary_model_id": GPT_LIGHT}
    for _ in range(LEAST_KEPT):
        planned = client.post("/v1/plan", json=request(orchestration=asked))
        assert planned.status_code == 200, planned.text

    def slow(call: RecordedCall) -> Reply:
        return Reply(fault="hang") if call.model == GPT_LIGHT else Reply("in its stead")

    vendors.answer(slow)
    known = until(lambda: hedged(client, asked))
    assert [call["status"] for call in known["calls"]] == ["cancelled", "ok"]
    assert known["calls"][0]["model"] == GPT_LIGHT
    assert (known["status"], known["reasons"]) == ("complete", [])


def hedged(client: httpx.Client, asked: dict[str, Any]) -> Any:
    """The answer of a run that was hedged; None while the Router has not heard yet what is slow."""
    body = request(orchestration={**asked, "hedge": True}, policy={"max_latency_ms": 1500})
    response = client.post("/v1/plan", json=body)
    return response.json() if response.status_code == 200 else None


# --- decide -----------------------------------------------------------------------------------

PAIR = {"type": "object", "properties": {"x": {"type": "integer"}, "y": {"type": "integer"}}}


@pytest.mark.parametrize(
    "schema", [PAIR, PAIR | {"propertyNames": {"pattern": "^[xyz]$"}}], ids=["plain", "costly"]
)
def test_a_majority_decides_field_by_field(
    client: httpx.Client, vendors: Vendors, schema: dict[str, Any]
) -> None:
    """No judge; the answer is valid, wherever that is checked, though nobody wrote it so."""
    vendors.answer(saying('{"x":1,"y":1}', '{"x":1,"y":2}', '{"x":3,"y":2}'))
    body = voted(client, decide="majority", output_schema=schema)
    assert [call["role"] for call in body["calls"]] == ["voter"] * 3
    response = body["response"]
    assert response["output"] == {"x": 1, "y": 2}
    assert (response["selected"], response["judge"], response["judge_decided"]) == (1, None, False)
    assert "assembled" not in response
    vendors.answer(saying('{"x":1,"y":1,"z":0}', '{"x":1,"y":2}', '{"x":3,"y":2,"z":0}'))
    body = voted(client, decide="majority", output_schema=schema)
    assert body["response"]["output"] == {"x": 1, "y": 2, "z": 0}
    assert json.loads(body["response"]["assembled"]) == body["response"]["output"]
    assert PlanResult.from_json(json.dumps(body).encode()).text == body["response"]["assembled"]


def test_a_majority_needs_a_schema(client: httpx.Client) -> None:
    """Texts have no fields."""
    body = voted(client, status=400, decide="majority")
    assert body["code"] == "bad_request"
    assert body["error"].startswith("orchestration.decide must be ")


# --- early_stop -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "roles", "saved"),
    [
        (("42", "42.0", "7"), ["voter"] * 2, 2),
        (("7", "42", "42"), ["voter"] * 3, 1),
        (("1", "2", "3"), ["voter"] * 3 + ["judge"], 0),
    ],
)
def test_a_vote_stops_once_most_agree(
    client: httpx.Client, vendors: Vendors, texts: tuple[str, ...], roles: list[str], saved: int
) -> None:
    """Two are asked, then all, then a judge; what that saved is said."""
    vendors.answer(saying(*texts))
    body = voted(client, early_stop=True)
    assert [call["role"] for call in body["calls"]] == roles
    response = body["response"]
    assert response["saved"]["calls"] == saved
    assert (response["saved"]["cost_usd"] > 0) == bool(saved)
    assert (response["judge"] is None) == bool(saved)
    assert (body["status"], body["reasons"]) == ("complete", [])


def test_a_vote_that_is_not_asked_to_stop_hears_everybody(
    client: httpx.Client, vendors: Vendors
) -> None:
    """And says nothing of savings."""
    vendors.answer(saying("42", "42", "42"))
    body = voted(client, early_stop=False)
    assert len(body["calls"]) == 4
    assert "saved" not in body["response"]
