"""What a cell on the dispatcher and a cell on its own thread have in common: a life.

    STARTING ──► RUNNING ──► WAITING ──► STARTING …      a restart: address and mailbox stay
        └───────────┴───────────┴──────► ENDED           for good: gone from the registry

An *incarnation* is one behaviour, from STARTING to the next WAITING or ENDED.  Its timers and the
monitors it has set end with it.  Whoever monitors the address hears of the end of each
incarnation; an ask whose command is still in the mailbox hears only of the end for good.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any

import pykka

from actors.base import Address, ChildSpec
from runtime.kernel.supervision import End

if TYPE_CHECKING:
    from runtime.kernel.supervisor import Supervisor
    from runtime.kernel.system import System

__all__ = ["Lifecycle", "State", "Then"]

Then = Callable[[], None]


class State(Enum):
    STARTING = "about to start"
    RUNNING = "running"
    WAITING = "between two incarnations"
    ENDED = "ended for good"


class Lifecycle(ABC):
    """The part of a child that its supervisor and those who monitor it deal with."""

    __slots__ = (
        "_stops", "_then", "address", "spec", "state", "supervisor", "system", "watchers",
    )  # fmt: skip

    def __init__(self, system: System, spec: ChildSpec, supervisor: Supervisor) -> None:
        self.system = system
        self.spec = spec
        self.address: Address = spec.address
        self.supervisor = supervisor
        self.state = State.WAITING
        self.watchers: dict[Address, None] | None = None
        self._stops: list[pykka.Future[Any]] | None = None
        self._then: Then | None = None

    def __str__(self) -> str:
        return repr(self)

    # --- for the supervisor; each kind of cell has its own way of doing these ---

    @abstractmethod
    def begin(self) -> None:
        """Starts an incarnation."""

    @abstractmethod
    def suspend(self, reason: str, then: Then) -> None:
        """Ends the incarnation, keeps the mailbox, then calls `then`."""

    @abstractmethod
    def drain(self, then: Then) -> None:
        """Has what is queued handled, within `shutdown_s`, ends for good, then calls `then`."""

    @abstractmethod
    def order_stop(self) -> None:
        """Ends for good before the next message; it is not started again."""

    @abstractmethod
    def order_stop_after_queue(self) -> None:
        """Ends for good once what is queued has been handled; it is not started again."""

    @abstractmethod
    def order_kill(self) -> None:
        """Ends this incarnation as after a failure, before the next message."""

    def announce(self, reason: str) -> None:
        """Tells those who monitor that this incarnation has ended."""
        self.system.monitors.announce(self, reason, final=False)

    def end(self, reason: str) -> None:
        """Ends for good, now: nothing more is handled."""
        if self.state is State.ENDED:
            return
        self._abandon()
        self.state = State.ENDED
        self.system.remove(self)
        self.supervisor.forget(self)
        self.system.monitors.announce(self, reason, final=True)
        self._release()
        stops, self._stops = self._stops, None
        for future in stops or ():
            future.set(True)
        then, self._then = self._then, None
        if then is not None:
            then()

    @abstractmethod
    def _abandon(self) -> None:
        """Ends the incarnation without a word to its behaviour."""

    @abstractmethod
    def _release(self) -> None:
        """Counts what lies in the mailbox as dead letters, and leaves pykka."""

    # --- what happens to it ---

    @property
    @abstractmethod
    def full(self) -> bool:
        """True when new work may not enter."""

    @property
    @abstractmethod
    def position(self) -> int:
        """The place of the message accepted last, counted from the first ever."""

    @property
    @abstractmethod
    def taken(self) -> int:
        """How many messages have left the user lane; an ask beyond that is still queued."""

    @property
    @abstractmethod
    def queued_messages(self) -> int:
        """How many messages wait."""

    @abstractmethod
    def accept(self, data: bytes) -> None:
        """Puts an encoded message into the user lane."""

    @property
    def draining(self) -> bool:
        return self._then is not None

    def settle_on_end(self, future: pykka.Future[Any]) -> None:
        if self._stops is None:
            self._stops = []
        self._stops.append(future)

    def _finished(self, end: End, reason: str) -> None:
        """An incarnation has ended by itself; who is being drained ends with it."""
        if self.draining:
            self.end(reason)
        else:
            self.supervisor.child_ended(self, end, reason)
