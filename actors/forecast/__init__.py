"""What a request would come to, before anything is sent or reserved.

Its strategy is carried out in mind (`course`), three times over (`guesses`), with what the Router
would answer now.  Where the budget would refuse it, cheaper `variants` of it are tried.

What is foretold holds for the moment: health, prices and budgets change, and calls fail.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from actors.domain.money import usd
from actors.domain.selection import Selector
from actors.errors import BudgetExceeded, DeadlineExceeded, PlanError
from actors.forecast.course import Course, Imagined, imagined
from actors.forecast.guesses import GUESSES
from actors.forecast.variants import Changes, variants
from actors.protocol import ModelState, Order

__all__ = ["Course", "Forecast", "Imagined", "Variant", "forecast"]

MOST_VARIANTS = 20


class Variant(Struct, frozen=True):
    """The order with these of its fields changed, and how that would go."""

    changes: Changes
    expected: Course


class Forecast(Struct, frozen=True):
    """The courses are what it would come to if no budget stood in its way; `within` is the expected
    one in the run's own budget, and `free_nano` what all budgets leave for it, None without any.

    `refused` is why it would not go through as it is, None if it would.  Where that is a budget,
    `nearest` is the smallest change that fits and `cheapest` the one that costs least; None where
    none would help.
    """

    order: Order
    free_nano: int | None
    least: Course
    expected: Course
    most: Course
    within: Course
    refused: PlanError | None
    nearest: Variant | None = None
    cheapest: Variant | None = None

    @property
    def is_shortened(self) -> bool:
        """Whether answers would be cut to fit the budget."""
        free = self.free_nano
        return self.refused is None and free is not None and self.expected.demand.want_nano > free


def forecast(order: Order, states: Sequence[ModelState], free_nano: int | None) -> Forecast:
    """What `order` would come to if it began now, with models that stand as `states` say.

    `free_nano` is what its budgets leave, the run's own included.  Raises Internal.
    """
    selector = Selector(states)
    within = imagined(order, selector, "expected")
    refused = refusal(order, within, free_nano)
    unbound = replace(order, limit_nano=None)
    least, expected, most = (imagined(unbound, selector, guess) for guess in GUESSES)
    told = Forecast(order, free_nano, least, expected, most, within, refused)
    if not isinstance(refused, BudgetExceeded):
        return told
    fitting = _fitting(order, selector, expected, free_nano)
    if not fitting:
        return told
    cheapest = min(fitting, key=lambda variant: variant.expected.cost_nano or 0)
    return replace(told, nearest=fitting[0], cheapest=cheapest)


def refusal(order: Order, expected: Course, free_nano: int | None) -> PlanError | None:
    """Why it would end in an error, or without what was asked for."""
    if isinstance(expected.end, PlanError):
        return expected.end
    if free_nano is not None:
        if (needed := expected.demand.least_nano) > free_nano:
            return _too_dear(f"its first calls need ${usd(needed):.6f}", free_nano)
        if (expected.cost_nano or 0) > free_nano or "budget" in expected.end.reasons:
            calls = len(expected.calls)
            return _too_dear(f"{calls} call{'s'[: calls > 1]} would use up all of it", free_nano)
    if expected.is_timed and expected.took_ms > order.latency_s * 1000:
        took = f"it would take about {expected.took_ms / 1000:.1f} s"
        return DeadlineExceeded(f"deadline exceeded: {took}, {order.latency_s:g} s are allowed")
    return None


def _too_dear(what: str, free_nano: int) -> BudgetExceeded:
    return BudgetExceeded(f"budget exceeded: {what}, ${usd(free_nano):.6f} is left")


def _fitting(
    order: Order, selector: Selector, expected: Course, free_nano: int | None
) -> list[Variant]:
    """The variants that would go through, the smallest change first."""
    fitting = []
    for changes, _ in zip(variants(order, expected), range(MOST_VARIANTS), strict=False):
        other = replace(order, **changes)
        course = imagined(other, selector, "expected")
        if refusal(other, course, free_nano) is None:
            fitting.append(Variant(changes, course))
    return fitting
