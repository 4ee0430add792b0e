"""What a variant is worth: quality, and quality per dollar and per second, with 95 % intervals.

Quality is the share of right answers; its interval is Wilson's (1927), which holds for few items
and near 0 and 1.  Those of the ratios are percentiles of a bootstrap over the items.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt
from random import Random
from statistics import fmean
from typing import TypeAlias

from msgspec import Struct

from runtime.evaluation.results import Outcome

Z = 1.959964
RESAMPLES = 1_000
_SEED = 1

Ratio: TypeAlias = Callable[[Sequence[Outcome]], float | None]


class Estimate(Struct, frozen=True):
    """A figure, and where it lies in 19 of 20 cases.  None where there is none, as per nothing."""

    value: float | None
    low: float | None
    high: float | None


class Figures(Struct, frozen=True, kw_only=True):
    """Of one variant.  `failed` had no answer and count as wrong; `ungraded` count for nothing.

    `right_per_usd` and `right_per_second` are right answers for a dollar, and for a second of
    waiting for one run after the other.
    """

    variant: str
    graded: int
    right: int
    failed: int
    ungraded: int
    cut: int
    cost_usd: float
    usd_per_run: float
    seconds_per_run: float
    quality: Estimate
    right_per_usd: Estimate
    right_per_second: Estimate


def figures(variant: str, outcomes: Sequence[Outcome]) -> Figures:
    graded = [outcome for outcome in outcomes if outcome.right is not None]
    right = sum(bool(outcome.right) for outcome in graded)
    return Figures(
        variant=variant,
        graded=len(graded),
        right=right,
        failed=sum(outcome.error is not None for outcome in outcomes),
        ungraded=len(outcomes) - len(graded),
        cut=sum(outcome.cut for outcome in outcomes),
        cost_usd=sum(outcome.cost_usd for outcome in outcomes),
        usd_per_run=_mean([outcome.cost_usd for outcome in outcomes]),
        seconds_per_run=_mean([outcome.seconds for outcome in outcomes]),
        quality=wilson(right, len(graded)),
        right_per_usd=bootstrap(graded, _per_usd),
        right_per_second=bootstrap(graded, _per_second),
    )


def wilson(right: int, of: int) -> Estimate:
    """The share, and the interval of shares that would not be surprised by it."""
    if not of:
        return Estimate(None, None, None)
    share, z2 = right / of, Z * Z
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = Z * sqrt(share * (1 - share) / of + z2 / (4 * of * of)) / (1 + z2 / of)
    return Estimate(share, max(0.0, middle - half), min(1.0, middle + half))


def bootstrap(outcomes: Sequence[Outcome], ratio: Ratio) -> Estimate:
    """`ratio` of all, and its percentiles over samples drawn from them; the same every time."""
    value = ratio(outcomes)
    if value is None:
        return Estimate(None, None, None)
    random = Random(_SEED)
    drawn = (ratio(random.choices(outcomes, k=len(outcomes))) for _ in range(RESAMPLES))
    known = sorted(found for found in drawn if found is not None)
    if not known:
        return Estimate(value, None, None)
    last = len(known) - 1
    return Estimate(value, known[round(0.025 * last)], known[round(0.975 * last)])


def _per_usd(outcomes: Sequence[Outcome]) -> float | None:
    return _per(outcomes, sum(outcome.cost_usd for outcome in outcomes))


def _per_second(outcomes: Sequence[Outcome]) -> float | None:
    return _per(outcomes, sum(outcome.seconds for outcome in outcomes))


def _per(outcomes: Sequence[Outcome], total: float) -> float | None:
    return sum(bool(outcome.right) for outcome in outcomes) / total if total > 0 else None


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if values else 0.0
