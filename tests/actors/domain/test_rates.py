"""Rate limits: what passes when, exactly, and what can never pass."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.rates import Bucket, Rates


def test_a_minutes_worth_passes_at_once_and_then_one_at_a_time() -> None:
    """60 a minute: 60 now, then one each second."""
    bucket = Bucket(60, 0.0)
    for _ in range(60):
        assert bucket.delay(0.0, 1) == 0.0
        bucket.take(0.0, 1)
    assert bucket.delay(0.0, 1) == pytest.approx(1.0)
    assert bucket.delay(0.75, 1) == pytest.approx(0.25)
    assert bucket.delay(1.0, 1) == 0.0


def test_an_idle_bucket_holds_no_more_than_a_minutes_worth() -> None:
    """An hour of silence does not allow a flood."""
    bucket = Bucket(60, 0.0)
    assert bucket.delay(3600.0, 60) == 0.0
    bucket.take(3600.0, 60)
    assert bucket.delay(3600.0, 1) == pytest.approx(1.0)


def test_an_amount_larger_than_the_bucket_passes_alone_when_it_is_full() -> None:
    """It could never pass otherwise; what it took too much is waited for afterwards."""
    bucket = Bucket(600, 0.0)
    assert bucket.delay(0.0, 1000) == 0.0
    bucket.take(0.0, 1000)
    assert bucket.delay(0.0, 1) == pytest.approx(40.1)
    assert bucket.delay(0.0, 1000) == pytest.approx(100.0)
    assert bucket.delay(100.0, 1000) == 0.0


def test_a_new_limit_keeps_the_fill() -> None:
    """A reload is no way around a limit, and lowering one cuts what is over it."""
    bucket = Bucket(60, 0.0)
    bucket.take(0.0, 60)
    bucket.resize(0.0, 600)
    assert bucket.delay(0.0, 1) == pytest.approx(0.1)
    bucket.resize(60.0, 6)
    bucket.take(60.0, 6)
    assert bucket.delay(60.0, 1) == pytest.approx(10.0)


def test_a_clock_that_stands_or_steps_back_gives_nothing() -> None:
    """Time that did not pass fills no bucket, and is not counted twice."""
    bucket = Bucket(60, 10.0)
    bucket.take(10.0, 60)
    assert bucket.delay(5.0, 1) == pytest.approx(1.0)
    assert bucket.delay(11.0, 1) == 0.0
    bucket.take(11.0, 1)
    assert bucket.delay(11.0, 1) == pytest.approx(1.0)


def test_requests_and_tokens_must_both_have_room() -> None:
    """The longer of the two waits holds; without limits there is none."""
    rates = Rates(60, 6000, 0.0)
    rates.take(0.0, 6000)
    assert rates.delay(0.0, 100) == pytest.approx(1.0)
    for _ in range(59):
        rates.take(0.0, 0)
    assert rates.delay(0.0, 10) == pytest.approx(1.0)
    assert Rates(None, None, 0.0).delay(0.0, 10**9) == 0.0


def test_limits_can_be_added_changed_and_removed() -> None:
    """A limit that is new begins full; one that goes is gone at once."""
    rates = Rates(None, 60, 0.0)
    rates.take(0.0, 60)
    rates.reconfigure(1, 60, 0.0)
    assert rates.delay(0.0, 1) == pytest.approx(1.0)
    rates.reconfigure(1, None, 0.0)
    assert rates.delay(0.0, 1) == 0.0
    rates.take(0.0, 1)
    assert rates.delay(0.0, 1) == pytest.approx(60.0)


@given(
    st.integers(1, 10_000),
    st.lists(st.tuples(st.floats(0, 100), st.integers(1, 20_000)), min_size=1, max_size=50),
)
def test_no_stretch_of_time_lets_through_more_than_a_bucket_and_its_refill(
    per_minute: int, orders: list[tuple[float, int]]
) -> None:
    """An owner that waits for `delay` keeps the limit, and one wait is enough."""
    bucket, now = Bucket(per_minute, 1e6), 1e6
    taken = []
    for pause, amount in orders:
        now += pause
        now += bucket.delay(now, amount) + 1e-6
        assert bucket.delay(now, amount) == 0.0
        bucket.take(now, amount)
        taken.append((now, amount))
    for begin in range(len(taken)):
        passed = 0
        for at, amount in taken[begin:]:
            refill = (at - taken[begin][0]) * per_minute / 60.0
            assert passed + min(amount, per_minute) <= per_minute + refill + 1e-3
            passed += amount
