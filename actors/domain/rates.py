"""Rate limits as vendors keep them: a bucket per limit, refilled steadily.

A bucket holds a minute's worth and is full at first.  In any stretch of t seconds it lets
through at most what it holds plus t/60 of it.  An amount larger than the bucket could never
be had: it passes alone, when the bucket is full, and leaves it in debt.

What a call takes from the token bucket is its estimated input and all the output it may have,
as vendors count it when they admit a call; nothing is given back.
"""

from __future__ import annotations

_ROUNDING = 1e-6
"""Of a request or a token: what sums of floats may miss."""


class Bucket:
    """`per_minute` units, by the monotonic clock."""

    def __init__(self, per_minute: int, now: float) -> None:
        self.per_minute = per_minute
        self._level = float(per_minute)
        self._at = now

    def delay(self, now: float, amount: float) -> float:
        """Seconds until `amount` may be taken; 0 when it may be now."""
        self._refill(now)
        missing = min(amount, self.per_minute) - self._level
        return missing * 60.0 / self.per_minute if missing > _ROUNDING else 0.0

    def take(self, now: float, amount: float) -> None:
        """Takes `amount`, whether it is there or not."""
        self._refill(now)
        self._level -= amount

    def resize(self, now: float, per_minute: int) -> None:
        """Another limit from now on; what is in the bucket stays, as far as it has room."""
        self._refill(now)
        self.per_minute = per_minute
        self._level = min(self._level, float(per_minute))

    def _refill(self, now: float) -> None:
        gained = max(0.0, now - self._at) * self.per_minute / 60.0
        self._level = min(self._level + gained, float(self.per_minute))
        self._at = max(self._at, now)


class Rates:
    """A vendor's limits together; None is no limit."""

    def __init__(
        self, requests_per_minute: int | None, tokens_per_minute: int | None, now: float
    ) -> None:
        self._requests = _resized(None, requests_per_minute, now)
        self._tokens = _resized(None, tokens_per_minute, now)

    def delay(self, now: float, tokens: int) -> float:
        """Seconds until one more call of so many tokens may be sent."""
        requests = self._requests.delay(now, 1) if self._requests else 0.0
        return max(requests, self._tokens.delay(now, tokens)) if self._tokens else requests

    def take(self, now: float, tokens: int) -> None:
        """Counts a call that is sent."""
        if self._requests:
            self._requests.take(now, 1)
        if self._tokens:
            self._tokens.take(now, tokens)

    def reconfigure(
        self, requests_per_minute: int | None, tokens_per_minute: int | None, now: float
    ) -> None:
        """New limits from now on; buckets keep their fill."""
        self._requests = _resized(self._requests, requests_per_minute, now)
        self._tokens = _resized(self._tokens, tokens_per_minute, now)


def _resized(bucket: Bucket | None, per_minute: int | None, now: float) -> Bucket | None:
    if per_minute is None:
        return None
    if bucket is None:
        return Bucket(per_minute, now)
    bucket.resize(now, per_minute)
    return bucket
