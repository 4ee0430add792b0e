"""What a call costs: afterwards exactly, beforehand at most.

Prices are nano-USD per million tokens (:class:`Price`).  The classes of a :class:`Usage` are
disjoint, and reasoning is a part of output, so their costs add up.  A sum is rounded up once.

A token is at least one byte of what was sent, so the bytes of a conversation bound its tokens.
"""

from __future__ import annotations

from actors.domain.model import Price, Usage

PER_PRICE = 1_000_000
"""Tokens that a price is for."""

DEFAULT_MAX_TOKENS = 4096
LEAST_TOKENS = 64
"""A shorter answer is of no use; an answer that must meet a schema is never shortened."""

ENVELOPE_TOKENS = 16
"""What a vendor adds around a conversation; around each message it adds less than the JSON does."""

SCHEMA_TOKENS = 512
"""What a vendor adds to explain to its model that an answer must meet a schema."""

BYTES_PER_TOKEN = 4
"""Of ordinary text; for estimates, never for bounds."""

ANY_NUMBER_OF_TOKENS = 2**40
"""How many tokens fit when they cost nothing."""


def cost_nano(usage: Usage, price: Price) -> int:
    """What a vendor bills for `usage`."""
    millionths = (
        usage.input * price.input
        + usage.cache_read * price.cache_read
        + usage.cache_write * price.cache_write
        + usage.output * price.output
    )
    return -(-millionths // PER_PRICE)


def input_bound(messages: bytes, schema: bytes | None = None) -> int:
    """The most tokens that a conversation, as JSON, can be."""
    explained = 0 if schema is None else len(schema) + SCHEMA_TOKENS
    return len(messages) + ENVELOPE_TOKENS + explained


def input_estimate(messages: bytes, schema: bytes | None = None) -> int:
    """The tokens that a conversation, as JSON, probably is."""
    return -(-input_bound(messages, schema) // BYTES_PER_TOKEN)


def fixed_cost(input_tokens: int, price: Price) -> int:
    """What the input costs at most, in whichever class the vendor counts it."""
    return -(-input_tokens * max(price.input, price.cache_read, price.cache_write) // PER_PRICE)


def output_cost(tokens: int, output_price: int) -> int:
    """What that many tokens of output cost."""
    return -(-tokens * output_price // PER_PRICE)


def tokens_that_fit(nano: int, output_price: int) -> int:
    """The most tokens of output that `nano` pays for."""
    if output_price == 0:
        return ANY_NUMBER_OF_TOKENS
    return max(0, nano * PER_PRICE // output_price)
