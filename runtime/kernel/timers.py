"""Timers: one heap, with lazy deletion and compaction.

A cancelled timer leaves the table at once and its place in the heap when that is reached; when
the heap is mostly such places, it is built anew.  So both `add` and `cancel` are cheap, and what
is kept is at most twice what is alive.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import TypeAlias

from actors.base import Timer

__all__ = ["Action", "Timers"]

Action: TypeAlias = Callable[[Timer], None]
SMALLEST_WASTE = 64


class Timers:
    """Actions by due time; equal times fire in the order they were added."""

    __slots__ = ("_heap", "_last", "_live")

    def __init__(self) -> None:
        self._heap: list[tuple[float, Timer]] = []
        self._live: dict[Timer, tuple[float, Action]] = {}
        self._last: Timer = 0

    def __len__(self) -> int:
        return len(self._live)

    def __repr__(self) -> str:
        return f"<Timers {len(self._live)} armed, {len(self._heap) - len(self._live)} cancelled>"

    def add(self, at: float, action: Action) -> Timer:
        """Calls `action` with the timer's number once `fire` is called with `at` or later."""
        self._last = timer = self._last + 1
        self._live[timer] = (at, action)
        heappush(self._heap, (at, timer))
        return timer

    def cancel(self, timer: Timer) -> None:
        """Takes `add` back; an unknown or fired timer is ignored."""
        if self._live.pop(timer, None) is not None:
            self._compact()

    def next(self) -> float | None:
        """When the earliest timer is due; None when there is none."""
        heap = self._heap
        while heap and heap[0][1] not in self._live:
            heappop(heap)
        return heap[0][0] if heap else None

    def fire(self, now: float, limit: int) -> None:
        """Calls the actions that are due at `now`, at most `limit` of them, earliest first."""
        for _ in range(limit):
            at = self.next()
            if at is None or at > now:
                return
            timer = heappop(self._heap)[1]
            action = self._live.pop(timer)[1]
            action(timer)

    def _compact(self) -> None:
        if len(self._heap) > 2 * len(self._live) + SMALLEST_WASTE:
            self._heap = [(at, timer) for timer, (at, _) in self._live.items()]
            heapify(self._heap)
