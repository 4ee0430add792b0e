"""What a run's first calls may cost: before anything is sent, and once the ledger has answered.

`want` is every call at its best candidate's worst case, `least` every call at its cheapest
candidate with the fewest tokens that are of use; both with the cheapest way to finish the run.
What is granted lies between them and is shared out here.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from actors.domain.model import Model, Price
from actors.domain.pricing import (
    DEFAULT_MAX_TOKENS,
    LEAST_TOKENS,
    fixed_cost,
    input_bound,
    output_cost,
)
from actors.protocol import Candidate
from actors.strategies.plan import Call, Finish


class Quote(Struct, frozen=True):
    """What one attempt may cost: `fixed_nano`, and for each output token at `output_price`."""

    fixed_nano: int
    output_price: int
    max_tokens: int
    least_tokens: int

    @property
    def most_nano(self) -> int:
        return self.fixed_nano + output_cost(self.max_tokens, self.output_price)

    @property
    def least_nano(self) -> int:
        return self.fixed_nano + output_cost(self.least_tokens, self.output_price)


class Share(Struct, frozen=True):
    """How a call may spend its part: whom to ask first, and how many tokens at most."""

    candidates: tuple[Candidate, ...]
    max_tokens: int | None = None


class Demand(Struct, frozen=True):
    """The money the first calls want, and what they could do with; `best` is what each wants."""

    want_nano: int
    least_nano: int
    best: list[Quote]


def quote(call: Call, model: Model, cap: int | None = None) -> Quote:
    """The worst case of `call` at `model`, with at most `cap` tokens of output."""
    wanted = max_tokens(call, model)
    granted = wanted if cap is None or call.schema is not None else min(wanted, cap)
    least = granted if call.schema is not None else min(granted, LEAST_TOKENS)
    if model.price is None:
        return Quote(0, 0, granted, least)
    return Quote(
        fixed_cost(input_bound(call.messages, call.schema), model.price),
        model.price.output,
        granted,
        least,
    )


def max_tokens(call: Call, model: Model) -> int:
    """The output asked of a model: the call's limit or the default, and never above its own."""
    wanted = DEFAULT_MAX_TOKENS if call.max_tokens is None else call.max_tokens
    return wanted if model.max_output_tokens is None else min(wanted, model.max_output_tokens)


def demand(calls: Sequence[Call], finish: Finish | None) -> Demand:
    """What to ask the ledger for before these calls."""
    last = _last(finish)
    quotes = [_quotes(call) for call in calls]
    best = [of[0] for of in quotes]
    cheapest = [of[0] if len(of) == 1 else min(of, key=lambda q: q.least_nano) for of in quotes]
    return Demand(
        sum(map(last.most_with, best)) + last.most_nano,
        sum(map(last.least_with, cheapest)) + last.least_nano,
        best,
    )


def kept_nano(calls: Sequence[Call], finish: Finish | None) -> int:
    """What of the run's money is for its end, after these calls."""
    return demand(calls, finish).want_nano - demand(calls, None).want_nano


def share_out(granted_nano: int, calls: Sequence[Call], finish: Finish | None) -> list[Share]:
    """One share per call, such that all of them together stay within what is granted.

    The best candidates come first while they fit, with fewer tokens if need be; else the
    cheapest do.
    """
    last = _last(finish)
    quotes = [quote(call, call.candidates[0].model) for call in calls]
    if sum(map(last.most_with, quotes)) + last.most_nano <= granted_nano:
        return [Share(call.candidates) for call in calls]
    rest = granted_nano - last.least_nano
    orders = [call.candidates for call in calls]
    if sum(map(last.least_with, quotes)) > rest:
        orders = [_cheapest_first(call) for call in calls]
        quotes = [quote(call, o[0].model) for call, o in zip(calls, orders, strict=True)]
    least = sum(map(last.least_with, quotes))
    room = sum(map(last.most_with, quotes)) - least
    part, whole = (max(0, rest - least), room) if room > 0 else (0, 1)
    return [
        Share(order, q.least_tokens + (q.max_tokens - q.least_tokens) * min(part, whole) // whole)
        for order, q in zip(orders, quotes, strict=True)
    ]


class _Last(Struct, frozen=True):
    """The call that ends the run: it reads every answer, so a token of an answer is paid twice."""

    most_nano: int
    least_nano: int
    reading_price: int

    def most_with(self, first: Quote) -> int:
        return first.most_nano + output_cost(first.max_tokens, self.reading_price)

    def least_with(self, first: Quote) -> int:
        return first.least_nano + output_cost(first.least_tokens, self.reading_price)


def _last(finish: Finish | None) -> _Last:
    """The cheapest way to finish; what has no price costs nothing that could be reserved."""
    ways = [] if finish is None else [_way(finish, c.model.price) for c in finish.candidates]
    return min(ways, key=lambda way: way.least_nano, default=_Last(0, 0, 0))


def _way(finish: Finish, price: Price | None) -> _Last:
    if price is None:
        return _Last(0, 0, 0)
    fixed = fixed_cost(finish.input_tokens, price)
    return _Last(
        fixed + output_cost(finish.max_tokens, price.output),
        fixed + output_cost(min(finish.max_tokens, LEAST_TOKENS), price.output),
        max(price.input, price.cache_read, price.cache_write),
    )


def _quotes(call: Call) -> list[Quote]:
    return [quote(call, candidate.model) for candidate in call.candidates]


def _cheapest_first(call: Call) -> tuple[Candidate, ...]:
    return tuple(sorted(call.candidates, key=lambda c: quote(call, c.model).least_nano))
