"""How models do, as moving figures: what a pool measures and what a Router makes of it.

Only calls that say something of the model move them: neither a call that was given up, nor one
whose request could not have succeeded anywhere.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from math import ceil

from actors.protocol import CallErrorKind, ModelHealth

STEP = 0.2
"""How far one call moves a mean."""

KEPT = 64
"""Latencies from which it is told what is slow."""

LEAST_KEPT = 8
"""With fewer nobody can say."""

SLOW = 0.95
"""The share of calls that take no longer than a slow one."""

HALF_LIFE_S = 300.0
"""A failure rate that nothing confirms is half of it after so long."""

_SAYS_NOTHING: frozenset[CallErrorKind] = frozenset(
    {"cancelled", "unavailable", "overloaded", "context_overflow", "parameter"}
)


@dataclass
class Gauge:
    """One model's figures.  Latency is that of answers, in ms, 0 until there was one."""

    latency_ms: float = 0.0
    failure_rate: float = 0.0
    calls: int = 0
    latest_ms: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))

    @property
    def slow_ms(self) -> float:
        """What few calls take longer than; 0 until there were enough."""
        kept = sorted(self.latest_ms)
        return kept[ceil(SLOW * len(kept)) - 1] if len(kept) >= LEAST_KEPT else 0.0

    def answered(self, latency_ms: float) -> None:
        known = self.latency_ms or latency_ms
        self.latency_ms = known + STEP * (latency_ms - known)
        self.latest_ms.append(latency_ms)
        self._count(0.0)

    def given_up(self, latency_ms: float) -> bool:
        """Whether this says something: without the calls that are given up because they are slow,
        fewer and fewer would seem to take long.
        """
        counts = bool(self.latest_ms) and latency_ms > max(self.slow_ms, self.latency_ms)
        if counts:
            self.latest_ms.append(latency_ms)
        return counts

    def failed(self) -> None:
        self._count(1.0)

    def _count(self, failure: float) -> None:
        self.calls += 1
        self.failure_rate += STEP * (failure - self.failure_rate)


@dataclass
class Gauges:
    """The gauges of one vendor's models, and which of them moved since they were last read."""

    models: dict[str, Gauge] = field(default_factory=dict)
    moved: dict[str, None] = field(default_factory=dict)

    def answered(self, model: str, latency_s: float) -> None:
        self._gauge(model).answered(latency_s * 1000.0)

    def given_up(self, model: str, latency_s: float) -> None:
        """It had not answered by then."""
        if model in self.models and self.models[model].given_up(latency_s * 1000.0):
            self.moved[model] = None

    def failed(self, model: str, kind: CallErrorKind) -> None:
        if kind not in _SAYS_NOTHING:
            self._gauge(model).failed()

    def read(self) -> tuple[ModelHealth, ...]:
        """The figures that moved since the last reading."""
        moved, self.moved = self.moved, {}
        return tuple(_figures(model, self.models[model]) for model in moved)

    def move_all(self) -> None:
        """Whoever reads next knows nothing yet."""
        self.moved = dict.fromkeys(self.models)

    def _gauge(self, model: str) -> Gauge:
        self.moved[model] = None
        if model not in self.models:
            self.models[model] = Gauge()
        return self.models[model]


def faded(failure_rate: float, age_s: float) -> float:
    """A failure rate as it counts `age_s` after it was told: a model that nobody chooses any more
    for its failures of the past could otherwise never show that they are past.
    """
    return float(failure_rate * 0.5 ** (max(0.0, age_s) / HALF_LIFE_S))


def _figures(model: str, gauge: Gauge) -> ModelHealth:
    return ModelHealth(model, gauge.latency_ms, gauge.failure_rate, gauge.calls, gauge.slow_ms)
