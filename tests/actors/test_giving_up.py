"""One deadline and one allowance of retries for a whole run; a cancel finds it in any state."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from actors.protocol import CallVendor
from actors.retrying import RETRY_ALLOWANCE
from tests.world import MODELS, Fails, Says, World

LARGE = MODELS[0]


def test_all_stages_share_one_deadline() -> None:
    """However many there are to come, the run ends when it is due, with what it has."""
    world = World()
    begun = world.time
    body = world.plan("adversarial", iterations=5, latency_s=3.5)
    assert world.time == pytest.approx(begun + 3.5)
    assert (body["status"], body["reasons"]) == ("degraded", ["deadline"])
    assert body["response"]["iterations"] == 1
    assert world.roles(body) == ["plan", "critique", "refine", "critique"]
    assert world.held == 0


def test_all_stages_share_one_allowance() -> None:
    """Three retries of each call: there are none left for the fifth, and four are returned."""
    tries: Counter[bytes] = Counter()

    def vendor(work: CallVendor) -> Says | Fails:
        tries[work.order.messages] += 1
        learnt = tries[work.order.messages] > 3
        return Says(f"answer {len(tries)}") if learnt else Fails("parameter", http_status=400)

    world = World(vendor, (LARGE,))
    body = world.plan("refine", iterations=10)
    assert (body["status"], body["reasons"]) == ("degraded", ["stage_failed"])
    assert body["response"]["iterations"] == RETRY_ALLOWANCE // 3 - 1
    assert len(world.orders) == RETRY_ALLOWANCE + RETRY_ALLOWANCE // 3 + 1
    assert world.held == 0


@pytest.mark.parametrize("steps", range(40))
def test_a_run_may_be_cancelled_between_any_two_steps(steps: int) -> None:
    """It ends once, at once, in an error or in the answer it just had; nothing stays held."""
    world = World(seed=steps)
    asked = world.begin("vote", voters=2)
    for _ in range(steps):
        if not world.system.run_ready():
            world.pause(0.3)
    world.cancel()
    at = world.time
    world.go(asked)
    body = json.loads(asked.get(timeout=0).body)
    if "error" in body:
        assert (body["code"], world.time) == ("cancelled", at)
    spent = round(body["cost"]["spent_usd"] * 1e9) if "cost" in body else 0
    world.go()
    assert world.held == 0
    assert (
        sum(a.spent_nano for a in world.accounts().accounts if a.owner == "installation") == spent
    )


def test_a_retry_that_waits_is_not_made() -> None:
    """Cancelled in its backoff, a call is not sent again."""
    world = World(lambda work: Fails("rate_limited", retry_after_s=20.0), (LARGE,))
    asked = world.begin()
    world.pause(5.0)
    sent = len(world.orders)
    world.cancel()
    assert world.body(asked)["code"] == "cancelled"
    world.go()
    assert len(world.orders) == sent == 1


def test_a_run_that_waits_for_money_is_let_go() -> None:
    """What others hold it does not get any more, and nothing is sent for it."""
    world = World(lambda work: Says(after_s=3.0), (LARGE,), monthly_limit_nano=250_000_000)
    first = world.begin(run="first", limited=True)
    world.pause(0.1)
    second = world.begin(run="second", limited=True)
    world.pause(0.5)
    assert len(world.orders) == 1
    world.cancel("second")
    at = world.time
    assert world.body(second)["code"] == "cancelled"
    assert world.time == at
    assert world.body(first)["status"] == "complete"
    world.go()
    assert (len(world.orders), world.held) == (1, 0)
