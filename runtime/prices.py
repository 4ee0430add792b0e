"""What models cost and how much they read and write, where the configuration does not say.

Prices and context sizes come from the package genai-prices, from the data it ships with: nothing
is fetched.  A vendor that charges more beyond some length of input is taken up to that length
only (its context is cut there), so that one price holds for every call.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from msgspec import Struct

from actors.domain.model import Price
from actors.domain.money import nano_from_usd

# The longest answers of models whose limit is below what is usually asked for, by the beginning
# of their name; the longest beginning counts.  Newer models write more than anyone waits for.
_MAX_OUTPUT = {
    "gpt-3.5-turbo": 4_096,
    "gpt-4": 8_192,
    "gpt-4-turbo": 4_096,
    "gpt-4-1106": 4_096,
    "gpt-4-0125": 4_096,
    "gpt-4o": 16_384,
    "gpt-4.1": 32_768,
    "gpt-5": 128_000,
    "o1": 100_000,
    "o3": 100_000,
    "o4": 100_000,
    "claude-3-haiku": 4_096,
    "claude-3-opus": 4_096,
    "claude-3-sonnet": 4_096,
    "claude-3-5": 8_192,
    "claude-3-7": 64_000,
    "claude-opus-4-0": 32_000,
    "claude-opus-4-1": 32_000,
    "claude-opus-4-5": 64_000,
    "claude-sonnet-4-": 64_000,
    "claude-haiku-4-": 64_000,
    "gemini-1.5": 8_192,
    "gemini-2.0": 8_192,
    "gemini-2.5": 65_536,
    "gemini-3": 65_536,
    "gemini-4": 32_768,
}


_PROVIDERS = {"gemini": "google"}
"""Whose dialect it is, where the price list has another name for him."""


class Facts(Struct, frozen=True):
    """What is known of a model; None where nothing is."""

    price: Price | None = None
    context_tokens: int | None = None
    max_output_tokens: int | None = None


def full_price(
    input_usd: float | Decimal,
    output_usd: float | Decimal,
    cache_read_usd: float | Decimal | None = None,
    cache_write_usd: float | Decimal | None = None,
) -> Price:
    """USD per million tokens as a :class:`Price`; reading a cache costs as input unless said
    otherwise, writing one a quarter more.
    """
    asked = nano_from_usd(input_usd)
    return Price(
        input=asked,
        output=nano_from_usd(output_usd),
        cache_read=asked if cache_read_usd is None else nano_from_usd(cache_read_usd),
        cache_write=-(-asked * 5 // 4)
        if cache_write_usd is None
        else nano_from_usd(cache_write_usd),
    )


@lru_cache(maxsize=1024)
def look_up(upstream: str, dialect: str, base_url: str) -> Facts:
    """What is known of a vendor's model, by the vendor's name for it.

    The vendor is the one `base_url` belongs to; an address nobody knows is taken for a gateway to
    the vendor whose dialect it speaks.
    """
    info = _find(upstream, dialect, base_url)
    if info is None:
        return Facts()
    prices = info.get_prices(datetime.now(UTC))
    named = (prices.input_mtok, prices.output_mtok, prices.cache_read_mtok, prices.cache_write_mtok)
    sizes = [size for size in (info.context_window, *map(_first_tier, named)) if size is not None]
    priced = named[0] is not None and named[1] is not None
    return Facts(
        price=full_price(*map(_base, named)) if priced else None,
        context_tokens=min(sizes, default=None),
        max_output_tokens=_longest_answer(upstream),
    )


def _find(upstream: str, dialect: str, base_url: str) -> Any:
    # Imported late: it costs a third of a second, and the simulated vendor needs none of it.
    from genai_prices.data_snapshot import get_snapshot

    snapshot = get_snapshot()
    vendor = _PROVIDERS.get(dialect, dialect)
    for provider_id, api_url in ((None, base_url), (vendor, None)):
        try:
            provider = snapshot.find_provider(None, provider_id, api_url)
        except LookupError:
            continue
        return provider.find_model(upstream, all_providers=snapshot.providers)
    return None


def _base(price: Any) -> Any:
    return getattr(price, "base", price)


def _first_tier(price: Any) -> int | None:
    tiers = getattr(price, "tiers", ())
    return tiers[0].start if tiers else None


def _longest_answer(upstream: str) -> int | None:
    beginnings = [name for name in _MAX_OUTPUT if upstream.startswith(name)]
    return _MAX_OUTPUT[max(beginnings, key=len)] if beginnings else None
