"""Loops and fuse by the actors: within their budget and their time, at every stage."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from actors.protocol import CallVendor
from tests.world import HANGS, USAGE, Says, World, is_ballot, verdict

OPTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("fuse", {}),
    ("refine", {"keep_best": True, "iterations": 2}),
    ("adversarial", {"keep_best": True, "iterations": 2}),
    ("adversarial", {"stop": "converged", "iterations": 3}),
)


def inventive(work: CallVendor) -> Says:
    """No two texts are the same; judges choose."""
    return Says(verdict(work) if is_ballot(work) else f"{work.id} says so", USAGE)


@pytest.mark.parametrize(("mode", "options"), OPTIONS)
def test_no_budget_is_crossed(mode: str, options: dict[str, Any]) -> None:
    """Whatever it is: what does not fit is left out and named, and what is paid is returned.

    Who fuses has had his part kept from the beginning.
    """
    reasons: set[str] = set()
    for draw in range(60):
        limit = int(10 ** Random(draw).uniform(6, 9))
        world = World(inventive, seed=draw)
        body = world.plan(mode, limit_nano=limit, limited=True, **options)
        assert world.held == 0
        if "error" in body:
            assert body["code"] == "budget_exceeded"
            continue
        assert round(body["cost"]["spent_usd"] * 1e9) <= limit
        assert body["response"]
        reasons |= {*body["reasons"]}
        assert (body["status"] == "degraded") == ("budget" in body["reasons"])
    assert ("budget" in reasons) == (mode != "fuse")


def test_a_fuse_shares_a_tight_budget_with_its_writer() -> None:
    """The voters leave enough for it, and it is returned."""
    world = World(inventive)
    body = world.plan("fuse", limit_nano=150_000_000, limited=True)
    assert (body["status"], body["reasons"]) == ("complete", ["clamped"])
    assert len(body["response"]["responses"]) == 3
    assert body["response"]["fused_response"]


def test_a_voter_that_hangs_leaves_its_writer_time() -> None:
    """It is given up before the deadline, and the others are fused."""

    def vendor(work: CallVendor) -> Any:
        first = len(world.orders) == 1
        return HANGS if first else Says("an answer", after_s=2.0)

    world = World(vendor)
    begun = world.time
    body = world.plan("fuse", latency_s=20.0)
    assert body["status"] == "degraded"
    assert set(body["reasons"]) == {"voters_failed", "deadline"}
    assert body["response"]["fused_response"] == "an answer"
    assert len(body["response"]["failed"]) == 1
    assert world.time < begun + 20.0
    assert world.held == 0


@pytest.mark.parametrize("latency_s", [0.5, 1.5, 2.5, 3.5, 4.5, 5.5])
def test_a_loop_is_over_when_it_is_due(latency_s: float) -> None:
    """With what had been judged by then."""
    world = World(inventive)
    begun = world.time
    body = world.plan("refine", keep_best=True, iterations=2, latency_s=latency_s)
    assert world.time <= begun + latency_s + 0.001
    assert world.held == 0
    if latency_s < 1:
        assert body["code"] == "deadline"
    elif latency_s < 5:
        assert "deadline" in body["reasons"]
        done = [c["judge_decided"] for c in body["response"]["comparisons"]]
        assert len(done) == body["response"]["iterations"] == int(latency_s) // 2
    else:
        assert body["reasons"] == []
