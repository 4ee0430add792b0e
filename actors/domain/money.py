"""Money is an integer number of nano-USD; decimals exist at the edges only.

Windows are calendar months in UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from functools import lru_cache

NANO = 1_000_000_000
"""Nano-USD in a dollar."""

MOST_NANO = 1_000_000_000 * NANO
"""A thousand million dollars: what is more is a mistake, and sums of it would leave 64 bits."""

DAY_S = 86_400


def nano_from_usd(amount: Decimal | int | float | str) -> int:
    """Dollars as written in a configuration, in nano-USD, rounded to the nearest.

    A float means what it prints: 0.1 is a tenth.  Raises ValueError for what is no amount of
    money: text, negative, infinite, not a number, or more than :data:`MOST_NANO`.
    """
    exact = _decimal(amount)
    if not exact.is_finite() or exact < 0:
        raise ValueError(f"{amount!r} is not an amount of money")
    if exact > MOST_NANO // NANO:
        raise ValueError(f"{amount!r} is more than {MOST_NANO // NANO} USD")
    return int((exact * NANO).to_integral_value(ROUND_HALF_EVEN))


def usd(nano: int) -> float:
    """Nano-USD as dollars, for those who read it; never to be calculated with."""
    return nano / NANO


def month_of(wall: float) -> str:
    """The month, as `2026-11`, of seconds since the epoch."""
    return day_of(wall)[:7]


def day_of(wall: float) -> str:
    """The day, as `2026-11-03`, of seconds since the epoch."""
    return _day(int(wall // DAY_S))


@lru_cache(maxsize=8)
def _day(number: int) -> str:
    return datetime.fromtimestamp(number * DAY_S, UTC).strftime("%Y-%m-%d")


def _decimal(amount: Decimal | int | float | str) -> Decimal:
    if isinstance(amount, bool):
        raise ValueError(f"{amount!r} is not an amount of money")
    try:
        return Decimal(repr(amount)) if isinstance(amount, float) else Decimal(amount)
    except InvalidOperation:
        raise ValueError(f"{amount!r} is not an amount of money") from None
