"""In which order models may take a role: one number for each, lower is better.

A score weighs four things, each normalised to 0…1 between the least and the most of the models
that are compared (all equal: 0): what a call is expected to cost, how long it takes, how often it
fails, and how capable the model is; capability is subtracted.  A profile says how much each of
them counts.

What is not known must neither hide a risk nor condemn a model for being new:

- an unknown price counts as the dearest of the others, for a surprise in money only goes one way;
- an unknown latency or failure rate counts as the mean of the known ones, so that a model nobody
  has called yet is placed by its price and capability alone.

Equal scores are ordered by capability, then as in the table: the same question always has the
same answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple

from actors.domain.model import Model, Price, Usage
from actors.domain.money import usd
from actors.domain.pricing import cost_nano
from actors.protocol import Candidate, ModelState, Profile

TYPICAL_OUTPUT = 1024
"""Tokens an answer is expected to have where more are allowed."""

_FREE = Price(0, 0, 0, 0)
_SCORE = attrgetter("score")


class Coefficients(NamedTuple):
    """How much each normalised quantity counts."""

    cost: float
    latency: float
    failure: float
    weight: float


PROFILES: Mapping[Profile, Coefficients] = {
    "cheap": Coefficients(0.7, 0.1, 0.1, 0.1),
    "normal": Coefficients(0.25, 0.25, 0.25, 0.25),
    "high_confidence": Coefficients(0.05, 0.1, 0.15, 0.7),
    "planning": Coefficients(0.1, 0.1, 0.2, 0.6),
    "adversarial": Coefficients(0.1, 0.1, 0.2, 0.6),
}


class Place(NamedTuple):
    """What of a model's place is the same for every call: all but the cost of it.

    `before` and `after` are its explanation, around that of the cost.
    """

    model: Model
    price: Price | None
    expected_ms: float | None
    by_weight: float
    by_latency: float
    by_failure: float
    before: str
    after: str
    slow_ms: float | None

    def candidate(self, cost: int | None, by_cost: float) -> Candidate:
        model, _, expected_ms, by_weight, by_latency, by_failure, before, after, slow_ms = self
        score = round(by_weight + by_cost + by_latency + by_failure, 9)
        said = "unknown" if cost is None else f"${usd(cost):.4f}"
        why = f"{before}{said} {by_cost:+.2f}{after}"
        return Candidate(model, score, False, expected_ms, why, slow_ms)


class Scale:
    """Places models against each other; made once for states that many calls find the same."""

    def __init__(self, states: Sequence[ModelState], profile: Profile) -> None:
        by = PROFILES[profile]
        # What scores the same stays in this order.
        states = sorted(states, key=lambda state: -state.model.weight)
        self._by_cost = by.cost
        weights = _shares(-by.weight, [state.model.weight for state in states])
        latencies = _shares(by.latency, _or_mean([state.latency_ms for state in states]))
        failures = _shares(by.failure, _or_mean([state.failure_rate for state in states]))
        self._places = tuple(map(_place, states, weights, latencies, failures))

    def rank(self, input_tokens: int, max_tokens: int) -> tuple[Candidate, ...]:
        """All of them as candidates, best first, for a call of this size."""
        usage = expected_usage(input_tokens, max_tokens)
        costs = [
            None if place.price is None else cost_nano(usage, place.price) for place in self._places
        ]
        by_cost = _shares(self._by_cost, _or_dearest(costs))
        candidates = map(Place.candidate, self._places, costs, by_cost)
        return tuple(sorted(candidates, key=_SCORE))


def rank(
    states: Sequence[ModelState], profile: Profile, input_tokens: int, max_tokens: int
) -> tuple[Candidate, ...]:
    """All of `states` as candidates, best first; sizes in tokens are of the call they are for."""
    return Scale(states, profile).rank(input_tokens, max_tokens)


def price_of(model: Model) -> Price | None:
    """What a model charges; None when nobody knows, which is never the same as nothing."""
    return _FREE if model.free else model.price


def expected_usage(input_tokens: int, max_tokens: int) -> Usage:
    """What a call of this size probably uses."""
    return Usage(input=input_tokens, output=min(max_tokens, TYPICAL_OUTPUT))


def _shares(coefficient: float, values: Sequence[float]) -> list[float]:
    """What each value, normalised, adds to its model's score."""
    least = min(values, default=0.0)
    spread = max(values, default=0.0) - least
    return [coefficient * (value - least) / spread if spread else 0.0 for value in values]


def _or_dearest(costs: Sequence[int | None]) -> Sequence[float]:
    known = [cost for cost in costs if cost is not None]
    if len(known) == len(costs):
        return known
    dearest = max(known, default=0)
    return [dearest if cost is None else cost for cost in costs]


def _or_mean(values: Sequence[float | None]) -> list[float]:
    known = [value for value in values if value is not None]
    mean = sum(known) / len(known) if known else 0.0
    return [mean if value is None else value for value in values]


def _place(state: ModelState, by_weight: float, by_latency: float, by_failure: float) -> Place:
    """Explained as `weight 8 -0.60, cost $0.0042 +0.05, latency 83 ms +0.02, failures 1% +0.00`."""
    model, ms, rate = state.model, state.latency_ms, state.failure_rate
    latency = "unknown" if ms is None else f"{ms:.0f} ms"
    failures = "unknown" if rate is None else f"{rate:.0%}"
    before = f"weight {model.weight} {by_weight:+.2f}, cost "
    after = f", latency {latency} {by_latency:+.2f}, failures {failures} {by_failure:+.2f}"
    return Place(
        *(model, price_of(model), ms, by_weight, by_latency, by_failure),
        *(before, after, state.slow_ms),
    )
