"""Carries the decisions of `supervision` out: starts, suspends, restarts and drains children.

A supervisor has no mailbox and never waits: a restart is a timer, and children that take time to
end (a thread amid its batch) call back.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeAlias

from actors.base import Address, ChildSpec, Restart, SupervisorSpec, Timer
from runtime.kernel.lifecycle import Lifecycle, Then
from runtime.kernel.supervision import (
    End,
    Escalate,
    Forget,
    History,
    RestartIn,
    decide,
    victims,
)

if TYPE_CHECKING:
    from runtime.kernel.system import System

__all__ = ["Supervisor"]

logger = logging.getLogger("planhub.kernel")


class Parent(Protocol):
    """Who hears of a supervisor's end."""

    def child_ended(self, child: Child, end: End, reason: str) -> None: ...

    def forget(self, child: Child) -> None: ...


class Supervisor:
    """One node of the tree, by its spec; spawned children come on top of those of the spec."""

    def __init__(self, system: System, spec: SupervisorSpec, parent: Parent) -> None:
        self.system = system
        self.spec = spec
        self.address: Address = spec.address
        self.parent = parent
        self.children: list[Child | None] = [None] * len(spec.children)
        self.spawned: dict[Address, Lifecycle] = {}
        self._places = {child.address: place for place, child in enumerate(spec.children)}
        self._history = History()
        self._timers: dict[int, Timer] = {}
        self._round = 0
        self._draining = False
        system.supervisors[spec.address] = self

    def __repr__(self) -> str:
        alive = sum(child is not None for child in self.children)
        return (
            f"<Supervisor {self.address}: {alive} of {len(self.children)} children, "
            f"{len(self.spawned)} spawned, {len(self._timers)} to restart>"
        )

    # --- as a child of the supervisor above ---

    def begin(self) -> None:
        """Starts the children of the spec, in order."""
        self._history = History()
        for place in range(len(self.children)):
            self._begin(place)

    def suspend(self, reason: str, then: Then) -> None:
        """Ends all incarnations, last first; mailboxes stay, but spawned children end."""
        self._halt()
        for child in list(self.spawned.values()):
            suspend_in_turn([child], reason, nothing)
        suspend_in_turn(self._alive(), reason, then)

    def drain(self, then: Then) -> None:
        """Has all children handle what they have and end, last first, the spawned ones at once."""
        self._halt()
        self._draining = True
        waiting = len(self.spawned)
        if not waiting:
            drain_in_turn(self._alive(), then)
            return

        def one_less() -> None:
            nonlocal waiting
            waiting -= 1
            if not waiting:
                drain_in_turn(self._alive(), then)

        for child in list(self.spawned.values()):
            child.drain(one_less)

    def announce(self, reason: str) -> None:
        """Nobody monitors a supervisor."""

    def end(self, reason: str) -> None:
        """Ends all children for good, now, last first."""
        self._halt()
        for child in [*self._alive(), *self.spawned.values()][::-1]:
            child.end(reason)
        self.system.supervisors.pop(self.address, None)
        self.parent.forget(self)

    # --- children ---

    def spawn(self, spec: ChildSpec) -> None:
        """Starts a temporary child: O(1), as is its end."""
        if spec.restart is not Restart.TEMPORARY:
            raise ValueError(f"{spec.address}: only temporary children can be spawned")
        child = self.system.make_cell(spec, self)
        self.spawned[spec.address] = child
        child.begin()

    def forget(self, child: Child) -> None:
        """The child has ended for good."""
        if self.spawned.pop(child.address, None) is None:
            self.children[self._places[child.address]] = None

    def child_ended(self, child: Child, end: End, reason: str) -> None:
        """An incarnation of `child` has ended by itself."""
        if self._draining or child.address in self.spawned:
            child.end(reason)
            return
        place = self._places[child.address]
        restart = self.spec.children[place].restart
        now, draw = self.system.clock(), self.system.random()
        match decide(self.spec, restart, place, end, self._history, now, draw):
            case Forget():
                child.end(reason)
            case RestartIn(delay_s):
                child.announce(reason)
                self._restart_later(place, reason, delay_s)
            case Escalate():
                child.announce(reason)
                self._give_up(reason)

    def _begin(self, place: int) -> None:
        child = self.children[place]
        if child is None:
            spec = self.spec.children[place]
            child = self.children[place] = (
                Supervisor(self.system, spec, self)
                if isinstance(spec, SupervisorSpec)
                else self.system.make_cell(spec, self)
            )
        child.begin()

    # --- failures ---

    def _restart_later(self, place: int, reason: str, delay_s: float) -> None:
        """Suspends whom the strategy adds, last first, and restarts all of them by a timer."""
        concerned = victims(self.spec.strategy, place, len(self.children))
        for other in concerned:
            self._cancel(other)
        self._round += 1
        others = [self.children[other] for other in concerned if other != place]
        suspend_in_turn(
            [child for child in others if child is not None],
            f"restarted with {self.spec.children[place].address}",
            partial(self._arm, self._round, place, concerned, delay_s),
        )
        address = self.spec.children[place].address
        logger.warning("%s ended (%s), starts again in %.2f s", address, reason, delay_s)

    def _arm(self, round_: int, place: int, concerned: range, delay_s: float) -> None:
        """The others have ended; unless something newer has been decided, the wait begins."""
        if round_ != self._round:
            return
        at = self.system.clock() + delay_s
        self._timers[place] = self.system.arm(at, partial(self._restart, place, concerned))

    def _restart(self, place: int, concerned: range, _: Timer) -> None:
        del self._timers[place]
        for one in concerned:
            if self.children[one] is not None:
                self.system.restarts += 1
                self._begin(one)

    def _give_up(self, reason: str) -> None:
        logger.error("%s gives up: %s", self.address, reason)
        text = f"{self.address} gave up: {reason}"
        self.suspend(text, partial(self.parent.child_ended, self, End.FAILED, text))

    def _halt(self) -> None:
        """What was decided before is void."""
        self._round += 1
        for place in list(self._timers):
            self._cancel(place)

    def _cancel(self, place: int) -> None:
        timer = self._timers.pop(place, None)
        if timer is not None:
            self.system.cancel(timer)

    def _alive(self) -> list[Child]:
        return [child for child in self.children if child is not None]


Child: TypeAlias = Lifecycle | Supervisor


def suspend_in_turn(children: Sequence[Child], reason: str, then: Then) -> None:
    """Suspends the last first; each has ended before the one before it is asked.

    Temporary children end for good.
    """
    if not children:
        then()
        return
    *earlier, last = children

    def go_on() -> None:
        if last.spec.restart is Restart.TEMPORARY:
            last.end(reason)
        suspend_in_turn(earlier, reason, then)

    last.suspend(reason, go_on)


def drain_in_turn(children: Sequence[Child], then: Then) -> None:
    """Drains the last first; each has ended before the one before it is asked."""
    if not children:
        then()
        return
    *earlier, last = children
    last.drain(partial(drain_in_turn, earlier, then))


def nothing() -> None:
    """What follows when nobody waits."""
