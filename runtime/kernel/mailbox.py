"""A cell's mailbox: two lanes of msgpack bytes.

The urgent lane (an end heard of, an order to stop) is emptied before the user lane.  A mailbox
never refuses: whether new work may enter is asked of its cell by whoever delivers it.  Lanes exist
only while something lies in them, since ten thousand waiting cells would pay for empty ones.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from pykka._envelope import Envelope

from runtime.kernel.codec import KILL, STOP

__all__ = ["Mailbox"]


class Mailbox:
    """Both lanes, and what pykka asks of an `ActorInbox`.

    `taken` counts the user messages ever taken out, so `position` tells an asker later whether
    its command had been looked at.  `post` takes pykka's envelopes, from any thread.
    """

    __slots__ = ("post", "taken", "urgent", "user")

    def __init__(self) -> None:
        self.taken = 0
        self.urgent: deque[bytes] | None = None
        self.user: deque[bytes] | None = None
        self.post: Callable[[Envelope[Any]], None] | None = None

    def __len__(self) -> int:
        return len(self.urgent or ()) + len(self.user or ())

    def __repr__(self) -> str:
        return f"<Mailbox {len(self.urgent or ())} urgent, {len(self.user or ())} user>"

    @property
    def position(self) -> int:
        """The place of the message that entered last, counted from the mailbox's beginning."""
        return self.taken + len(self.user or ())

    def push_urgent(self, data: bytes, *, first: bool = False) -> None:
        if self.urgent is None:
            self.urgent = deque()
        if first:
            self.urgent.appendleft(data)
        else:
            self.urgent.append(data)

    def forget_incarnation(self) -> None:
        """Drops what was meant for one incarnation: ends it monitored, an order to kill it."""
        if self.urgent:
            self.urgent = deque(data for data in self.urgent if data is STOP)

    def leftovers(self) -> Iterator[bytes]:
        """Takes out what nobody will handle; orders are no messages."""
        lanes = (self.urgent, self.user)
        self.urgent = self.user = None
        for lane in lanes:
            yield from (data for data in lane or () if data is not STOP and data is not KILL)

    # --- pykka's ActorInbox ---

    def put(self, envelope: Envelope[Any], /) -> None:
        assert self.post is not None, "the mailbox belongs to no cell yet"
        self.post(envelope)

    def get(self) -> Envelope[Any]:
        """The next message, urgent ones first; IndexError when empty: it never blocks."""
        if self.urgent:
            return Envelope(self.urgent.popleft())
        if not self.user:
            raise IndexError("empty mailbox")
        self.taken += 1
        return Envelope(self.user.popleft())

    def empty(self) -> bool:
        return not self.urgent and not self.user
