"""One request, from its order to its end: all actors as they are, in virtual time."""

from __future__ import annotations

import gc
from collections import Counter
from typing import Any

import pytest

from actors.calls import Calls
from actors.events import CallStarted, RunFailed, RunFinished
from actors.orchestrator import Orchestrator
from tests.world import (
    HANGS,
    MODELS,
    USD,
    Fails,
    Says,
    World,
    model,
    sensible,
)


@pytest.mark.parametrize(
    ("mode", "fields", "roles"),
    [
        ("planning", {}, ["answer"]),
        ("adversarial", {"iterations": 1}, ["plan", "critique", "refine"]),
        (
            "adversarial",
            {"iterations": 2},
            ["plan", "critique", "refine", "critique", "refine"],
        ),
        ("adversarial", {"plan_only": True}, ["plan"]),
        ("vote", {}, ["voter", "voter", "voter", "judge"]),
        ("vote", {"voters": 1}, ["voter"]),
        ("fuse", {}, ["voter", "voter", "voter", "fuse"]),
        ("refine", {"iterations": 3}, ["plan", "refine", "refine", "refine"]),
    ],
)
def test_a_mode_makes_its_calls_and_no_more(
    mode: str, fields: dict[str, Any], roles: list[str]
) -> None:
    """Each mode makes exactly the calls it is said to; they are settled and nothing is held."""
    world = World(sensible)
    body = world.plan(mode, **fields)
    assert body["status"] == "complete"
    assert body["reasons"] == []
    counted = Counter(world.roles(body))
    if mode == "refine":
        assert sum(counted.values()) == len(roles)
    else:
        assert counted == Counter(roles)
    assert len(world.orders) == len(roles) == body["cost"]["calls"]
    assert world.held == 0


def test_a_run_that_has_ended_is_freed_at_once() -> None:
    """Nothing in it refers to itself, so nobody has to look for it."""

    def left() -> list[Any]:
        return [left for left in gc.get_objects() if isinstance(left, Orchestrator | Calls)]

    world = World(sensible)
    gc.collect()
    before = left()
    gc.disable()
    try:
        world.plan("vote")
        assert left() == before
    finally:
        gc.enable()


def test_the_cost_is_the_sum_of_all_calls() -> None:
    """Every call is charged at its own model's price, the judge's too."""
    world = World(sensible)
    body = world.plan("vote")
    prices = {row.id: row.price for row in MODELS}
    expected = 0
    for call in body["calls"]:
        price = prices[call["model"]]
        assert price is not None
        expected += (100 * price.input + 50 * price.output) // 1_000_000
    assert body["estimated_cost_usd"] == pytest.approx(expected / USD, abs=1e-12)
    assert body["cost"]["spent_usd"] == body["estimated_cost_usd"]
    assert body["usage"]["output_tokens"] == 200


def test_a_failing_vendor_is_left_for_another() -> None:
    """A vendor that only fails costs its retries; another model answers."""
    world = World(lambda work: Fails() if work.order.model.startswith("a-") else sensible(work))
    body = world.plan("planning", primary="a-large")
    assert body["status"] == "complete"
    assert body["negotiated_model"].startswith("b-")
    assert [call["status"] for call in body["calls"]][-1] == "ok"
    assert body["cost"]["spent_usd"] == pytest.approx(body["calls"][-1]["cost_usd"])
    assert world.held == 0


def test_a_retry_after_is_honoured_when_nobody_else_is_left() -> None:
    """With one model the run comes back when it was told to, not before."""
    replies = iter([Fails("rate_limited", http_status=429, retry_after_s=3.0), Says()])
    world = World(lambda _: next(replies), models=[model("only")])
    begun = world.time
    body = world.plan("planning")
    assert body["status"] == "complete"
    assert world.time - begun >= 4.0


def test_a_call_that_fails_when_time_is_up_has_no_successor() -> None:
    """Time was up, whatever else failed of it: that is what the run ends in."""
    world = World(sensible)
    body = world.plan("planning", latency_s=0.0)
    assert (body["http_status"], body["code"]) == (504, "deadline")
    assert len(body.get("calls", [])) <= 1
    assert world.held == 0


