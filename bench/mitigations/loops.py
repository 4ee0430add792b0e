"""What loops save that end in time, and what they keep that keep the best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from actors.protocol import Mode
from bench.mitigations.trials import SEED, Effect, effect
from runtime.testing.calibrated import Bias, Ended, Mind, World, minds, question

ROUNDS = 4


def plans(found: Sequence[Mind], count: int, mode: Mode, **order: Any) -> list[Ended]:
    """One plan for each of so many tasks, in so many rounds at most."""
    world = World(found, SEED)
    return [
        world.plan(mode, question(n, "plan"), seed=n, iterations=ROUNDS, **order)
        for n in range(count)
    ]


def converged(count: int) -> Effect:
    """Critics that see most of what is lacking, and authors that mend what they are told."""
    found = minds(3, right=0.8, mends=0.1, spoils=0.02)
    world = World(found, SEED)

    def complete(**order: Any) -> tuple[list[bool], list[Ended]]:
        ended = plans(found, count, "adversarial", **order)
        return [world.worth(n, one.text, "plan") == 1 for n, one in enumerate(ended)], ended

    measured = f"plans that lack nothing, after {ROUNDS} rounds at most"
    return effect("stop: converged", measured, complete(), complete(stop="converged"))


def keep_best(count: int, misjudges: float = 0.0) -> Effect:
    """Authors that spoil about as much as they mend."""
    bias = Bias(misjudges=misjudges, wavers=0.05)
    found = [replace(one, bias=bias) for one in minds(3, right=0.8, mends=0.3, spoils=0.1)]
    world = World(found, SEED)

    def worse(**order: Any) -> tuple[list[bool], list[Ended]]:
        ended = plans(found, count, "refine", **order)
        first = [one.body["response"]["initial_response"] for one in ended]
        worths = [world.worth(n, text, "plan") for n, text in enumerate(first)]
        return [world.worth(n, one.text, "plan") < worths[n] for n, one in enumerate(ended)], ended

    measured = f"plans worse than the first draft, judge errs in {misjudges:.0%}"
    return effect("keep_best", measured, worse(), worse(keep_best=True))
