"""What becomes of runs whose vendors have no place left in their lines."""

from __future__ import annotations

from tests.world import MODELS, Says, World, model

LARGE = MODELS[0]
REVIEWER = model("reviewer", "b", 10)
ONE_AND_ONE = {"a": {"max_concurrency": 1, "max_waiting": 1}}


def crowded(*runs: str) -> World:
    """One model, whose vendor answers a call and lets another wait; so many runs ask it first."""
    world = World(lambda work: Says(after_s=1.0), (LARGE,), settings=ONE_AND_ONE)
    for run in runs:
        world.begin(run=run)
    world.pause(0.01)
    return world


def test_a_run_whose_vendors_are_all_full_is_rate_limited() -> None:
    """At once, with nothing sent and nothing spent; those before it are answered."""
    world = crowded("first", "second")
    begun = world.time
    body = world.plan(run="third")
    assert (body["http_status"], body["code"]) == (429, "rate_limited")
    assert body["error"] == "rate limited: a-large: overloaded: 1 calls are waiting already"
    assert (world.time, body["cost"]["spent_usd"]) == (begun, 0)
    world.go()
    assert (len(world.orders), world.held) == (2, 0)
    assert world.plan(run="fourth")["status"] == "complete"


def test_a_vote_whose_vendors_are_all_full_is_rate_limited() -> None:
    """Whichever voter is asked, there is nobody."""
    world = crowded("first", "second")
    body = world.plan("vote", run="third", voter_models=("a-large",) * 3)
    assert (body["http_status"], body["code"]) == (429, "rate_limited")


def test_a_vendor_with_a_place_is_asked_instead() -> None:
    """A full line is no reason to refuse, as long as another is not."""
    world = World(lambda work: Says(after_s=1.0), settings=ONE_AND_ONE)
    for run in ("first", "second"):
        world.begin(run=run, primary="a-large")
    world.pause(0.01)
    body = world.plan(run="third", primary="a-large")
    assert (body["status"], body["negotiated_model"]) == ("complete", "b-large")


def test_a_run_that_has_paid_waits_for_a_place() -> None:
    """Its plan would be lost on a refusal that a moment's patience avoids."""
    world = World(
        lambda work: Says(after_s=1.0), (LARGE, REVIEWER), settings={"b": ONE_AND_ONE["a"]}
    )
    asked = world.begin("adversarial", run="paid", iterations=1, review_min_weight=10)
    world.pause(0.5)
    for run in ("first", "second"):
        world.begin(run=run, primary="reviewer")
    body = world.body(asked)
    assert (body["status"], body["reasons"]) == ("complete", [])
    critiques = [call["error"] for call in body["calls"] if call["role"] == "critique"]
    assert critiques == ["overloaded: 1 calls are waiting already", None]
