"""What drives a system's turns: a loop calls them when it is woken or when something is due.

The kernel needs no more than :class:`Parking`, which waits for nothing but that.  Whoever has
sockets to serve as well gives the host a loop that waits for both.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from math import inf
from typing import Final, Protocol, TypeAlias

import trio

__all__ = ["AT_ONCE", "Loop", "Parking", "Turn"]

Turn: TypeAlias = Callable[[], float]
"""Works for a millisecond at most; returns when it wants to be called again, by trio's clock."""

AT_ONCE: Final = -inf


class Loop(Protocol):
    """Calls a :data:`Turn` from one task of trio's, and lets the others have theirs in between."""

    async def run(
        self, turn: Turn, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Calls `turn` at first, when woken and when it wants to be, until cancelled."""

    def wake(self) -> None:
        """Has `turn` called soon; any thread.  In vain while nothing runs."""


class Parking:
    """Parks its task until it is woken or its alarm goes off."""

    def __init__(self) -> None:
        self._thread = 0
        self._token: trio.lowlevel.TrioToken | None = None
        self._parked: trio.lowlevel.Task | None = None

    def __repr__(self) -> str:
        return f"<Parking: {'parked' if self._parked else 'busy'}>"

    async def run(
        self, turn: Turn, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        self._thread = threading.get_ident()
        self._token = trio.lowlevel.current_trio_token()
        task_status.started()
        try:
            while True:
                with trio.CancelScope() as alarm:
                    await self._run_until(alarm, turn)
        finally:
            self._token = None

    @trio.lowlevel.enable_ki_protection
    async def _run_until(self, alarm: trio.CancelScope, turn: Turn) -> None:
        """An interrupt from the keyboard is the host program's, not some actor's failure."""
        while True:
            due = turn()
            if due == AT_ONCE:
                await trio.lowlevel.checkpoint()
                continue
            if due < alarm.deadline:  # too early an alarm costs less than setting it
                alarm.deadline = due
            await self._park()

    async def _park(self) -> None:
        def abort(_: Callable[[], None]) -> trio.lowlevel.Abort:
            self._parked = None
            return trio.lowlevel.Abort.SUCCEEDED

        self._parked = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(abort)

    def wake(self) -> None:
        if threading.get_ident() == self._thread:
            self._unpark()
        elif (token := self._token) is not None:
            with suppress(trio.RunFinishedError):  # nothing is left to be woken
                token.run_sync_soon(self._unpark)

    def _unpark(self) -> None:
        task, self._parked = self._parked, None
        if task is not None:
            trio.lowlevel.reschedule(task)
