"""The reactor: one epoll and one task for every socket that is served by callback.

A task, a nursery and a cancel scope for each exchange would cost more than the exchange.  Here
sockets are registered with a callback, deadlines go into one heap, and a single trio task waits
for the epoll's own descriptor.  When nothing happens, nothing runs.

The same task drives a system of actors, if it is told to: a :class:`runtime.kernel.Loop`.  What
its sockets brought is handled before it waits again, and what came meanwhile is looked for first.
Other threads wake it through the same epoll.

So that a flood at one socket holds up nobody else, at most 32 socket events are fetched at a time
and the other tasks of the loop have their turn after a millisecond of work.  What was fetched and
not yet delivered is delivered first afterwards: else the sockets at its end would starve.

A closed descriptor's number may be another socket's before the batch is through.  So whatever is
removed hears nothing more of the batch at hand, and neither does what took its number: its own
events come with the next one.
"""

from __future__ import annotations

import logging
import os
import select
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from time import perf_counter
from typing import Final, Protocol

import trio

from actors.base import Timer
from runtime.kernel.loop import AT_ONCE, Turn
from runtime.kernel.timers import Action, Timers

__all__ = ["READ", "WRITE", "Reactor", "Timer"]

logger = logging.getLogger("planhub.reactor")

READ: Final = 0x001
WRITE: Final = 0x004
"""The bits of EPOLLIN and EPOLLOUT."""

EVENTS_A_TURN = 32
WORK_S = 0.001
"""How long callbacks may run before the loop's other tasks have their turn."""

LOOKED_S = 2 * WORK_S


class Ready(Protocol):
    def __call__(self, mask: int, /) -> None: ...


class Failed(Protocol):
    def __call__(self, error: Exception, /) -> None: ...


class _Socket:
    __slots__ = ("events", "failed", "ready")

    def __init__(self, ready: Ready, events: int, failed: Failed | None) -> None:
        self.ready = ready
        self.events = events
        self.failed = failed


