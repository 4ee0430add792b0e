"""The Router: which models may take a role, best first, and why.

It knows the model table, and of the vendors what their pools tell it; it calls nobody.  A
restarted Router knows no health and takes every vendor for available until its pool, which
learns of the restart, has told it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import ClassVar

from actors.base import Actor, Context, Down
from actors.dispatch import handles
from actors.domain.health import faded
from actors.domain.model import Model
from actors.domain.selection import Selector
from actors.protocol import (
    HealthChanged,
    ListModels,
    ModelHealth,
    ModelsListed,
    ModelState,
    ReconfigureRouter,
    RouterMessage,
    Selected,
    SelectModels,
)

LOOK_AGAIN_S = 1.0
"""Failure rates fade while nothing is told; how far they have is looked at no more often."""


class Router(Actor):
    receives: ClassVar[object] = RouterMessage

    def __init__(self, ctx: Context, models: tuple[Model, ...]) -> None:
        super().__init__(ctx)
        self._models = models
        self._vendors: dict[str, HealthChanged] = {}
        self._figures: dict[str, tuple[ModelHealth, float]] = {}
        self._known: tuple[Selector, float] | None = None

    def __repr__(self) -> str:
        states = self._states()
        available = sum(state.available for state in states)
        return f"<Router: {len(states)} models, {available} available>"

    @handles
    def _select(self, wanted: SelectModels) -> None:
        self.ctx.reply(wanted, self._selected(wanted))

    def _selected(self, wanted: SelectModels) -> Selected:
        also = None if wanted.also is None else self._selected(wanted.also)
        return Selected(wanted.ticket, *self._selector().select(wanted), also)

    @handles
    def _list(self, asked: ListModels) -> None:
        self.ctx.reply(asked, ModelsListed(asked.ticket, self._states()))

    @handles
    def _note(self, told: HealthChanged) -> None:
        self._known = None
        self._vendors[told.provider] = told
        now = self.ctx.now()
        for figures in told.models:
            self._figures[figures.model] = figures, now

    @handles
    def _reconfigure(self, new: ReconfigureRouter) -> None:
        """The figures of models that are gone are forgotten; all else that is known is kept."""
        self._known = None
        self._models = new.models
        ids = {model.id for model in new.models}
        self._figures = {id: known for id, known in self._figures.items() if id in ids}

    @handles
    def _down(self, _: Down) -> None:
        """Nobody is monitored: a vendor that fails begins anew and tells of itself."""

    def _selector(self) -> Selector:
        """Made of how the models stand; kept until something is told, or until time changes it."""
        now = self.ctx.now()
        if self._known is None or now >= self._known[1]:
            states = self._states()
            self._known = Selector(states), _changes_at(states, now)
        return self._known[0]

    def _states(self) -> tuple[ModelState, ...]:
        now = self.ctx.now()
        return tuple(self._state(model, now) for model in self._models)

    def _state(self, model: Model, now: float) -> ModelState:
        why = self._down_because(model.provider, now)
        retry_in_s = None if why is None else self._retry_in_s(model.provider, now)
        if model.id not in self._figures:
            return ModelState(model, why is None, why or "", None, None, retry_in_s)
        figures, told_at = self._figures[model.id]
        rate, latency_ms = faded(figures.failure_rate, now - told_at), figures.latency_ms or None
        slow_ms = figures.slow_ms or None
        return ModelState(model, why is None, why or "", latency_ms, rate, retry_in_s, slow_ms)

    def _retry_in_s(self, provider: str, now: float) -> float | None:
        retry_at = self._vendors[provider].retry_at
        return None if retry_at is None else retry_at - now

    def _down_because(self, provider: str, now: float) -> str | None:
        """Why a vendor is not available now.  Once its `retry_at` is past it is again: somebody
        must be the probe, and its pool lets no more than one through.
        """
        told = self._vendors.get(provider)
        if told is None or told.available:
            return None
        if told.retry_at is not None and told.retry_at <= now:
            return None
        return told.why or "unavailable"


def _changes_at(states: Sequence[ModelState], now: float) -> float:
    """When time alone makes these states untrue: at once while a vendor's pause runs."""
    if any(state.retry_in_s is not None for state in states):
        return now
    return now + LOOK_AGAIN_S if any(state.failure_rate for state in states) else inf
