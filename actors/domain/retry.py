"""After a failed attempt: again at the same model, on to the next one, or no more.

Decided by what failed, by how often this model was tried for this call, and by whether another
one is left.  How many further attempts a whole run may make is its owner's to count.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from msgspec import Struct

from actors.protocol import CallErrorKind

BACKOFF_S = 0.25
BACKOFF_MAX_S = 8.0


class Again(Struct, frozen=True):
    """Try the same model once more, after `delay_s`."""

    delay_s: float


class Next(Struct, frozen=True):
    """Try the next candidate now."""


class NoMore(Struct, frozen=True):
    """This call has failed."""


Decision: TypeAlias = Again | Next | NoMore


class _Tries(NamedTuple):
    """How many attempts one model gets, while others are left, and as the last one."""

    with_others: int
    alone: int
    backs_off: bool = True


_TRIES: Mapping[CallErrorKind, _Tries] = {
    "transient": _Tries(2, 3),
    "rate_limited": _Tries(1, 4),
    "unavailable": _Tries(1, 3),
    "overloaded": _Tries(1, 1),
    "timeout": _Tries(1, 2),
    "malformed": _Tries(1, 2),
    "crashed": _Tries(1, 2),
    "empty": _Tries(1, 2),
    "refused": _Tries(1, 1),
    "fatal": _Tries(1, 1),
    "context_overflow": _Tries(1, 1),
    "cancelled": _Tries(1, 1),
    "parameter": _Tries(6, 6, backs_off=False),
}


def decide(
    kind: CallErrorKind,
    *,
    tries: int,
    others: bool,
    left_s: float,
    draw: float,
    retry_after_s: float | None = None,
) -> Decision:
    """What to do after the `tries`-th attempt (1, 2 …) at a model failed.

    `left_s` is what is left of the run's time: a wait that is longer is not begun.  `draw` in
    [0, 1) spreads the waits of runs that failed together.
    """
    allowed = _TRIES[kind]
    if tries < (allowed.with_others if others else allowed.alone):
        delay = _delay(tries, draw, retry_after_s) if allowed.backs_off else 0.0
        if delay < left_s:
            return Again(delay)
    return Next() if others else NoMore()


def _delay(tries: int, draw: float, retry_after_s: float | None) -> float:
    backoff = min(BACKOFF_S * (1 << (tries - 1)), BACKOFF_MAX_S) * (0.5 + draw)
    return max(backoff, retry_after_s or 0.0)
