"""What a run's first calls may cost: before anything is sent, and once the ledger has answered.

`want` is every call at its best candidate's worst case, `least` every call at its cheapest
candidate with the fewest tokens that are of use; both with the cheapest way to finish the run.
What is granted lies between them and is shared out here.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from actors.domain.model import Model
from actors.domain.pricing import fixed_cost, input_bound, output_cost
from actors.protocol import Candidate
from actors.strategies.plan import Call, Finish

DEFAULT_MAX_TOKENS = 4096
LEAST_TOKENS = 64
"""A shorter answer is of no use; an answer that must meet a schema is never shortened."""


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
    """The money the first calls want, and what they could do with."""

    want_nano: int
    least_nano: int


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
    want = sum(quote(call, call.candidates[0].model).most_nano for call in calls)
    least = sum(min(q.least_nano for q in _quotes(call)) for call in calls)
    last_want, last_least = _finish(finish)
    return Demand(want + last_want, least + last_least)


def share_out(granted_nano: int, calls: Sequence[Call], finish: Finish | None) -> list[Share]:
    """One share per call, such that all of them together stay within what is granted.

    The best candidates come first while they fit, with fewer tokens if need be; else the
    cheapest do.
    """
    quotes = [quote(call, call.candidates[0].model) for call in calls]
    last_want, last_least = _finish(finish)
    if sum(q.most_nano for q in quotes) + last_want <= granted_nano:
        return [Share(call.candidates) for call in calls]
    rest = granted_nano - last_least
    orders = [call.candidates for call in calls]
    if sum(q.least_nano for q in quotes) > rest:
        orders = [_cheapest_first(call) for call in calls]
        quotes = [quote(call, o[0].model) for call, o in zip(calls, orders, strict=True)]
    least = sum(q.least_nano for q in quotes)
    room = sum(q.most_nano for q in quotes) - least
    part, whole = (max(0, rest - least), room) if room > 0 else (0, 1)
    return [
        Share(order, q.least_tokens + (q.max_tokens - q.least_tokens) * min(part, whole) // whole)
        for order, q in zip(orders, quotes, strict=True)
    ]


def _quotes(call: Call) -> list[Quote]:
    return [quote(call, candidate.model) for candidate in call.candidates]


def _cheapest_first(call: Call) -> tuple[Candidate, ...]:
    return tuple(sorted(call.candidates, key=lambda c: quote(call, c.model).least_nano))


def _finish(finish: Finish | None) -> tuple[int, int]:
    """The cheapest last call: at its worst, and with the fewest tokens of use."""
    if finish is None:
        return 0, 0
    costs = [
        (fixed + output_cost(finish.max_tokens, price.output),
         fixed + output_cost(min(finish.max_tokens, LEAST_TOKENS), price.output))
        for candidate in finish.candidates
        if (price := candidate.model.price) is not None
        for fixed in (fixed_cost(finish.input_tokens, price),)
    ]  # fmt: skip
    return min(costs, default=(0, 0))
