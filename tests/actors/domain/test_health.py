"""Moving figures of a model, and which ends of calls move them."""

from __future__ import annotations

from typing import get_args

import pytest

from actors.domain.health import HALF_LIFE_S, KEPT, LEAST_KEPT, Gauges, faded
from actors.protocol import CallErrorKind, ModelHealth


def test_the_first_answer_is_the_mean_and_later_ones_move_it() -> None:
    """A slow call among quick ones shows, and does not take over."""
    gauges = Gauges()
    gauges.answered("m", 0.1)
    assert gauges.read() == (ModelHealth("m", 100.0, 0.0, 1),)
    gauges.answered("m", 1.1)
    (figures,) = gauges.read()
    assert figures.latency_ms == pytest.approx(300.0)


def test_failures_move_the_rate_towards_one_and_answers_back() -> None:
    """The rate follows what the model does now."""
    gauges = Gauges()
    for _ in range(30):
        gauges.failed("m", "transient")
    (figures,) = gauges.read()
    assert 0.99 < figures.failure_rate <= 1.0
    assert figures.latency_ms == 0.0
    for _ in range(30):
        gauges.answered("m", 1.0)
    assert gauges.read()[0].failure_rate < 0.01


@pytest.mark.parametrize("kind", get_args(CallErrorKind))
def test_only_what_says_something_of_the_model_counts(kind: CallErrorKind) -> None:
    """A call that was given up, or that could succeed nowhere, is not the model's failure."""
    gauges = Gauges()
    gauges.failed("m", kind)
    innocent = {"cancelled", "unavailable", "overloaded", "context_overflow", "parameter"}
    assert bool(gauges.read()) == (kind not in innocent)


def test_a_reading_tells_only_what_has_moved() -> None:
    """What was told once is not told again."""
    gauges = Gauges()
    gauges.answered("a", 1.0)
    gauges.answered("b", 1.0)
    assert [h.model for h in gauges.read()] == ["a", "b"]
    gauges.answered("b", 1.0)
    assert [h.model for h in gauges.read()] == ["b"]
    assert gauges.read() == ()


def test_an_old_failure_rate_fades() -> None:
    """Half after the half-life; a clock that stands adds nothing."""
    assert faded(0.8, 0.0) == 0.8
    assert faded(0.8, HALF_LIFE_S) == pytest.approx(0.4)
    assert faded(0.8, -1.0) == 0.8


def test_few_calls_take_longer_than_a_slow_one() -> None:
    """Nineteen of twenty of the latest; nobody can say before there were some."""
    gauges = Gauges()
    for number in range(1, LEAST_KEPT):
        gauges.answered("m", number / 10)
    assert gauges.read()[0].slow_ms == 0.0
    for number in range(LEAST_KEPT, 21):
        gauges.answered("m", number / 10)
    assert gauges.read()[0].slow_ms == pytest.approx(1900.0)
    for _ in range(KEPT):
        gauges.answered("m", 1.0)
    assert gauges.read()[0].slow_ms == pytest.approx(1000.0)


def test_calls_that_are_given_up_for_being_slow_stay_slow() -> None:
    """Else what counts as slow would become ever less; one given up in time says nothing."""
    gauges = Gauges()
    for _ in range(19):
        gauges.answered("m", 1.0)
    gauges.read()
    gauges.given_up("m", 0.9)
    gauges.given_up("nobody", 9.0)
    assert gauges.read() == ()
    gauges.given_up("m", 3.0)
    gauges.given_up("m", 3.0)
    (figures,) = gauges.read()
    assert (figures.slow_ms, figures.calls) == (3000.0, 19)
    assert figures.latency_ms == pytest.approx(1000.0)
