"""Selection: who may, who may not and why, and the panels and escalations made of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.model import Model, Price
from actors.domain.selection import Selector, escalation, panel
from actors.protocol import Candidate, ModelState, Refusal, SelectModels

DOLLAR = 1_000_000_000


def model(id: str, weight: int = 5, *, provider: str = "v", **fields: Any) -> Model:
    fields.setdefault("price", Price(DOLLAR, 2 * DOLLAR, DOLLAR, DOLLAR))
    return Model(id, provider, id, weight, **fields)


def state(model: Model, why: str = "") -> ModelState:
    return ModelState(model, not why, why, None, None)


def wanted(**fields: Any) -> SelectModels:
    return SelectModels("run:1", "q1", "plan", fields.pop("profile", "high_confidence"), **fields)


def chosen(models: Sequence[Model], **fields: Any) -> list[str]:
    ranked, _ = Selector([state(m) for m in models]).select(wanted(**fields))
    return [candidate.model.id for candidate in ranked]


def refused(model: Model, why: str = "", **fields: Any) -> Refusal:
    ranked, refused = Selector([state(model, why)]).select(wanted(**fields))
    assert ranked == ()
    return refused[0]


def test_a_model_is_refused_for_the_first_reason_that_holds() -> None:
    """Each refusal has a code for programs and a phrase with its figures for people."""
    big: dict[str, Any] = {"input_tokens": 10_000, "max_tokens": 1000}
    assert refused(model("m", enabled=False)) == Refusal(
        "m", "disabled", "disabled in the configuration"
    )
    assert refused(model("m"), exclude=("m",)).code == "excluded"
    assert refused(model("m", 3), min_weight=5) == Refusal("m", "weight", "weight 3 is below 5")
    assert refused(model("m", context_tokens=12_499), **big) == Refusal(
        "m", "context", "needs 12500 tokens, its context has 12499"
    )
    assert refused(model("m"), "breaker open") == Refusal("m", "unavailable", "v: breaker open")


def test_context_must_hold_the_input_with_headroom_and_the_answer() -> None:
    """15 % over the estimate, and no more answer than the model can give; unknown passes."""
    call = {"input_tokens": 10_000, "max_tokens": 4096}
    assert chosen([model("exact", context_tokens=15_596)], **call)
    assert not chosen([model("short", context_tokens=15_595)], **call)
    assert chosen([model("brief", context_tokens=12_000, max_output_tokens=500)], **call)
    assert chosen([model("unknown")], **call)


def test_what_a_call_needs_must_be_affordable() -> None:
    """The bound of the input and the least useful answer, at the dearest class of input."""
    price = Price(DOLLAR, 2 * DOLLAR, DOLLAR // 2, 2 * DOLLAR)
    call: dict[str, Any] = {"input_bound": 1000, "least_tokens": 64}
    need = 1000 * 2000 + 64 * 2000
    assert chosen([model("m", price=price)], **call, afford_nano=need)
    assert not chosen([model("m", price=price)], **call, afford_nano=need - 1)
    refusal = refused(model("m", price=price), **call, afford_nano=need - 1000)
    assert refusal == Refusal(
        "m", "unaffordable", "needs $0.002128 at least, $0.002127 is left", need
    )


def test_a_model_without_a_price_is_refused_where_a_budget_applies() -> None:
    """A missing price is never read as zero; a free model has one."""
    unpriced = model("m", price=None)
    assert refused(unpriced, limited=True).code == "unpriced"
    assert refused(unpriced, afford_nano=10 * DOLLAR).code == "unpriced"
    assert chosen([unpriced]) == ["m"]
    assert chosen([model("gratis", price=None, free=True)], limited=True, afford_nano=0)


def test_a_named_model_comes_first_and_under_no_floor() -> None:
    """An explicit wish wins over weights and scores; the floor still holds for the others."""
    models = [model("small", 1), model("middle", 6), model("large", 9)]
    ranked, no = Selector([state(m) for m in models]).select(
        wanted(min_weight=7, named=("small", "middle"))
    )
    assert [(c.model.id, c.explicit) for c in ranked] == [
        ("small", True),
        ("middle", True),
        ("large", False),
    ]
    assert no == ()
    assert ranked[0].why == "named in the request"


def test_a_named_model_that_cannot_serve_is_refused_like_any_other() -> None:
    """That is how an explicit id fails over to routing."""
    for unfit in (model("m", enabled=False), model("m", context_tokens=10)):
        ranked, no = Selector([state(unfit), state(model("other"))]).select(wanted(named=("m",)))
        assert [c.model.id for c in ranked] == ["other"]
        assert [r.model for r in no] == ["m"]


def test_a_name_given_twice_is_one_candidate() -> None:
    """Repeats are the panel's to seat."""
    assert chosen([model("a"), model("b", 9)], named=("a", "a")) == ["a", "b"]


