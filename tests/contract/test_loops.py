"""Answers that are written on: how often, by whom, and what is kept of them."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from runtime.testing import RecordedCall, Reply, judging
from runtime.testing.scripts import Script
from tests.end_to_end.rig import (
    GPT,
    Vendors,
    configured,
    request,
    served,
)

SERIOUS = '{"findings": [{"severity": "major", "claim": "No errors are described"}]}'
MINOR = '{"findings": [{"severity": "minor", "claim": "A typo"}]}'


def asked(client: httpx.Client, *, status: int = 200, **orchestration: Any) -> Any:
    response = client.post("/v1/plan", json=request(orchestration=orchestration))
    assert response.status_code == status, response.text
    return response.json()


def roles(body: Any) -> list[str]:
    return [call["role"] for call in body["calls"]]


def debating(*critiques: str) -> Script:
    """Critics say these, one after the other; judges take the candidate that is a refinement."""
    said = iter(critiques)

    def script(call: RecordedCall) -> Reply:
        if '"severity"' in call.last_text:
            return Reply(next(said))
        return Reply("A refined plan." if "reviewer says" in call.last_text else "A plan.")

    return judging(otherwise=script)


# --- stop -------------------------------------------------------------------------------------


def test_a_loop_ends_when_nothing_serious_is_left(client: httpx.Client, vendors: Vendors) -> None:
    """Within its iterations; what was not reached is null."""
    vendors.answer(debating(SERIOUS, MINOR))
    body = asked(client, mode="adversarial", iterations=5, stop="converged")
    assert roles(body) == ["plan", "critique", "refine", "critique"]
    response = body["response"]
    assert (response["iterations"], response["converged"]) == (1, True)
    assert response["refined_plan"] == "A refined plan."
    assert response["rounds"][1]["refined_plan"] is None
    assert (body["status"], body["reasons"]) == ("complete", [])


def test_a_loop_that_may_not_end_early_does_not(client: httpx.Client, vendors: Vendors) -> None:
    """`never` is the default, and says nothing of convergence."""
    vendors.answer(debating(MINOR, MINOR))
    body = asked(client, mode="adversarial", iterations=2, stop="never")
    assert roles(body) == ["plan", "critique", "refine", "critique", "refine"]
    assert "converged" not in body["response"]


@pytest.mark.parametrize("stop", ["always", True, 1, ["converged"]])
def test_when_else_to_stop_is_refused(client: httpx.Client, stop: Any) -> None:
    body = asked(client, status=400, mode="adversarial", stop=stop)
    assert (body["code"], "orchestration.stop" in body["error"]) == ("bad_request", True)


# --- keep_best --------------------------------------------------------------------------------


def choosing(text: str) -> Script:
    """Judges choose the candidate with this text; writers count what they have written."""
    written: list[str] = []

    def script(call: RecordedCall) -> Reply:
        written.append(f"draft {len(written) + 1}")
        return Reply(written[-1])

    def judge(call: RecordedCall) -> Reply:
        order = [line for line in call.last_text.splitlines() if line.startswith("draft ")]
        place = order.index(text) if text in order else 0
        return judging(place, script)(call)

    return judge


@pytest.mark.parametrize(("best", "text"), [("draft 1", "draft 1"), ("draft 2", "draft 2")])
def test_a_worse_refinement_is_left_out(
    client: httpx.Client, vendors: Vendors, best: str, text: str
) -> None:
    """By a judge that wrote neither; its call is counted and paid like any other."""
    vendors.answer(choosing(best))
    body = asked(client, mode="refine", iterations=1, keep_best=True)
    assert roles(body) == ["answer", "refine", "judge"]
    assert body["response"]["refined_response"] == text
    (comparison,) = body["response"]["comparisons"]
    assert comparison["replaced"] == (best == "draft 2")
    assert comparison["judge_decided"]
    writer, _, judge = (call["model"] for call in body["calls"])
    assert comparison["judge"] == judge != writer
    assert body["estimated_cost_usd"] == pytest.approx(sum(c["cost_usd"] for c in body["calls"]))
    assert (body["status"], body["reasons"]) == ("complete", [])


def test_without_a_verdict_what_is_there_stays(client: httpx.Client, vendors: Vendors) -> None:
    vendors.answer(Reply("1 beats 0"))
    body = asked(client, mode="refine", iterations=1, keep_best=True)
    assert body["response"]["refined_response"] == "1 beats 0"
    written = iter(["first", "second"])
    vendors.answer(lambda c: Reply("?" if '"choice"' in str(c.body) else next(written)))
    body = asked(client, mode="refine", iterations=1, keep_best=True)
    assert body["response"]["refined_response"] == "first"
    assert (body["status"], body["reasons"]) == ("degraded", ["judge_failed"])


def test_defaults_may_ask_for_both(vendors: Vendors) -> None:
    """And a request may ask for neither."""
    vendors.answer(debating(MINOR, MINOR))
    defaults = {"mode": "adversarial", "stop": "converged", "keep_best": True}
    with served(configured(vendors, defaults=defaults)) as server, server.client() as client:
        body = asked(client)
        assert roles(body) == ["plan", "critique"]
        assert body["response"]["comparisons"] == []
        body = asked(client, stop="never", keep_best=False)
        assert roles(body) == ["plan", "critique", "refine"]
        assert "comparisons" not in body["response"]


# --- fuse -------------------------------------------------------------------------------------


def fusing(call: RecordedCall) -> Reply:
    return Reply("All in one." if "</candidate" in call.last_text else f"{call.model} says so.")


def test_voters_are_fused(client: httpx.Client, vendors: Vendors) -> None:
    """One call more than there are voters; the primary votes first, and writes."""
    vendors.answer(fusing)
    body = asked(client, mode="fuse", primary_model_id=GPT)
    assert roles(body) == ["voter", "voter", "voter", "fuse"]
    assert (body["routing_reason"], body["negotiated_model"]) == ("fuse-orchestration", GPT)
    response = body["response"]
    assert (response["fused_response"], response["model"]) == ("All in one.", GPT)
    voters = [entry["model"] for entry in response["responses"]]
    assert voters[0] == GPT
    assert sorted(voters) == sorted(call["model"] for call in body["calls"][:3])
    assert (body["status"], body["reasons"], response["failed"]) == ("complete", [], [])


def test_one_answer_is_not_fused(client: httpx.Client, vendors: Vendors) -> None:
    vendors.answer(fusing)
    body = asked(client, mode="fuse", voters=1, primary_model_id=GPT)
    assert roles(body) == ["voter"]
    assert body["response"]["fused_response"] == f"{GPT} says so."
    assert (body["status"], body["reasons"]) == ("complete", ["single_answer"])


def test_a_fused_answer_meets_its_schema(client: httpx.Client, vendors: Vendors) -> None:
    vendors.answer(
        lambda c: Reply('{"n": 3}' if "</candidate" in json.dumps(c.body) else '{"n": 1}')
    )
    schema = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
    body = asked(client, mode="fuse", output_schema=schema)
    assert body["response"]["output"] == {"n": 3}
