"""A dry run by every front end: true to what would happen, and nothing of it happens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from actors.errors import BadRequest
from runtime import AsyncClient, BudgetExceeded, Client, DryRun, Planhub, PlanRequest
from runtime.testing import judging
from tests.end_to_end.rig import (
    PROMPT,
    Vendors,
    configured,
    request,
    scripted_vendors,
    served,
)
from tests.end_to_end.shell import Shell
from tests.runtime.frontends.socket.rig import serving, simulated

MODES = [
    {"mode": "planning"},
    {"mode": "adversarial", "iterations": 2},
    {"mode": "vote", "voters": 5},
    {"mode": "refine", "iterations": 3},
    {"mode": "fuse", "voters": 2},
]


@pytest.fixture
def vendors() -> Iterator[Vendors]:
    with scripted_vendors() as vendors:
        vendors.answer(judging())
        yield vendors


@pytest.mark.parametrize("fields", MODES, ids=lambda fields: fields["mode"])
def test_what_is_foretold_is_what_happens(fields: dict[str, Any]) -> None:
    """The same calls of the same models; what they cost lies between the least and the most."""
    with Planhub.open(simulated()) as hub:
        told = hub.dry_run(PROMPT, **fields)
        result = hub.plan(PROMPT, **fields)
    assert told.fits
    asked = [
        (calls.role, model.model)
        for calls in told.calls
        if calls.count
        for model in calls.models
        for _ in range(model.asked)
    ]
    assert sorted(asked) == sorted((call.role, call.model) for call in result.calls)
    assert told.cost.least_usd is not None
    assert told.cost.most_usd is not None
    assert told.cost.least_usd < result.cost.spent_usd < told.cost.most_usd


def test_http_tells_without_asking_anybody(vendors: Vendors) -> None:
    body = request(dry_run=True, orchestration={"mode": "vote"}, policy={"max_budget_usd": 5})
    with served(configured(vendors)) as server, server.client() as client:
        response = client.post("/v1/plan", json=body, headers={"Prefer": "respond-async"})
        assert response.status_code == 200
        told = msgspec.convert(response.json(), DryRun)
        assert vendors.calls == ()
        answer = client.post("/v1/plan", json=request(orchestration={"mode": "vote"})).json()
    assert told.fits
    assert told.cost.limit_usd == 5.0
    assert [(calls.role, calls.count) for calls in told.calls[:2]] == [("voter", 3), ("judge", 1)]
    judge = next(calls.models for calls in told.calls if calls.role == "judge")
    assert judge[0].model == answer["response"]["judge"]


def test_a_name_is_not_used_up(vendors: Vendors) -> None:
    """The dry run under an idempotency key leaves it to the request."""
    with served(configured(vendors)) as server, server.client() as client:
        named = {"Idempotency-Key": "mine"}
        for _ in range(2):
            body = request(dry_run=True)
            assert client.post("/v1/plan", json=body, headers=named).json()["dry_run"]
        answer = client.post("/v1/plan", json=request(), headers=named)
    assert answer.status_code == 200
    assert "idempotency-replay" not in answer.headers


def test_the_socket_tells_as_well() -> None:
    with Planhub.open(simulated()) as hub, serving(hub) as server:
        here = hub.dry_run(PROMPT, mode="vote")
        with Client(server.name) as client:
            assert client.dry_run(PROMPT, mode="vote") == here
            whole = {"request": {"messages": [{"role": "user", "content": PROMPT}]}}
            assert client.dry_run(whole).mode == "planning"
            with pytest.raises(BadRequest, match="voters"):
                client.dry_run(PROMPT, voters=11)

        async def main() -> DryRun:
            async with AsyncClient(server.name) as client:
                return await client.dry_run(PROMPT, mode="vote")

        assert trio.run(main) == here
        assert {account.spent_nano for account in hub.ledger().accounts} <= {0}


def test_inside_trio() -> None:
    async def main() -> DryRun:
        async with Planhub.open_async(simulated()) as hub:
            return await hub.dry_run_async(PROMPT, mode="refine")

    assert trio.run(main).mode == "refine"


def test_an_answer_is_not_waited_for_where_none_comes() -> None:
    dry = PlanRequest(dry_run=True)
    with Planhub.open(simulated()) as hub:
        assert hub.dry_run(PROMPT).fits
        messages = [{"role": "user", "content": PROMPT}]
        asked = msgspec.convert({"request": {"messages": messages}, "dry_run": True}, PlanRequest)
        assert hub.dry_run(asked).fits
        with pytest.raises(BadRequest, match="dry_run"):
            hub.plan(asked)
    with Client("127.0.0.1:1", retry_s=0) as client, pytest.raises(BadRequest, match="dry_run"):
        client.plan(dry)


def test_the_variant_that_is_named_goes_through() -> None:
    """A budget refuses a vote; laid over the request, what is told to fit does."""
    fields: dict[str, Any] = {"mode": "vote", "voters": 4, "max_budget_usd": 0.04}
    with Planhub.open(simulated()) as hub:
        told = hub.dry_run(PROMPT, **fields)
        assert (told.fits, told.refused and told.refused.code) == (False, "budget_exceeded")
        with pytest.raises(BudgetExceeded):
            hub.plan(PROMPT, **fields)
        for variant in (told.nearest, told.cheapest):
            assert variant is not None
            changes = variant.changes
            changed = {
                **fields,
                **changes.get("orchestration", {}),
                **changes.get("policy", {}),
                **changes.get("request", {}),
            }
            assert hub.plan(PROMPT, **changed).cost.spent_usd <= 0.04


def test_the_command_line_draws_it(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    drawn = shell.run("plan", PROMPT, "--mode", "vote", "--dry-run")
    assert drawn.returncode == 0, drawn.stderr
    assert "3 × voter" in drawn.stdout
    assert "→ sim-sage" in drawn.stdout
    assert "it fits" in drawn.stdout
    told = json.loads(shell.run("plan", PROMPT, "--dry-run", "--json").stdout)
    assert (told["dry_run"], told["mode"]) == (True, "planning")
    dear = shell.run("plan", PROMPT, "--mode", "vote", "--dry-run", "--max-budget-usd", "0.02")
    assert dear.returncode == 0
    assert "budget exceeded" in dear.stdout
    assert "Cheapest" in dear.stdout
    assert json.loads(shell.run("runs", "--json").stdout) == {"runs": []}
