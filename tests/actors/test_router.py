"""The Router: choices and refusals from its table and from what pools told it."""

from __future__ import annotations

import pytest

from actors.base import Down
from actors.domain.health import HALF_LIFE_S
from actors.domain.model import Model, Price
from actors.protocol import (
    HealthChanged,
    ListModels,
    ModelHealth,
    ModelsListed,
    ModelState,
    ReconfigureRouter,
    Refusal,
    Selected,
    SelectModels,
)
from actors.router import Router
from tests.fakes import FakeContext

PRICE = Price(1_000_000_000, 1_000_000_000, 0, 0)
OPUS = Model("opus", "anthropic", "opus", 9, price=PRICE)
GPT = Model("gpt", "openai", "gpt", 8, price=PRICE)
MINI = Model("mini", "openai", "mini", 3, price=PRICE)


@pytest.fixture
def ctx() -> FakeContext:
    return FakeContext("router")


@pytest.fixture
def router(ctx: FakeContext) -> Router:
    return Router(ctx, (OPUS, GPT, MINI))


def select(router: Router, ctx: FakeContext, min_weight: int = 0) -> Selected:
    router.receive(SelectModels("run:1", "q1", "plan", "high_confidence", min_weight))
    (selected,) = ctx.take("run:1")
    assert isinstance(selected, Selected)
    return selected


def names(selected: Selected) -> list[str]:
    return [candidate.model.id for candidate in selected.ranked]


def states(router: Router, ctx: FakeContext) -> tuple[ModelState, ...]:
    router.receive(ListModels("http", "q1"))
    (listed,) = ctx.take("http")
    assert isinstance(listed, ModelsListed)
    return listed.models


def test_a_question_is_answered_with_the_ranked_and_the_refused(
    router: Router, ctx: FakeContext
) -> None:
    """Every model of the table is in one of the two, under the asker's ticket."""
    selected = select(router, ctx, min_weight=5)
    assert selected.ticket == "q1"
    assert names(selected) == ["opus", "gpt"]
    assert selected.refused == (Refusal("mini", "weight", "weight 3 is below 5"),)


def test_a_vendor_that_is_down_is_refused_with_its_reason(router: Router, ctx: FakeContext) -> None:
    """All of its models, until its pool says otherwise."""
    router.receive(HealthChanged("openai", False, "breaker open"))
    selected = select(router, ctx)
    assert names(selected) == ["opus"]
    assert [r.why for r in selected.refused] == ["openai: breaker open"] * 2
    assert repr(router) == "<Router: 3 models, 1 available>"
    router.receive(HealthChanged("openai", True))
    assert names(select(router, ctx)) == ["opus", "gpt", "mini"]


def test_a_vendor_may_be_tried_again_once_its_time_has_come(
    router: Router, ctx: FakeContext
) -> None:
    """Without a new word from its pool: somebody must be the probe."""
    router.receive(HealthChanged("openai", False, "breaker open", ctx.time + 5.0))
    assert names(select(router, ctx)) == ["opus"]
    ctx.advance(5.0)
    assert names(select(router, ctx)) == ["opus", "gpt", "mini"]


def test_figures_are_kept_until_newer_ones_come(router: Router, ctx: FakeContext) -> None:
    """A report names only models that moved, and one about availability may name none."""
    router.receive(HealthChanged("openai", True, models=(ModelHealth("gpt", 800.0, 0.0, 3),)))
    router.receive(HealthChanged("openai", True, models=(ModelHealth("mini", 90.0, 0.5, 2),)))
    router.receive(HealthChanged("openai", True))
    assert [(s.latency_ms, s.failure_rate) for s in states(router, ctx)] == [
        (None, None),
        (800.0, 0.0),
        (90.0, 0.5),
    ]


def test_failures_of_long_ago_count_less(router: Router, ctx: FakeContext) -> None:
    """A model that is chosen no more could not show otherwise that it has recovered."""
    router.receive(HealthChanged("openai", True, models=(ModelHealth("gpt", 0.0, 0.8, 9),)))
    ctx.advance(HALF_LIFE_S)
    gpt = states(router, ctx)[1]
    assert gpt.failure_rate == pytest.approx(0.4)
    assert gpt.latency_ms is None, "no answer has been timed yet"


def test_a_choice_is_made_of_what_is_known_by_now(router: Router, ctx: FakeContext) -> None:
    """What was worked out for an earlier question does not outlive a word from a pool, nor time."""
    assert "failures unknown" in select(router, ctx).ranked[0].why
    told = tuple(ModelHealth(model.id, 100.0, 0.8, 9) for model in (OPUS, GPT, MINI))
    router.receive(HealthChanged("openai", True, models=told))
    assert "failures 80%" in select(router, ctx).ranked[0].why
    ctx.advance(HALF_LIFE_S)
    assert "failures 40%" in select(router, ctx).ranked[0].why
    router.receive(ReconfigureRouter((MINI,)))
    assert names(select(router, ctx)) == ["mini"]


def test_a_new_table_keeps_what_is_known_of_models_that_stay(
    router: Router, ctx: FakeContext
) -> None:
    """And forgets the figures of those that are gone, should they come back one day."""
    told = (ModelHealth("gpt", 800.0, 0.0, 3), ModelHealth("mini", 90.0, 0.0, 2))
    router.receive(HealthChanged("openai", False, "no api key", models=told))
    router.receive(ReconfigureRouter((GPT,)))
    assert [(s.model.id, s.why, s.latency_ms) for s in states(router, ctx)] == [
        ("gpt", "no api key", 800.0)
    ]
    router.receive(ReconfigureRouter((GPT, MINI)))
    assert [s.latency_ms for s in states(router, ctx)] == [800.0, None]


def test_the_end_of_another_actor_is_no_concern(router: Router, ctx: FakeContext) -> None:
    """A pool that failed begins anew and serves what is in its mailbox."""
    router.receive(Down("pool:openai", "crash"))
    assert names(select(router, ctx)) == ["opus", "gpt", "mini"]
