"""The inbox of a blocking cell: filled by the system, emptied in batches by a thread."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from pykka._envelope import Envelope

from runtime.kernel.codec import STOP

__all__ = ["Inbox", "Shift"]

MESSAGES_PER_BATCH = 512


class Shift:
    """One incarnation's thread.  `over` tells it to take no further batch."""

    __slots__ = ("error", "lost", "ordered_to_stop", "over", "thread")

    thread: threading.Thread

    def __init__(self) -> None:
        self.over = False
        self.ordered_to_stop = False
        self.error: BaseException | None = None
        self.lost: list[bytes] = []

    @property
    def leaving(self) -> bool:
        return self.over or self.ordered_to_stop


class Inbox:
    """Encoded messages from the system to the thread; pykka's `ActorInbox` besides.

    `taken` is written by the thread, `accepted` by the system; what was pushed and not passed on
    is the system's own.
    """

    __slots__ = ("_arrived", "_pushed", "_queue", "accepted", "post", "taken")

    def __init__(self) -> None:
        self._pushed: list[bytes] = []
        self._queue: deque[bytes] = deque()
        self._arrived = threading.Condition()
        self.post: Callable[[Envelope[Any]], None] | None = None
        self.accepted = 0
        self.taken = 0

    def push(self, data: bytes) -> bool:
        """Keeps it for `pass_on`; whether that has still to be arranged."""
        self.accepted += 1
        self._pushed.append(data)
        return len(self._pushed) == 1

    def pass_on(self) -> None:
        with self._arrived:
            self._queue += self._pushed
            self._arrived.notify()
        self._pushed.clear()

    def nudge(self) -> None:
        """Has waiting threads look at their shifts again."""
        with self._arrived:
            self._arrived.notify_all()

    def take(self, shift: Shift) -> list[bytes]:
        """What has arrived, up to an order to stop, waited for; nothing once the shift leaves.

        Never for a shift that was abandoned: the next one's thread waits here too.
        """
        batch: list[bytes] = []
        with self._arrived:
            self._arrived.wait_for(lambda: self._queue or shift.leaving)
            while self._queue and not shift.leaving and len(batch) < MESSAGES_PER_BATCH:
                data = self._queue.popleft()
                self.taken += 1
                if data is STOP:
                    shift.ordered_to_stop = True
                else:
                    batch.append(data)
        return batch

    def leftovers(self) -> list[bytes]:
        """Takes out what nobody will handle; orders are no messages."""
        with self._arrived:
            left = [data for data in (*self._queue, *self._pushed) if data is not STOP]
            self._queue.clear()
        self._pushed.clear()
        return left

    # --- pykka's ActorInbox ---

    def put(self, envelope: Envelope[Any], /) -> None:
        assert self.post is not None, "the inbox belongs to no cell yet"
        self.post(envelope)

    def get(self) -> Envelope[Any]:
        """The next message, waited for as long as it takes."""
        with self._arrived:
            self._arrived.wait_for(lambda: self._queue)
            self.taken += 1
            return Envelope(self._queue.popleft())

    def empty(self) -> bool:
        return not self._queue
