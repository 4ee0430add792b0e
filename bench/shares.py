"""Shares and their differences, each with the interval that chance leaves (95 %)."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

from msgspec import Struct

Z = 1.96


class Share(Struct, frozen=True):
    """So many of so many."""

    count: int
    of: int

    @property
    def value(self) -> float:
        return self.count / self.of if self.of else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's, which holds for shares near 0 and 1 too."""
        if not self.of:
            return 0.0, 1.0
        n, p = self.of, self.value
        middle = (p + Z * Z / (2 * n)) / (1 + Z * Z / n)
        reach = Z * sqrt(p * (1 - p) / n + Z * Z / (4 * n * n)) / (1 + Z * Z / n)
        return max(0.0, middle - reach), min(1.0, middle + reach)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{100 * self.value:.1f} % ({100 * low:.1f}-{100 * high:.1f})"


class Mean(Struct, frozen=True):
    """The mean of differences, and how far chance may have moved it."""

    value: float
    reach: float

    def points(self) -> str:
        """For differences of shares."""
        return f"{100 * self.value:+.1f} ± {100 * self.reach:.1f}"


def share(hits: Sequence[bool]) -> Share:
    return Share(sum(hits), len(hits))


def difference(before: Sequence[float], after: Sequence[float]) -> Mean:
    """How much more the same items come to afterwards, pair by pair."""
    pairs = [b - a for a, b in zip(before, after, strict=True)]
    mean = sum(pairs) / len(pairs)
    variance = sum((one - mean) ** 2 for one in pairs) / max(1, len(pairs) - 1)
    return Mean(mean, Z * sqrt(variance / len(pairs)))
