"""What a pool tells the Router of its vendor: whether it takes calls, and how its models do."""

from __future__ import annotations

from typing import NamedTuple

from actors.addresses import ROUTER
from actors.base import Context
from actors.domain.breaker import Breaker, State
from actors.domain.health import Gauges
from actors.protocol import HealthChanged, VendorSettings

REPORT_EVERY_S = 1.0
"""Moving figures are told no more often; a change of availability is told at once."""


class Standing(NamedTuple):
    """Whether a vendor takes calls, else why not and, if known, when it is tried again."""

    available: bool
    why: str = ""
    retry_at: float | None = None


_SERVES = Standing(True)
_CLOSED = State.CLOSED


def standing(settings: VendorSettings, breaker: Breaker) -> Standing:
    """How a vendor with these settings and this breaker stands."""
    if not settings.key_present:
        return Standing(False, "no api key")
    if breaker.state is _CLOSED:
        return _SERVES
    return Standing(False, f"breaker open: {breaker.why}", breaker.retry_at)


class VendorReport:
    """Keeps what the Router has been told apart from what it has not, and watches the Router: a
    restarted one knows nothing, and is told everything again.
    """

    def __init__(self, ctx: Context) -> None:
        self.gauges = Gauges()
        self._ctx = ctx
        self._told: Standing | None = None
        self._not_before = ctx.now()
        self._watching = False

    def bring_up_to_date(self, provider: str, standing: Standing, now: float) -> None:
        """Tells the Router what it does not know and should know by now."""
        if standing == self._told and (now < self._not_before or self.due() is None):
            return
        self._told = standing
        self._not_before = now + REPORT_EVERY_S
        self._ctx.tell(ROUTER, HealthChanged(provider, *standing, self.gauges.read()))
        if not self._watching:
            self._watching = True
            self._ctx.monitor(ROUTER)

    def due(self) -> float | None:
        """When there is something to tell; None while there is nothing."""
        return self._not_before if self.gauges.moved or not self._watching else None

    def router_ended(self) -> None:
        self._watching = False
        self.gauges.move_all()