class Reactor:
    """Serves sockets and timers while `serve` runs; all methods are for the engine's thread.

    What is added before that waits for it; what is added afterwards hears nothing.  `clock` gives
    seconds and measures work; deadlines go by `trio.current_time()`.
    """

    def __init__(self, *, clock: Callable[[], float] = perf_counter) -> None:
        self._clock = clock
        self._epoll: select.epoll | None = None
        self._sockets: dict[int, _Socket] = {}
        self._batch: list[tuple[int, int]] = []
        self._stale: set[int] = set()
        self._timers = Timers()
        self._looked_at = -inf
        self._bell: int | None = None
        self._thread = 0
        self._waiting = False
        self._waking = threading.RLock()  # a signal's handler may wake amid a wake-up
        self._alarm = trio.CancelScope()
        self._alarm_at = inf

    def __repr__(self) -> str:
        return f"<Reactor: {len(self._sockets)} sockets, {len(self._timers)} timers>"

    @staticmethod
    def available() -> bool:
        """Whether this platform has what it takes: an epoll."""
        return hasattr(select, "epoll")

    # --- sockets ---

    def add(
        self, fd: int, ready: Ready, events: int = READ, *, failed: Failed | None = None
    ) -> None:
        """Calls `ready(mask)` whenever `fd` is ready for some of `events`, until it is removed.

        An error or a hang-up counts as all that is watched for: the next read or write tells.  A
        `ready` that raises is logged, loses its socket's place here, and lets `failed` know.
        Raises OSError where the system watches no more.
        """
        assert fd not in self._sockets, "the descriptor's last owner did not remove it"
        if self._epoll is not None and events:
            self._epoll.register(fd, events)
        self._sockets[fd] = _Socket(ready, events, failed)

    def watch(self, fd: int, events: int) -> None:
        """From now on `fd` is watched for `events`; for none, not even for its end."""
        socket = self._sockets[fd]
        if self._epoll is not None and events != socket.events:
            if not events:
                self._epoll.unregister(fd)
            elif socket.events:
                self._epoll.modify(fd, events)
            else:
                self._epoll.register(fd, events)
        socket.events = events

    def remove(self, fd: int) -> None:
        """Call this before `fd` is closed; one that is not here is ignored."""
        if fd in self._sockets:
            self.watch(fd, 0)
            del self._sockets[fd]
            if self._batch:
                self._stale.add(fd)

    def has_just_looked(self, now: float) -> bool:
        """Whether sockets have been heard on all that they had to say a moment before `now`."""
        return not self._batch and now - self._looked_at < LOOKED_S

    # --- timers ---

    def at(self, when: float, action: Action) -> Timer:
        """Calls `action` with this timer once `trio.current_time()` is `when`; never at once."""
        timer = self._timers.add(when, action)
        self._wake_at(when)
        return timer

    def cancel(self, timer: Timer) -> None:
        """Takes `at` back; one that has gone off is ignored."""
        self._timers.cancel(timer)

    def _wake_at(self, when: float) -> None:
        """Too early an alarm costs less than setting it: it is never set to later."""
        if when < self._alarm_at:
            self._alarm_at = self._alarm.deadline = when

    # --- turns ---

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Runs until cancelled."""
        await self.run(lambda: inf, task_status=task_status)

    async def run(
        self, turn: Turn, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """`serve`, and `turn` besides: after each turn of its own, when woken, when it is due."""
        self._thread = threading.get_ident()
        with select.epoll() as self._epoll, self._heard_by(self._epoll):
            try:
                for fd, socket in self._sockets.items():
                    if socket.events:
                        self._epoll.register(fd, socket.events)
                task_status.started()
                while True:
                    await self._run_until_alarm(self._epoll, turn)
            finally:
                self._epoll = None
                self._looked_at = -inf
                self._batch.clear()

    def wake(self) -> None:
        """Any thread; on its own, a turn that is under way is enough."""
        if not self._waiting and threading.get_ident() == self._thread:
            return
        with self._waking:
            if self._bell is not None:
                os.eventfd_write(self._bell, 1)

    @contextmanager
    def _heard_by(self, epoll: select.epoll) -> Iterator[None]:
        """While this lasts, `wake` ends a wait for `epoll`.

        Edge-triggered: each ring is heard once, and nobody needs to read it.
        """
        self._bell = bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        try:
            epoll.register(bell, READ | select.EPOLLET)
            yield
        finally:
            with self._waking:
                self._bell = None
            os.close(bell)

    @trio.lowlevel.enable_ki_protection
    async def _run_until_alarm(self, epoll: select.epoll, turn: Turn) -> None:
        """An interrupt from the keyboard is the host program's, not some socket's failure."""
        with trio.CancelScope() as self._alarm:
            self._alarm_at = inf
            due, until = AT_ONCE, self._clock() + WORK_S
            while True:
                served = self._turn(epoll, until)
                if served or due == AT_ONCE:
                    due = turn()
                    if served < EVENTS_A_TURN and due > AT_ONCE and self._clock() < until:
                        continue
                    await trio.lowlevel.checkpoint()
                    due = AT_ONCE  # whoever had a turn meanwhile may have told something
                else:
                    self._wake_at(min(due, self._next_timer()))
                    await self._readable(epoll)
                until = self._clock() + WORK_S

    async def _readable(self, epoll: select.epoll) -> None:
        self._waiting = True
        try:
            await trio.lowlevel.wait_readable(epoll.fileno())
        finally:
            self._waiting = False

    def _next_timer(self) -> float:
        due = self._timers.next()
        return inf if due is None else due

    def _turn(self, epoll: select.epoll, until: float) -> int:
        """Serves timers, then sockets; says how many.  It ends early once it is `until`."""
        clock, served = self._clock, 0
        now = trio.current_time()
        while self._next_timer() <= now:
            self._fire(now)
            served += 1
            if clock() >= until:
                return served
        batch = self._batch
        if not batch:
            self._stale.clear()
            batch += reversed(epoll.poll(0, EVENTS_A_TURN))
        full = len(batch) == EVENTS_A_TURN
        while batch:
            self._deliver(*batch.pop())
            served += 1
            if clock() >= until:
                break
        if not batch and not full:
            self._looked_at = now
        return served

    def _fire(self, now: float) -> None:
        try:
            self._timers.fire(now, limit=1)
        except Exception as error:  # noqa: BLE001  one timer's failure is not the others'
            _log("a timer", error)

    def _deliver(self, fd: int, mask: int) -> None:
        if fd in self._stale or fd == self._bell:
            return
        socket = self._sockets[fd]
        if mask & ~(READ | WRITE):
            mask = READ | WRITE
        mask &= socket.events
        if not mask:
            return
        try:
            socket.ready(mask)
        except Exception as error:  # noqa: BLE001  one socket's failure is not the others'
            self._fail(fd, socket, error)

    def _fail(self, fd: int, socket: _Socket, error: Exception) -> None:
        _log("a socket's callback", error)
        if self._sockets.get(fd) is socket:
            self.remove(fd)
        if socket.failed is not None:
            try:
                socket.failed(error)
            except Exception as again:  # noqa: BLE001  nobody is left to be told
                _log("a socket's last callback", again)


def _log(what: str, error: Exception) -> None:
    """Where, and not with which words: those may hold what a vendor or a user sent."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else "nowhere"
    logger.error("%s raised %s at %s", what, type(error).__name__, where)