def test_an_overflow_goes_to_a_larger_context() -> None:
    """Who found the conversation too long is followed by one who takes more."""
    models = [
        model("small", "a", 9, context_tokens=20_000),
        model("same", "a", 8, context_tokens=20_000),
        model("large", "b", 2, context_tokens=200_000),
    ]
    world = World(
        lambda work: (
            Fails("context_overflow", http_status=400)
            if work.order.model != "large"
            else Says("fits")
        ),
        models,
    )
    body = world.plan("planning", primary="small")
    assert [call["model"] for call in body["calls"]] == ["small", "large"]


def test_all_failing_is_an_error_that_names_each_model() -> None:
    """502, with every model and what it said; what cost nothing cost nothing."""
    world = World(lambda _: Fails("fatal", http_status=400))
    body = world.plan("planning")
    assert body["http_status"] == 502
    assert body["code"] == "models_failed"
    for row in MODELS:
        assert row.id in body["error"]
    assert body["cost"]["spent_usd"] == 0
    assert world.held == 0


def test_retries_end_with_the_runs_allowance() -> None:
    """However many models there are, a run does not try for ever."""
    models = [model(f"m{i}", f"v{i}") for i in range(40)]
    world = World(lambda _: Fails("fatal", http_status=400), models)
    body = world.plan("planning")
    assert body["http_status"] == 502
    assert len(world.orders) == 13


def test_a_deadline_without_an_answer_is_504() -> None:
    """A vendor that hangs takes no more of a run than the run's own time."""
    world = World(lambda _: HANGS)
    begun = world.time
    body = world.plan("planning", latency_s=5.0)
    assert body["http_status"] == 504
    assert body["code"] == "deadline"
    assert world.time - begun <= 6.5
    assert world.held == 0


def test_a_deadline_after_an_answer_returns_the_answer() -> None:
    """What has been paid for is returned, and the result says why there is no more."""
    world = World(lambda work: Says("a plan") if b"Why?" == b"" else sensible(work))
    world.vendor = lambda work: HANGS if len(world.orders) > 1 else Says("a plan")
    body = world.plan("adversarial", latency_s=10.0)
    assert body["status"] == "degraded"
    assert "deadline" in body["reasons"]
    assert body["response"]["initial_plan"] == "a plan"
    assert body["response"]["refined_plan"] is None
    assert world.held == 0


def test_a_cancelled_run_is_settled_by_estimate() -> None:
    """What the vendor may have seen is charged as far as can be told; then nothing is held."""
    world = World(lambda _: HANGS)
    asked = world.begin("planning")
    world.pause(1.0)
    world.cancel()
    body = world.body(asked)
    assert body["http_status"] == 499
    assert body["code"] == "cancelled"
    assert [call["status"] for call in body["calls"]] == ["cancelled"]
    assert body["calls"][0]["estimated"] is True
    assert body["cost"]["spent_usd"] > 0
    assert world.held == 0
    assert not world.on_wire


def test_a_cancelled_run_gives_back_what_it_had() -> None:
    """The text paid so far is in the error."""
    world = World(sensible)
    world.vendor = lambda work: HANGS if len(world.orders) > 1 else Says("a plan")
    asked = world.begin("adversarial")
    world.pause(5.0)
    world.cancel()
    body = world.body(asked)
    assert body["partial"] == "a plan"


def test_nothing_is_sent_that_does_not_fit_the_budget() -> None:
    """402 before the first call, with what the limit is and what would be needed."""
    world = World(sensible)
    body = world.plan("planning", limit_nano=1000, limited=True)
    assert body["http_status"] == 402
    assert body["code"] == "budget_exceeded"
    assert body["error"].startswith("budget exceeded")
    assert body["cost"]["limit_usd"] == 1e-6
    assert body["cost"]["needed_usd"] > 1e-6
    assert not world.orders


def test_a_tight_budget_shortens_the_answers() -> None:
    """A shorter answer of use is bought when the longest possible one does not fit."""
    world = World(sensible, models=[model("only", usd=10)])
    body = world.plan("planning", limit_nano=20_000_000, limited=True)
    assert body["status"] == "complete"
    assert body["reasons"] == ["clamped"]
    assert 64 <= world.orders[0].order.max_tokens < 4096
    assert body["calls"][0]["clamped"] is True


def test_a_vote_shares_a_tight_budget_among_its_voters() -> None:
    """Every voter and the judge get their part, at the voters' worst too."""
    world = World(sensible)
    limit = 150_000_000
    body = world.plan("vote", limit_nano=limit, limited=True)
    assert body["status"] == "complete"
    assert len(body["response"]["responses"]) == 3
    assert body["response"]["judge_decided"] is True
    worst, prices = 0, {model.id: model.price for model in MODELS}
    for work in world.orders[:3]:
        price = prices[work.order.model]
        assert price is not None
        worst += work.order.max_tokens * price.output // 1_000_000
    assert worst <= limit


