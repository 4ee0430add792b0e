"""Which models a request is answered by, and how the answer says so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from runtime.testing import RecordedCall, Reply, judging
from tests.end_to_end.rig import (
    CLAUDE,
    CLAUDE_LIGHT,
    GPT,
    GPT_LIGHT,
    Vendors,
    configured,
    request,
    served,
)

PROFILES = {"cheap": GPT_LIGHT, "high_confidence": GPT, "planning": GPT, "adversarial": GPT}


@pytest.fixture(scope="module")
def client(module_vendors: Vendors) -> Iterator[httpx.Client]:
    config = configured(module_vendors, aliases={"large": GPT, "largest": "large"})
    with served(config) as server, server.client() as client:
        yield client


@pytest.fixture(autouse=True)
def vendors(module_vendors: Vendors) -> Vendors:
    """They answer, and judge for the candidate shown first, unless a test has it otherwise."""
    module_vendors.answer(judging())
    return module_vendors


def asked(client: httpx.Client, status: int = 200, **parts: Any) -> Any:
    response = client.post("/v1/plan", json=request(**parts))
    assert response.status_code == status, response.text
    return response.json()


def wanted(client: httpx.Client, status: int = 200, **orchestration: Any) -> Any:
    return asked(client, status, orchestration=orchestration)


def voted(client: httpx.Client, **orchestration: Any) -> Any:
    return wanted(client, mode="vote", **orchestration)


def voters(body: Any) -> list[str]:
    return [entry["model"] for entry in body["response"]["responses"]]


def failing(*models: str) -> Any:
    """A vendor that refuses these models whatever they are asked."""

    def script(call: RecordedCall) -> Reply:
        return Reply("no", status=400) if call.model in models else judging()(call)

    return script


# --- one model --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("orchestration", "model", "reason"),
    [
        ({"primary_model_id": CLAUDE_LIGHT}, CLAUDE_LIGHT, "explicit-model"),
        ({"primary_model_id": "largest"}, GPT, "explicit-model"),
        (
            {"primary_model_id": CLAUDE_LIGHT, "primary_min_weight": 9},
            CLAUDE_LIGHT,
            "explicit-model",
        ),
        ({"primary_min_weight": 9}, GPT, "routed-weight-9"),
    ],
)
def test_a_named_model_wins_over_a_floor(
    client: httpx.Client, orchestration: dict[str, Any], model: str, reason: str
) -> None:
    """By its id or an alias of an alias; a floor alone is met by routing."""
    body = wanted(client, **orchestration)
    assert (body["negotiated_model"], body["routing_reason"]) == (model, reason)


def test_a_failover_heeds_the_floor(client: httpx.Client, vendors: Vendors) -> None:
    """Of a named model that fails; the answer is then a routed one."""
    vendors.answer(failing(GPT_LIGHT))
    body = wanted(client, primary_model_id=GPT_LIGHT, primary_min_weight=8)
    assert body["calls"][0]["model"] == GPT_LIGHT
    assert body["routing_reason"] in ("routed-weight-8", "routed-weight-9")


def test_a_hint_is_for_planning(client: httpx.Client) -> None:
    """Where no id says otherwise; elsewhere it names nobody."""
    hinted = {"model_hint": CLAUDE_LIGHT}
    assert asked(client, request=hinted)["negotiated_model"] == CLAUDE_LIGHT
    both = asked(client, request=hinted, orchestration={"primary_model_id": GPT_LIGHT})
    assert both["negotiated_model"] == GPT_LIGHT


@pytest.mark.parametrize(("profile", "model"), PROFILES.items())
def test_profiles(client: httpx.Client, profile: str, model: str) -> None:
    """Choose the primary."""
    assert asked(client, policy={"profile": profile})["negotiated_model"] == model


@pytest.mark.parametrize("mode", ["planning", "vote", "adversarial", "refine", "fuse"])
def test_a_floor_that_nobody_meets(client: httpx.Client, vendors: Vendors, mode: str) -> None:
    """Each model's reason is told, and nothing was sent."""
    before = len(vendors.calls)
    floors = [
        "primary_min_weight",
        *(["review_min_weight"] if mode in ("vote", "adversarial") else []),
    ]
    for floor in floors:
        body = wanted(client, 502, mode=mode, **{floor: 10})
        assert body["code"] == "no_eligible_model"
        assert body["error"].startswith("no eligible model: ")
        assert all(model in body["error"] for model in (GPT, GPT_LIGHT, CLAUDE, CLAUDE_LIGHT))
    assert len(vendors.calls) == before