def test_avoided_models_come_last_and_avoided_families_before_them() -> None:
    """Avoiding is a preference: nobody is refused for it."""
    models = [
        model("best", 9, family="gpt"),
        model("kin", 8, family="claude"),
        model("good", 7, family="gpt"),
        model("also-kin", 6, family="claude"),
        model("weak", 1, family="qwen"),
    ]
    assert chosen(models, avoid=("best",), avoid_families=("claude",)) == [
        "good",
        "weak",
        "kin",
        "also-kin",
        "best",
    ]
    ranked, _ = Selector([state(m) for m in models]).select(wanted(avoid=("best",)))
    assert ranked[-1].why.startswith("to be avoided; weight 9")


def test_an_avoided_model_is_first_all_the_same_when_it_is_named() -> None:
    """The reviewer that a user names reviews, even if it has written what it reviews."""
    assert chosen([model("a", 9), model("b")], named=("b",), avoid=("b",)) == ["b", "a"]


def test_scores_are_normalised_over_the_eligible_models() -> None:
    """A model that may not serve does not stretch the scale of those that may."""
    models = [model("a", 5), model("b", 4), model("giant", 10, enabled=False)]
    ranked, _ = Selector([state(m) for m in models]).select(wanted(profile="planning"))
    assert [c.score for c in ranked] == [-0.6, 0.0]


# --- panels -----------------------------------------------------------------------------------


def candidates(*names: str) -> list[Candidate]:
    """`openai/gpt` is model `gpt` of vendor `openai`."""
    return [
        Candidate(model(id, provider=provider), float(place))
        for place, (provider, id) in enumerate(name.split("/") for name in names)
    ]


def seats(asked: Sequence[Candidate]) -> list[str]:
    return [candidate.model.id for candidate in asked]


RANKED = candidates("x/x1", "x/x2", "y/y1", "x/x3", "z/z1", "y/y2")


@pytest.mark.parametrize(
    ("voters", "named", "expected"),
    [
        (3, (), ["x1", "y1", "z1"]),
        (5, (), ["x1", "y1", "z1", "x2", "x3"]),
        (3, ("y2",), ["y2", "x1", "z1"]),
        (3, ("x3", "x3"), ["x3", "x3", "y1"]),
        (2, ("x1", "x2", "y1"), ["x1", "x2"]),
        (2, ("unknown",), ["x1", "y1"]),
        (8, (), ["x1", "y1", "z1", "x2", "x3", "y2", "x1", "x2"]),
    ],
)
def test_a_panel_is_the_named_then_the_best_of_each_vendor(
    voters: int, named: tuple[str, ...], expected: list[str]
) -> None:
    """Named first, repeats included, then one of each vendor, then the best, then repeats."""
    assert seats(panel(RANKED, voters, named)) == expected


def test_a_weak_model_is_not_preferred_for_its_vendors_sake() -> None:
    """One a little weaker is; a much weaker one waits for its place."""
    strong = [Candidate(model(f"x{n}", 9, provider="x"), float(n)) for n in (1, 2)]
    near = Candidate(model("y", 6, provider="y"), 3.0)
    weak = Candidate(model("z", 5, provider="z"), 4.0)
    assert seats(panel([*strong, near, weak], 3)) == ["x1", "y", "x2"]
    assert seats(panel([*strong, weak], 3)) == ["x1", "x2", "z"]


def test_one_model_fills_a_panel_alone() -> None:
    """A request has the voters it asked for."""
    assert seats(panel(candidates("x/x1"), 3)) == ["x1"] * 3
    assert panel((), 3) == ()


@given(
    st.lists(st.sampled_from(RANKED), unique=True, min_size=1),
    st.integers(1, 10),
    st.lists(st.sampled_from(["x1", "y2", "unknown"]), max_size=4),
)
def test_a_panel_has_its_size_and_as_many_models_as_it_can(
    ranked: list[Candidate], voters: int, named: list[str]
) -> None:
    """Nobody sits twice unless named twice or because there are too few models."""
    asked = seats(panel(ranked, voters, named))
    known = set(seats(ranked))
    repeats_named = [name for name in named if name in known]
    assert len(asked) == voters
    assert asked[: len(repeats_named)] == repeats_named[:voters]
    free = voters - len(repeats_named)
    if free > 0:
        assert len(set(asked)) == min(len(known), len(set(repeats_named)) + free)


# --- escalation -------------------------------------------------------------------------------


def test_after_an_overflow_the_larger_contexts_come_first() -> None:
    """Then those whose context is unknown, then the rest; the one that failed is out."""
    sizes = {"failed": 8_000, "small": 4_000, "larger": 16_000, "unknown": None, "largest": 128_000}
    ranked = [Candidate(model(id, context_tokens=size), 0.0) for id, size in sizes.items()]
    after = escalation(ranked, ranked[0].model)
    assert seats(after) == ["larger", "largest", "unknown", "small"]


def test_an_overflow_of_an_unknown_context_changes_no_order() -> None:
    """Nothing is known to be larger than it."""
    ranked = [Candidate(model(id, context_tokens=n), 0.0) for id, n in (("a", 1), ("b", 9))]
    assert seats(escalation(ranked, model("failed"))) == ["a", "b"]
