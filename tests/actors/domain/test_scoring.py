"""Scores: what counts how much, what an unknown counts as, and that ties have an order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.model import Model, Price, Usage
from actors.domain.scoring import PROFILES, TYPICAL_OUTPUT, expected_usage, rank
from actors.protocol import Candidate, ModelState, Profile


def price(usd_per_mtok: float) -> Price:
    nano = int(usd_per_mtok * 1_000_000_000)
    return Price(nano, nano, nano, nano)


def state(
    id: str,
    weight: int = 5,
    *,
    usd: float | None = 1.0,
    latency_ms: float | None = 100.0,
    failure_rate: float | None = 0.0,
    free: bool = False,
) -> ModelState:
    priced = None if usd is None else price(usd)
    model = Model(id, "vendor", id, weight, price=priced, free=free)
    return ModelState(model, True, "", latency_ms, failure_rate)


def order(states: Sequence[ModelState], profile: Profile = "normal") -> list[str]:
    return [c.model.id for c in rank(states, profile, 1000, 1000)]


def test_every_profile_has_coefficients_that_sum_to_one() -> None:
    """Scores of different profiles are on one scale."""
    assert set(PROFILES) == set(get_args(Profile))
    assert all(sum(by) == pytest.approx(1.0) for by in PROFILES.values())


def test_the_table_is_the_stated_one() -> None:
    """Users choose profiles by these figures."""
    assert {name: tuple(by) for name, by in PROFILES.items()} == {
        "cheap": (0.7, 0.1, 0.1, 0.1),
        "normal": (0.25, 0.25, 0.25, 0.25),
        "high_confidence": (0.05, 0.1, 0.15, 0.7),
        "planning": (0.1, 0.1, 0.2, 0.6),
        "adversarial": (0.1, 0.1, 0.2, 0.6),
    }


def test_a_score_is_the_weighted_sum_with_capability_subtracted() -> None:
    """Dear, slow, failing and strong against cheap, quick, sound and weak: each part counts."""
    strong = state("strong", 9, usd=10, latency_ms=900, failure_rate=0.5)
    weak = state("weak", 1, usd=1, latency_ms=100, failure_rate=0.0)
    scores = {c.model.id: c.score for c in rank([strong, weak], "planning", 1000, 1000)}
    assert scores == {"strong": pytest.approx(0.1 + 0.1 + 0.2 - 0.6), "weak": 0.0}


@pytest.mark.parametrize(
    ("profile", "best"), [("cheap", "cheap"), ("high_confidence", "strong"), ("planning", "strong")]
)
def test_a_profile_decides_who_is_best(profile: Profile, best: str) -> None:
    """The cheap profile takes the cheap model, the confident ones the capable model."""
    assert order([state("cheap", 3, usd=0.1), state("strong", 9, usd=10)], profile)[0] == best


def test_latency_and_failures_count() -> None:
    """Between equals the quicker one and the sounder one come first."""
    assert order([state("slow", latency_ms=900), state("quick")]) == ["quick", "slow"]
    assert order([state("failing", failure_rate=0.3), state("sound")]) == ["sound", "failing"]


def test_equal_scores_go_by_capability_then_by_the_table() -> None:
    """In the normal profile the strong, dear model ties with the weak, cheap one."""
    tied = [state("weak", 3, usd=1), state("strong", 9, usd=2)]
    assert order(tied) == order(tied[::-1]) == ["strong", "weak"]
    assert order([state("b"), state("a"), state("c")]) == ["b", "a", "c"]


def test_an_unknown_price_counts_as_the_dearest() -> None:
    """Nobody is chosen as cheap for want of a price; a free model is cheap."""
    ranked = rank(
        [state("unpriced", usd=None), state("dear", usd=10), state("gratis", usd=None, free=True)],
        "cheap",
        1000,
        1000,
    )
    assert [c.model.id for c in ranked] == ["gratis", "unpriced", "dear"]
    assert ranked[1].score == ranked[2].score
    assert "cost unknown" in ranked[1].why


def test_an_unknown_latency_is_neither_favoured_nor_punished() -> None:
    """A model nobody has called yet stands between the quick and the slow."""
    states = [state("slow", latency_ms=900), state("new", latency_ms=None, failure_rate=None)]
    assert order([*states, state("quick", latency_ms=100)]) == ["quick", "new", "slow"]


def test_the_expected_answer_is_a_typical_one_where_more_is_allowed() -> None:
    """A large `max_tokens` is a bound and no expectation."""
    assert expected_usage(1000, 100) == Usage(input=1000, output=100)
    assert expected_usage(1000, 100_000) == Usage(input=1000, output=TYPICAL_OUTPUT)


def test_why_is_a_phrase_with_the_parts_of_the_score() -> None:
    """A reader of a choice sees each figure and what it did."""
    ranked = rank(
        [state("a", 9, usd=10, latency_ms=830), state("b", 3, usd=1, failure_rate=0.01)],
        "planning",
        1000,
        1000,
    )
    assert [c.why for c in ranked] == [
        "weight 9 -0.60, cost $0.0200 +0.10, latency 830 ms +0.10, failures 0% +0.00",
        "weight 3 -0.00, cost $0.0020 +0.00, latency 100 ms +0.00, failures 1% +0.20",
    ]


known = st.none() | st.floats(0, 1e5)


@given(
    st.lists(st.tuples(st.integers(0, 10), known, known, st.none() | st.floats(0, 1))),
    st.sampled_from(get_args(Profile)),
)
def test_ranking_keeps_every_model_in_the_order_of_its_score(
    figures: list[tuple[int, float | None, float | None, float | None]], profile: Profile
) -> None:
    """Whatever is known or not: each model once, scores within [-1, 1] and ascending."""
    states = [
        state(str(i), w, usd=usd, latency_ms=ms, failure_rate=rate)
        for i, (w, usd, ms, rate) in enumerate(figures)
    ]
    ranked: tuple[Candidate, ...] = rank(states, profile, 500, 500)
    assert sorted(c.model.id for c in ranked) == sorted(s.model.id for s in states)
    scores = [c.score for c in ranked]
    assert scores == sorted(scores)
    assert all(-1.0 <= score <= 1.0 for score in scores)
