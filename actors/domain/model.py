"""What a model is to planhub: a row of the configuration, and what it charges."""

from __future__ import annotations

from functools import lru_cache

from msgspec import Struct


class Price(Struct, frozen=True, gc=False, array_like=True):
    """Nano-USD per million tokens, so that a token's price stays an integer."""

    input: int
    output: int
    cache_read: int
    cache_write: int


class Usage(Struct, frozen=True, gc=False, array_like=True):
    """Tokens of one call, in disjoint classes; `reasoning` alone is a part of `output`."""

    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input + other.input,
            self.cache_read + other.cache_read,
            self.cache_write + other.cache_write,
            self.output + other.output,
            self.reasoning + other.reasoning,
        )


class Model(Struct, frozen=True, gc=False, array_like=True):
    """A configured model.  `weight` is its capability, 0 to 10; sizes are in tokens.

    `price` is None when nobody knows it; `free` models have a price of zero.  `context_tokens` and
    `max_output_tokens` are None when unknown.  `family` groups models that think alike.
    """

    id: str
    provider: str
    upstream: str
    weight: int = 5
    enabled: bool = True
    family: str = ""
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    price: Price | None = None
    free: bool = False


@lru_cache(maxsize=1_024)
def shared(model: Model) -> Model:
    """The same model, for all who were told of it apart: not each of ten thousand runs keeps it."""
    return model