# --- a panel ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("orchestration", "count"),
    [
        ({}, 3),
        ({"iterations": 0}, 3),
        ({"iterations": 1}, 3),
        ({"iterations": 2}, 2),
        ({"iterations": 2, "voters": 4}, 4),
        ({"iterations": 4, "voter_model_ids": [GPT, CLAUDE]}, 2),
        ({"voters": 10}, 10),
    ],
)
def test_how_many_voters(client: httpx.Client, orchestration: dict[str, Any], count: int) -> None:
    """As many as are asked for, though models must repeat; and one judge."""
    body = voted(client, **orchestration)
    assert len(voters(body)) == count
    assert [call["role"] for call in body["calls"]] == ["voter"] * count + ["judge"]


def test_one_voter_needs_no_judge(client: httpx.Client) -> None:
    body = voted(client, voters=1)
    response = body["response"]
    assert body["routing_reason"] == "vote-single-response"
    assert (response["judge"], response["judge_decided"]) == (None, False)
    assert (body["status"], len(body["calls"])) == ("complete", 1)


def test_named_voters_sit_in_their_order(client: httpx.Client) -> None:
    """Repeats too; the primary is the first of those that are not named one by one."""
    names = [GPT_LIGHT, "large", GPT_LIGHT]
    body = voted(client, voter_model_ids=names)
    assert voters(body) == [GPT_LIGHT, GPT, GPT_LIGHT]
    assert body["response"]["judge"] in (CLAUDE, CLAUDE_LIGHT)
    assert voters(voted(client, primary_model_id=CLAUDE_LIGHT, voters=2))[0] == CLAUDE_LIGHT


def test_a_named_judge_may_be_a_party(client: httpx.Client) -> None:
    """Which is said; below its floor it judges as well."""
    body = voted(client, primary_model_id=GPT, review_model_id=GPT, voters=2)
    assert body["response"]["judge"] == GPT
    assert (body["status"], body["reasons"]) == ("complete", ["judge_is_voter"])
    body = voted(client, review_model_id=GPT_LIGHT, review_min_weight=9)
    assert (body["response"]["judge"], body["reasons"]) == (GPT_LIGHT, [])


@pytest.mark.parametrize(
    ("choice", "status", "reasons"),
    [("tie", "complete", ["judge_tie"]), ("none", "degraded", ["judge_none"])],
)
def test_a_judge_that_does_not_choose(
    client: httpx.Client, vendors: Vendors, choice: str, status: str, reasons: list[str]
) -> None:
    """Leaves it to the rule, which the reason names."""
    vendors.answer(judging(choice))
    body = voted(client, voters=2)
    assert (body["status"], body["reasons"]) == (status, reasons)
    assert body["response"]["judge_decided"] is False
    assert "chosen by" in body["response"]["reason"]


def test_who_fails_is_named(client: httpx.Client, vendors: Vendors) -> None:
    """Accepted, replaced, or the end: as `on_partial` says."""
    vendors.answer(failing(CLAUDE_LIGHT))
    panel = {"voter_model_ids": [GPT, CLAUDE_LIGHT, GPT_LIGHT]}
    accepted = voted(client, **panel)
    assert accepted["status"] == "degraded"
    assert voters(accepted) == [GPT, GPT_LIGHT]
    assert [failed["model"] for failed in accepted["response"]["failed"]] == [CLAUDE_LIGHT]
    refilled = voted(client, **panel, on_partial="refill")
    assert len(voters(refilled)) == 3
    assert [failed["model"] for failed in refilled["response"]["failed"]] == [CLAUDE_LIGHT]
    ended = wanted(client, 502, mode="vote", on_partial="fail", **panel)
    assert (ended["code"], len(ended["calls"])) == ("models_failed", 3)
    assert ended["partial"]
    assert ended["cost"]["spent_usd"] > 0


def test_a_seed_repeats_the_run(client: httpx.Client) -> None:
    """The judge takes what it is shown first: always the same candidate by one seed, not by all."""
    panel = {"voter_model_ids": [GPT, CLAUDE_LIGHT, GPT_LIGHT]}
    selected = {voted(client, **panel, seed=5)["response"]["selected"] for _ in range(4)}
    assert len(selected) == 1
    others = {voted(client, **panel, seed=seed)["response"]["selected"] for seed in range(12)}
    assert len(others) > 1