def test_unpriced_models_are_refused_under_a_limit_only() -> None:
    """Nobody knows what it costs: no limit, no problem, and the result says so."""
    world = World(sensible, models=[model("odd", price=None)])
    body = world.plan("planning", limit_nano=USD, limited=True)
    assert (body["http_status"], body["code"]) == (402, "unpriced_model")
    assert body["error"].startswith("unpriced model")
    free = world.plan("planning", run="r2")
    assert free["status"] == "complete"
    assert free["reasons"] == ["unpriced"]


def test_a_floor_that_nobody_meets_is_502() -> None:
    """The text has each model's reason."""
    world = World(sensible)
    body = world.plan("planning", primary_min_weight=10)
    assert (body["http_status"], body["code"]) == (502, "no_eligible_model")
    assert body["error"].startswith("no eligible model: ")
    assert "weight 9 is below 10" in body["error"]


def test_an_invalid_answer_is_repaired_once() -> None:
    """One more call, of the same model, with what was wrong; then the answer is valid."""
    replies = iter([Says('{"n": "one"}'), Says('{"n": 1}')])
    world = World(lambda _: next(replies))
    schema = b'{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}'
    body = world.plan("planning", schema=schema)
    assert body["response"]["output"] == {"n": 1}
    assert [(c["role"], c["status"]) for c in body["calls"]] == [
        ("answer", "invalid"),
        ("repair", "ok"),
    ]
    assert len({call["model"] for call in body["calls"]}) == 1


def test_an_answer_that_never_meets_its_schema_is_502() -> None:
    """One repair and no more; what was paid for is in the error."""
    world = World(lambda _: Says("no json at all"))
    body = world.plan("planning", schema=b'{"type":"object"}')
    assert (body["http_status"], body["code"]) == (502, "schema_not_met")
    assert (len(world.orders), body["partial"]) == (2, "no json at all")


def test_heavy_validation_is_done_elsewhere() -> None:
    """A schema with a pattern is never tried on the engine's own thread."""
    world = World(lambda _: Says('"aaa"'))
    body = world.plan("planning", schema=b'{"type":"string","pattern":"^a+$"}')
    assert body["response"]["output"] == "aaa"


def test_the_events_of_a_run_are_in_order_and_end_once() -> None:
    """The last event, and only it, is terminal."""
    world = World(sensible)
    world.plan("vote")
    assert sum(isinstance(event, CallStarted) for event in world.events) == 4
    terminal = [isinstance(event, RunFinished | RunFailed) for event in world.events]
    assert terminal == [False] * (len(terminal) - 1) + [True]


def test_a_thousand_votes_leave_nothing_behind() -> None:
    """All are answered; no cell, timer, ask or hold is left."""
    world = World(sensible, settings={"a": {"max_concurrency": 4000, "max_waiting": 4000}})
    cells = world.system.statistics().cells
    asked = [world.begin("vote", run=f"r{i}") for i in range(200)]
    for future in asked:
        assert world.body(future)["status"] == "complete"
    world.pause(120.0)
    left = world.system.statistics()
    assert (left.cells, left.asks, left.mailboxed) == (cells, 0, 0)
    assert world.held == 0


def test_a_vendor_that_pauses_is_waited_for_where_there_is_no_other() -> None:
    """A run that begins during the pause of the only vendor is answered after it."""
    replies = iter([Fails("rate_limited", http_status=429, retry_after_s=3.0)])
    world = World(lambda work: next(replies, None) or sensible(work), models=[model("only")])
    first = world.begin("planning", run="first")
    world.pause(2.0)
    begun = world.time
    second = world.begin("planning", run="second")
    assert world.body(second)["status"] == "complete"
    assert world.time - begun >= 2.0
    assert world.body(first)["status"] == "complete"


def test_a_vendor_that_pauses_for_long_is_not_waited_for() -> None:
    """The run says so at once, while its client can still ask somebody else."""
    world = World(
        lambda _: Fails("rate_limited", http_status=429, retry_after_s=600.0),
        models=[model("only")],
    )
    world.plan("planning", run="first")
    body = world.plan("planning", run="second")
    assert (body["http_status"], body["code"]) == (502, "no_eligible_model")
