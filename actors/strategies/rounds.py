"""Where a run is: its plans, the rounds they have opened, and the place each branch has there.

A plan opens a round; a branch of it that is a plan opens rounds of its own.  So every place is
within a round, that one perhaps within another, up to the run's own plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from actors.protocol import Ballot, Reading, Role
from actors.strategies.enough import is_enough
from actors.strategies.plan import AllIn, Call, Check, Choose, Enough, Plan, Quorum, UnansweredKind

Startable: TypeAlias = Call | Choose | Ballot | Reading | Check


class Waits:
    """Stands where an answer will be."""


WAITS = Waits()


@dataclass(eq=False, slots=True)
class Carried:
    """A plan being carried out, so many rounds deep; `place` is None for the run's own."""

    steps: Plan[Any]
    place: Place | None
    depth: int = 0


@dataclass(eq=False, slots=True)
class Opened:
    """A round that has begun, with as many branches `running` as have no result yet.

    While it is `opening` it starts its branches and cannot close.
    """

    key: int
    plan: Carried
    enough: Enough
    grace: Quorum | None
    results: list[Any]
    announced: bool
    running: int
    opening: bool = True
    role: Role | None = None
    stopped: UnansweredKind | None = None

    def put(self, index: int, result: object) -> None:
        """The result of a branch; WAITS for one that has begun to run."""
        if result is not WAITS:
            self.results[index] = result
            self.running -= 1

    @property
    def may_close(self) -> bool:
        if self.opening or not self.running:
            return not self.opening
        if isinstance(self.enough, AllIn):
            return False
        return self._have(self.enough)

    def gives_grace(self) -> bool:
        """Whether its grace begins now; it begins once."""
        if self.grace is None or self.opening or not self._have(self.grace):
            return False
        self.grace = None
        return True

    def _have(self, rule: Enough) -> bool:
        ended = [result for result in self.results if result is not WAITS]
        return is_enough(rule, ended, len(self.results))


@dataclass(eq=False, slots=True)
class Place:
    """A branch of a round."""

    round: Opened
    index: int


class Asked(NamedTuple):
    """What was started: a call, for its place in a round; a question, for the plan that asks."""

    step: Startable
    to: Place | Carried

    @property
    def place(self) -> Place | None:
        return self.to.place if isinstance(self.to, Carried) else self.to


def rounds_above(place: Place | None) -> Sequence[Opened]:
    """The round of a place, the round that one is a branch of, and so on."""
    if place is None:
        return ()
    above = [place.round]
    while (place := place.round.plan.place) is not None:
        above.append(place.round)
    return above


def is_within(place: Place | None, scope: Opened | None) -> bool:
    return scope is None or any(round is scope for round in rounds_above(place))
