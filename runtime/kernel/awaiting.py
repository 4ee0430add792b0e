"""Waiting for a settlement inside trio or asyncio, whichever runs the caller."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

import trio

__all__ = ["LoopBridge", "Settling", "settled"]


class Settling(Protocol):
    """What is waited for: something that calls back once, on any thread."""

    def add_done_callback(self, callback: Callable[[Any], None]) -> None: ...

    def remove_done_callback(self, callback: Callable[[Any], None]) -> None: ...


class LoopBridge:
    """Wakes waiters of one asyncio loop from other threads: one wake-up for all since the last."""

    __slots__ = ("_scheduled", "_settled")

    def __init__(self) -> None:
        self._settled: deque[asyncio.Future[None]] = deque()
        self._scheduled = False

    def wake(self, waiter: asyncio.Future[None]) -> None:
        """Any thread."""
        self._settled.append(waiter)
        if not self._scheduled:
            self._scheduled = True
            with suppress(RuntimeError):  # the loop has closed, and its waiters with it
                waiter.get_loop().call_soon_threadsafe(self._drain)

    def _drain(self) -> None:
        self._scheduled = False
        while self._settled:
            waiter = self._settled.popleft()
            if not waiter.done():
                waiter.set_result(None)


async def settled(
    settling: Settling, bridge: Callable[[asyncio.AbstractEventLoop], LoopBridge]
) -> None:
    """Returns once `settling` has called back; cancelling the waiter leaves it as it is."""
    if trio.lowlevel.in_trio_task():
        await _settled_in_trio(settling)
    else:
        await _settled_in_asyncio(settling, bridge)


async def _settled_in_trio(settling: Settling) -> None:
    event = trio.Event()
    token = trio.lowlevel.current_trio_token()
    home = threading.get_ident()

    def wake(_: Any) -> None:
        if threading.get_ident() == home:
            event.set()
            return
        with suppress(trio.RunFinishedError):  # the run is over, and its waiters with it
            token.run_sync_soon(event.set)

    settling.add_done_callback(wake)
    try:
        await event.wait()
    finally:
        settling.remove_done_callback(wake)


async def _settled_in_asyncio(
    settling: Settling, bridge: Callable[[asyncio.AbstractEventLoop], LoopBridge]
) -> None:
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[None] = loop.create_future()
    through = bridge(loop)

    def wake(_: Any) -> None:
        through.wake(waiter)

    settling.add_done_callback(wake)
    try:
        await waiter
    finally:
        settling.remove_done_callback(wake)
