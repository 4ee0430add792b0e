"""Costs afterwards, bounds beforehand."""

from __future__ import annotations

from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.model import Price, Usage
from actors.domain.pricing import (
    ANY_NUMBER_OF_TOKENS,
    cost_nano,
    fixed_cost,
    input_bound,
    input_estimate,
    output_cost,
    tokens_that_fit,
)

PRICE = Price(input=10_000_000_000, output=30_000_000_000, cache_read=1, cache_write=12_500_000_000)
tokens = st.integers(0, 10**7)
prices = st.integers(0, 10**12)


@given(st.builds(Usage, tokens, tokens, tokens, tokens), st.builds(Price, *[prices] * 4))
def test_a_cost_is_the_exact_sum_rounded_up_once(usage: Usage, price: Price) -> None:
    """Never below the exact amount, and by less than a nano-dollar above it."""
    exact = Fraction(
        usage.input * price.input
        + usage.cache_read * price.cache_read
        + usage.cache_write * price.cache_write
        + usage.output * price.output,
        1_000_000,
    )
    assert 0 <= cost_nano(usage, price) - exact < 1


def test_reasoning_is_paid_as_the_output_it_is_part_of() -> None:
    """It is reported apart and never billed twice."""
    assert cost_nano(Usage(output=10, reasoning=8), PRICE) == cost_nano(Usage(output=10), PRICE)


@pytest.mark.parametrize(
    "usage", [Usage(input=100), Usage(cache_read=100), Usage(cache_write=100), Usage(99, 0, 1)]
)
def test_the_fixed_cost_covers_every_class_of_input(usage: Usage) -> None:
    """Writing a cache may be dearer than plain input: the dearest counts."""
    assert fixed_cost(100, PRICE) >= cost_nano(usage, PRICE)
    assert fixed_cost(100, PRICE) == cost_nano(Usage(cache_write=100), PRICE)


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_the_bound_covers_every_byte_and_stays_close(texts: list[str]) -> None:
    """At least a token per UTF-8 byte and some per message; for plain text little more."""
    messages = msgspec.json.encode([{"role": "user", "content": text} for text in texts])
    in_utf8 = sum(len(text.encode()) for text in texts)
    assert input_bound(messages) >= in_utf8 + 16 * len(texts)
    if all(text.isalnum() for text in texts):
        assert input_bound(messages) <= in_utf8 + 48 * len(texts)
    assert (
        input_estimate(messages) * 4 >= input_bound(messages) > (input_estimate(messages) - 1) * 4
    )


def test_a_schema_is_sent_too() -> None:
    """It costs its own bytes and the vendor's words about it."""
    assert input_bound(b"[]", b"{}" * 50) >= input_bound(b"[]") + 100 + 500


@given(st.integers(0, 10**15), prices)
def test_the_tokens_that_fit_are_the_most_that_do(nano: int, price: int) -> None:
    """One more would not; what costs nothing always fits."""
    fit = tokens_that_fit(nano, price)
    assert output_cost(fit, price) <= nano
    assert output_cost(fit + 1, price) > nano if price else fit == ANY_NUMBER_OF_TOKENS


def test_nothing_fits_a_debt() -> None:
    """A limit that was overrun buys no negative number of tokens."""
    assert tokens_that_fit(-5, 1_000_000) == 0
