"""What a dry run answers: the calls that would be made, by whom, for how much."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct


class DryModel(Struct, kw_only=True):
    """A model that may take the role; `asked` is how many calls it would get, 0 for one that only
    steps in.  `latency_ms` is its mean so far, null while unknown.
    """

    model: str
    provider: str
    weight: int
    asked: int
    named: bool
    why: str
    latency_ms: float | None


class DryRefusal(Struct, kw_only=True):
    """A model that may not, and why."""

    model: str
    code: str
    why: str


class DryCalls(Struct, kw_only=True):
    """Calls of one role that are made together; stages follow each other.

    `count` is how many are expected; `models` are best first.  A cost is null where a price is
    unknown.
    """

    stage: int
    role: str
    count: int
    least_count: int
    most_count: int
    models: list[DryModel]
    refused: list[DryRefusal]
    least_usd: float | None
    expected_usd: float | None
    most_usd: float | None
    started_ms: float
    latency_ms: float


class DryCost(Struct, kw_only=True):
    """`limit_usd` is the run's own budget, `free_usd` what it and those of key and installation
    leave now, `needed_usd` what must be free for the run to begin.  When `shortened`, answers
    would be cut to fit.  `most_usd` does not look at the budget, which is never crossed.
    """

    least_usd: float | None
    expected_usd: float | None
    most_usd: float | None
    limit_usd: float | None
    free_usd: float | None
    needed_usd: float
    shortened: bool


class DryTime(Struct, kw_only=True):
    """Milliseconds; `guessed` while the speed of a model is unknown."""

    least: float
    expected: float
    most: float
    limit: float
    guessed: bool


class DryRefused(Struct, kw_only=True):
    """The error that the run would end in, or the lack that would degrade its answer."""

    code: str
    error: str


class DryVariant(Struct, kw_only=True):
    """A change of the request that fits; null in `changes` takes a field out."""

    changes: dict[str, Any]
    calls: int
    expected_usd: float | None
    needed_usd: float
    time_ms: float


class DryRun(Struct, kw_only=True):
    """What a request would come to, if no call fails; nothing was sent, nothing reserved.

    `fits` when it would go through; else `refused` says why not, and where it is the budget that
    refuses, `nearest` is the smallest change that would fit and `cheapest` the one that costs
    least, both null where none would.  `reasons` are those that the answer would have.
    """

    dry_run: Literal[True] = True
    mode: str
    fits: bool
    refused: DryRefused | None
    reasons: list[str]
    calls: list[DryCalls]
    cost: DryCost
    time_ms: DryTime
    nearest: DryVariant | None
    cheapest: DryVariant | None

    def __repr__(self) -> str:
        return f"<DryRun {self.mode}: {'fits' if self.fits else 'does not fit'}>"
