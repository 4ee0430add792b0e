"""What the readers of streams have in common: :class:`runtime.dialects.port.Deltas`, in part."""

from __future__ import annotations

from runtime.dialects.errors import UNREADABLE
from runtime.dialects.sse import EventReader


class EventDeltas:
    """A dialect says what an event adds.

    One that cannot be read adds nothing: the end complains of it, when the whole is read.
    """

    def __init__(self) -> None:
        self._events = EventReader()
        self.is_stream = False
        self.written = 0

    def feed(self, piece: bytes) -> str:
        return "".join(map(self._read, self._events.feed(piece)))

    def _read(self, data: bytes) -> str:
        self.is_stream = True
        try:
            return self._delta(data)
        except UNREADABLE:
            return ""

    def _delta(self, data: bytes) -> str:
        """The text of an event, its hidden parts counted as `written`; raises UNREADABLE."""
        raise NotImplementedError
