"""Waking a waiter from another thread: one that waits in trio, in asyncio, or on its own thread."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import Protocol

import trio

__all__ = ["AsyncioBell", "Bell", "ThreadBell", "TrioBell", "bell_here"]


class Bell(Protocol):
    """Rung on any thread, waited for where it was made; rung twice before that is once."""

    def ring(self) -> None: ...

    async def wait(self, within_s: float) -> bool:
        """Whether it is rung within so many seconds, or has been since the last wait."""


class ThreadBell:
    """For a waiter without a loop."""

    def __init__(self) -> None:
        self._rung = threading.Event()

    def ring(self) -> None:
        self._rung.set()

    def wait(self, within_s: float) -> bool:
        rung = self._rung.wait(within_s)
        self._rung.clear()
        return rung


class TrioBell:
    def __init__(self) -> None:
        self._rung = trio.Event()
        self._token = trio.lowlevel.current_trio_token()

    def ring(self) -> None:
        with suppress(trio.RunFinishedError):  # nobody waits any more
            self._token.run_sync_soon(self._ring)

    def _ring(self) -> None:
        self._rung.set()

    async def wait(self, within_s: float) -> bool:
        with trio.move_on_after(within_s) as waiting:
            await self._rung.wait()
        self._rung = trio.Event()
        return not waiting.cancelled_caught


class AsyncioBell:
    def __init__(self) -> None:
        self._rung = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def ring(self) -> None:
        with suppress(RuntimeError):  # the loop has closed, and nobody waits any more
            self._loop.call_soon_threadsafe(self._rung.set)

    async def wait(self, within_s: float) -> bool:
        try:
            async with asyncio.timeout(within_s):
                await self._rung.wait()
        except TimeoutError:
            return False
        self._rung.clear()
        return True


def bell_here() -> Bell:
    """One for the loop that runs the caller."""
    return TrioBell() if trio.lowlevel.in_trio_run() else AsyncioBell()
