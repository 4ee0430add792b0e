"""Dollars at the edges, integers within."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.money import MOST_NANO, NANO, day_of, month_of, nano_from_usd, usd


@pytest.mark.parametrize(
    ("amount", "nano"),
    [
        (0, 0),
        (1, NANO),
        (0.1, 100_000_000),
        (0.1 + 0.2, 300_000_000),
        (Decimal("0.000000001"), 1),
        ("12.5", 12_500_000_000),
        (1e-9, 1),
        (1e9, MOST_NANO),
    ],
)
def test_an_amount_is_read_as_it_is_written(amount: Decimal | float | str, nano: int) -> None:
    """No binary fraction shows through, and integers stay what they are."""
    assert nano_from_usd(amount) == nano


@pytest.mark.parametrize(
    "amount",
    [-1, -0.01, float("nan"), float("inf"), "-inf", "NaN", "sNaN", "much", "", 2e9, True],
)
def test_what_is_no_amount_is_refused(amount: float | str) -> None:
    """Negative, infinite, not a number, text or too much: a ValueError that shows it."""
    with pytest.raises(ValueError, match=repr(amount)):
        nano_from_usd(amount)


@given(st.integers(0, 10**15))
def test_to_dollars_and_back_loses_nothing(nano: int) -> None:
    """Up to a million dollars a float still tells every nano-dollar apart."""
    assert nano_from_usd(usd(nano)) == nano


def test_days_and_months_are_utc() -> None:
    """The month turns at midnight in UTC, wherever the machine is."""
    turn = 1_793_491_200.0
    assert (month_of(turn - 0.001), month_of(turn)) == ("2026-10", "2026-11")
    assert (day_of(turn - 0.001), day_of(turn)) == ("2026-10-31", "2026-11-01")
