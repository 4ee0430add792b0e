"""Asks: a future for one reply, under an address of its own for as long as it is open.

An ask is settled exactly once: by the reply, by the end of whom it asked (which the end of the
system is too), or by its deadline.  A reply that comes after that is a dead letter.
"""

from __future__ import annotations

import itertools
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from actors.base import Address, Command, Message, Timer
from runtime.kernel.errors import ActorStopped, AskTimeout

if TYPE_CHECKING:
    from pykka._types import OptExcInfo

    from runtime.kernel.system import System

__all__ = ["PREFIX", "Ask", "Asks", "Settled"]

PREFIX = "ask:"


class Settled(Protocol):
    """What an ask is settled with, once, on the system's thread: a future, or the like of it."""

    def set(self, reply: Any, /) -> None: ...

    def set_exception(self, error: OptExcInfo, /) -> None: ...


class Ask:
    """One open ask; `position` is the place of its command in the mailbox of `target`."""

    __slots__ = ("address", "future", "position", "target", "timer", "watchers")

    def __init__(self, address: Address, target: Address, future: Settled) -> None:
        self.address = address
        self.target = target
        self.future = future
        self.position = 0
        self.timer: Timer = 0
        self.watchers: dict[Address, None] | None = None

    def __repr__(self) -> str:
        return f"<Ask {self.address} of {self.target}>"


class Asks:
    """The open asks of a system."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._open: dict[Address, Ask] = {}
        self._numbers = itertools.count(1)

    def __len__(self) -> int:
        return len(self._open)

    def new_address(self) -> Address:
        """Any thread."""
        return f"{PREFIX}{next(self._numbers)}"

    def get(self, address: Address) -> Ask | None:
        return self._open.get(address)

    def begin(
        self, to: Address, address: Address, command: Command, at: float, future: Settled
    ) -> None:
        """Tells `command`, whose `reply_to` is `address`; the deadline is `at`."""
        system = self._system
        cell = system.cells.get(to)
        if system.ended:
            fail(future, ActorStopped(system.why_ended))
            return
        if cell is None:
            system.dead_letters.record("absent", to, command)
            fail(future, ActorStopped(f"{to} is not there"))
            return
        ask = self._open[address] = Ask(address, to, future)
        ask.timer = system.arm(at, partial(self._expired, ask))
        system.monitors.watch(address, cell)
        system.deliver(to, command)
        ask.position = cell.position

    def answer(self, ask: Ask, message: Message) -> None:
        self._close(ask)
        ask.future.set(message)

    def target_ended(self, ask: Ask, reason: str) -> None:
        self._close(ask)
        fail(ask.future, ActorStopped(f"{ask.target} ended before it answered: {reason}"))

    def _expired(self, ask: Ask, _: Timer) -> None:
        self._close(ask)
        fail(ask.future, AskTimeout(f"{ask.target} did not answer in time"))

    def _close(self, ask: Ask) -> None:
        del self._open[ask.address]
        self._system.cancel(ask.timer)
        self._system.monitors.unwatch(ask.address, ask.target)
        self._system.monitors.announce(ask, "normal", final=True)


def fail(future: Settled, error: Exception) -> None:
    future.set_exception((type(error), error, None))
