"""Clients that leave before they are answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.types import Receive

LOOK_EVERY_S = 0.25


class Leaving:
    """Notices within two looks that a client has left; used on the server's loop.

    Hearing of it takes a task for each client, which most would not live to use: so only those get
    one that have waited from one look to the next.
    """

    def __init__(self) -> None:
        self._new: list[Watch] = []
        self._seen: list[Watch] = []
        self._looking = False

    def __repr__(self) -> str:
        return f"<Leaving: {len(self._new) + len(self._seen)} not watched yet>"

    def watch(self, receive: Receive, on_left: Callable[[], object]) -> Watch:
        """Has `on_left` called when the client leaves before the watch has ended."""
        watch = Watch(receive, on_left)
        self._new.append(watch)
        if not self._looking:
            self._look_later()
        return watch

    def _look_later(self) -> None:
        self._looking = True
        asyncio.get_running_loop().call_later(LOOK_EVERY_S, self._look)

    def _look(self) -> None:
        for watch in self._seen:
            watch.begin()
        self._seen, self._new = self._new, []
        self._looking = False
        if self._seen:
            self._look_later()


class Watch:
    """One client that waits."""

    __slots__ = ("_on_left", "_receive", "_task")

    def __init__(self, receive: Receive, on_left: Callable[[], object]) -> None:
        self._receive: Receive | None = receive
        self._on_left = on_left
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Without effect once ended."""
        if self._receive is not None:
            self._task = asyncio.ensure_future(left(self._receive))
            self._task.add_done_callback(self._has_left)

    def end(self) -> None:
        self._receive = None
        if self._task is not None:
            self._task.cancel()

    def _has_left(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and self._receive is not None:
            self._on_left()


async def left(receive: Receive) -> None:
    """Returns once the client has left; what it still sends is dropped."""
    while (await receive())["type"] != "http.disconnect":
        pass
