"""The way into a system from other threads: one queue, one wake-up for all since the last."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable

__all__ = ["Handover"]

logger = logging.getLogger("planhub.kernel")


class Handover:
    """Calls to be made on the system's thread, in the order they were handed over.

    Without locks: `deque` is safe under threads, and whoever is raced wakes once too often rather
    than once too seldom, because a call lies in the queue before the flag is looked at.
    """

    __slots__ = ("_woken", "calls", "wake")

    def __init__(self, wake: Callable[[], None]) -> None:
        self.wake = wake
        self.calls: deque[Callable[[], None]] = deque()
        self._woken = False

    def __len__(self) -> int:
        return len(self.calls)

    def put(self, call: Callable[[], None]) -> None:
        """Any thread."""
        self.calls.append(call)
        if not self._woken:
            self._woken = True
            self.wake()

    def begin(self) -> None:
        """The driver is about to look: what comes from now on wakes it again."""
        self._woken = False

    def make(self, limit: int) -> None:
        """Makes at most `limit` of the calls; one that raises hinders none of the others."""
        for _ in range(limit):
            try:
                call = self.calls.popleft()
            except IndexError:
                return
            try:
                call()
            except Exception:
                logger.exception("a call from another thread failed")
