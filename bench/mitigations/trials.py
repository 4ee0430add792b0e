"""One trial: the same items, asked of the same minds without a mitigation and with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from bench.shares import difference, share
from runtime.testing.calibrated import Control, Ended, Form, Mind, World, question

SEED = 21
WAVERING = 0.35
"""Of a judge's own look, in worth: two looks at close candidates differ now and then."""


class Effect(Struct, frozen=True):
    """One measured effect: what happened without the mitigation and with it, item by item."""

    mitigation: str
    measured: str
    without: Sequence[bool]
    with_it: Sequence[bool]
    calls_without: float
    calls_with: float

    def row(self) -> tuple[str, ...]:
        return (
            self.mitigation,
            self.measured,
            str(share(self.without)),
            str(share(self.with_it)),
            difference(self.without, self.with_it).points(),
            f"{self.calls_without:.2f} → {self.calls_with:.2f}",
        )


def votes(
    found: Sequence[Mind],
    count: int,
    *,
    form: Form = "explained",
    control: Control = "as it is",
    seed: int = SEED,
    **order: Any,
) -> list[Ended]:
    """One vote on each of so many items, in a world of its own."""
    world = World(found, seed, control)
    return [world.plan("vote", question(n, form), seed=n, **order) for n in range(count)]


def winners(ended: Sequence[Ended]) -> list[str]:
    """The models whose answers were chosen."""
    return [str(one.body["negotiated_model"]) for one in ended]


def mean_calls(ended: Sequence[Ended]) -> float:
    return sum(one.calls for one in ended) / len(ended)


def effect(
    mitigation: str,
    measured: str,
    without: tuple[Sequence[bool], Sequence[Ended]],
    with_it: tuple[Sequence[bool], Sequence[Ended]],
) -> Effect:
    calls = mean_calls(without[1]), mean_calls(with_it[1])
    return Effect(mitigation, measured, without[0], with_it[0], *calls)
