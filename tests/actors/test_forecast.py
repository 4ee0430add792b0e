"""What a request would come to: values in, values out, with the Router's own selection."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from actors.domain.model import Model, Price
from actors.errors import BudgetExceeded, DeadlineExceeded, NoEligibleModel, UnpricedModel
from actors.forecast import Course, Forecast, forecast
from actors.protocol import ModelState, Order
from actors.strategies import STRATEGIES
from tests.actors.strategies.driver import order

NANO_PER_TOKEN = 1_000
SCHEMA = b'{"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}'


def state(id: str, weight: int, latency_ms: float | None = None, **fields: Any) -> ModelState:
    each = weight * NANO_PER_TOKEN * 1_000_000
    price = fields.pop("price", Price(each, 4 * each, each, each))
    model = Model(id, f"vendor-{id}", id, weight=weight, family=id, price=price, **fields)
    return ModelState(model, True, "", latency_ms, None)


STATES = (state("best", 9), state("good", 8), state("fair", 6), state("light", 3))


def foretold(
    asked: Order, free_nano: int | None = None, states: tuple[ModelState, ...] = STATES
) -> Forecast:
    return forecast(asked, states, free_nano)


def roles(course: Course) -> list[str]:
    return [call.call.role for call in course.calls]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (order("planning"), ["answer"]),
        (order("refine", iterations=3), ["answer", "refine", "refine", "refine"]),
        (order("refine", plan_only=True), ["answer"]),
        (order("adversarial", iterations=2), ["plan", *["critique", "refine"] * 2]),
        (order("vote", voters=4), [*["voter"] * 4, "judge"]),
        (order("vote", voters=1), ["voter"]),
        (order("vote", schema=SCHEMA, decide="majority"), ["voter"] * 3),
        (order("fuse", voters=2), ["voter", "voter", "fuse"]),
    ],
)
def test_the_expected_calls_are_those_of_the_mode(asked: Order, expected: list[str]) -> None:
    told = foretold(asked)
    assert roles(told.expected) == expected
    assert told.refused is None


@pytest.mark.parametrize("mode", ["planning", "adversarial", "vote", "refine", "fuse"])
def test_least_expected_and_most_are_in_this_order(mode: str) -> None:
    told = foretold(order(mode, schema=SCHEMA))
    courses = (told.least, told.expected, told.most)
    costs = [course.cost_nano or 0 for course in courses]
    times = [course.took_ms for course in courses]
    assert 0 < costs[0] < costs[1] < costs[2]
    assert times == sorted(times)


def test_what_must_have_a_form_is_repaired_at_most() -> None:
    told = foretold(order("vote", schema=SCHEMA))
    assert "repair" not in roles(told.least) + roles(told.expected)
    assert sorted(roles(told.most)) == ["judge", *["repair"] * 4, *["voter"] * 3]


def test_the_most_is_what_would_be_reserved() -> None:
    """At the dearest model that may step in: nine micro-USD a byte, and 36 a token of 4096."""
    told = foretold(order("planning"))
    (call,) = told.most.calls
    sent = len(call.call.messages) + 16
    assert told.most.cost_nano == 9 * NANO_PER_TOKEN * (sent + 4 * 4096)


def test_calls_of_one_round_are_made_at_the_same_time() -> None:
    """A latency that is known is that of an ordinary answer."""
    states = tuple(replace(one, latency_ms=100.0 * one.model.weight) for one in STATES)
    course = foretold(order("vote"), states=states).expected
    *voters, judge = course.calls
    assert [call.started_ms for call in voters] == [0.0] * 3
    assert judge.started_ms == max(call.latency_ms for call in voters) == 800.0
    assert course.took_ms == 800.0 + 900.0
    assert course.is_timed


def test_a_model_that_may_not_is_told_with_its_reason() -> None:
    told = foretold(order("adversarial", review_min_weight=8))
    assert [(r.model, r.code) for r in told.within.refused["critique"]] == [
        ("fair", "weight"),
        ("light", "weight"),
    ]


def test_nobody_may_answer() -> None:
    told = foretold(order("planning", primary_min_weight=10))
    assert isinstance(told.refused, NoEligibleModel)
    assert told.nearest is None


def test_a_budget_that_refuses_leads_to_what_would_fit() -> None:
    """The nearest changes as little as it can; what it changes to is told to fit as well."""
    limit = 60_000_000
    asked = order("adversarial", iterations=3, limit_nano=limit, limited=True)
    told = foretold(asked, limit)
    assert isinstance(told.refused, BudgetExceeded)
    assert (told.expected.cost_nano or 0) > limit
    assert told.nearest is not None
    assert told.cheapest is not None
    assert told.nearest.changes["profile"] == "cheap"
    assert "mode" not in told.nearest.changes
    assert told.cheapest.changes["mode"] == "planning"
    assert (told.cheapest.expected.cost_nano or 0) <= (told.nearest.expected.cost_nano or 0)
    for variant in (told.nearest, told.cheapest):
        assert foretold(replace(asked, **variant.changes), limit).refused is None


def test_a_month_that_is_spent_refuses_too() -> None:
    told = foretold(order("vote", limited=True), free_nano=0)
    assert isinstance(told.refused, BudgetExceeded)
    assert told.nearest is None


def test_answers_that_would_be_cut_are_told_to_be() -> None:
    asked = order("vote")
    wanted, least = foretold(asked).expected.demand.want_nano, 120_000_000
    assert foretold(asked, wanted).is_shortened is False
    told = foretold(asked, max(least, foretold(asked).expected.cost_nano or 0))
    assert told.refused is None
    assert told.is_shortened


def test_an_unknown_price_is_not_nothing() -> None:
    states = (state("secret", 9, price=None),)
    told = foretold(order("planning"), states=states)
    assert told.expected.cost_nano is told.most.cost_nano is None
    told = foretold(order("planning", limited=True), states=states)
    assert isinstance(told.refused, UnpricedModel)


def test_what_is_free_costs_nothing() -> None:
    told = foretold(order("vote", limited=True), 0, (state("own", 9, price=None, free=True),))
    assert (told.refused, told.most.cost_nano) == (None, 0)


def test_time_refuses_only_where_it_is_known() -> None:
    asked = order("refine", iterations=2, latency_s=1.0)
    assert foretold(asked).refused is None
    slow = (state("best", 9, latency_ms=400.0),)
    assert isinstance(foretold(asked, states=slow).refused, DeadlineExceeded)


@pytest.mark.parametrize("schema", [None, SCHEMA])
def test_agreement_may_spare_the_rest(schema: bytes | None) -> None:
    told = foretold(order("vote", early_stop=True, schema=schema))
    assert roles(told.least) == ["voter"] * 2
    assert roles(told.expected) == [*["voter"] * 3, "judge"]


def test_a_second_look_is_taken_at_most() -> None:
    told = foretold(order("vote", second_look=True))
    assert roles(told.expected).count("judge") == 1
    assert roles(told.most).count("judge") == 2


def test_a_jury_is_told_whole() -> None:
    told = foretold(order("vote", judges=3))
    assert roles(told.expected).count("judge") == 3


def test_a_loop_that_may_end_early_is_told_with_both_ends() -> None:
    told = foretold(order("adversarial", iterations=3, stop="converged"))
    assert roles(told.least) == ["plan", "critique"]
    assert roles(told.most).count("critique") == 3


def test_keeping_the_best_is_paid_for() -> None:
    plain, keeping = (foretold(order("refine", iterations=2, keep_best=k)) for k in (False, True))
    assert "judge" not in roles(plain.expected)
    assert roles(keeping.expected).count("judge") >= 1


def test_a_hedge_may_go_to_a_dearer_model() -> None:
    """The most that a vote costs has room for it, wherever it is made."""
    asked = order("vote", voter_models=("light", "light"), voters=2)
    most, hedged = (foretold(replace(asked, hedge=hedge)).most for hedge in (False, True))
    voters = [call.cost_nano for call in most.calls if call.call.role == "voter"]
    dearer = [call.cost_nano for call in hedged.calls if call.call.role == "voter"]
    assert all(2 * one < other for one, other in zip(voters, dearer, strict=True) if one and other)
    assert None not in dearer


ANY_ORDER = st.fixed_dictionaries(
    {
        "mode": st.sampled_from(sorted(STRATEGIES)),
        "iterations": st.integers(1, 3),
        "voters": st.integers(1, 6),
        "schema": st.sampled_from([None, SCHEMA, b'{"type": "integer"}', b"{}"]),
        "plan_only": st.booleans(),
        "early_stop": st.booleans(),
        "second_look": st.booleans(),
        "judges": st.integers(1, 5),
        "decide": st.sampled_from(["judge", "majority"]),
        "rubric": st.sampled_from([(), ("It is short",)]),
        "wait": st.sampled_from(["all", "quorum"]),
        "stop": st.sampled_from(["never", "converged"]),
        "keep_best": st.booleans(),
        "on_partial": st.sampled_from(["accept", "refill", "fail"]),
        "limit_nano": st.sampled_from([None, 0, 10**7, 10**8, 10**9]),
    }
)


@given(ANY_ORDER)
def test_whatever_is_asked_can_be_foretold(fields: dict[str, Any]) -> None:
    """With an end, without a defect; and a variant that is named goes through."""
    assume(fields["decide"] == "judge" or fields["schema"] is not None)
    limit = fields["limit_nano"]
    asked = order(limited=limit is not None, **fields)
    told = foretold(asked, limit)
    assert (told.least.cost_nano or 0) <= (told.most.cost_nano or 0)
    assert len(told.least.calls) <= len(told.most.calls)
    if told.cheapest is not None:
        assert foretold(replace(asked, **told.cheapest.changes), limit).refused is None
