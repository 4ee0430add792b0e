"""The events of one run: numbered, dated, and kept for those who come later or read slowly."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from actors.events import TERMINAL, AnswerKnown, Event, RunFailed, RunFinished, Text
from runtime.watching.shown import ShownText

__all__ = ["EventLog", "Listener", "WatchedEvent"]

logger = logging.getLogger("planhub.runs")

MOST_BYTES = 1_048_576
"""What is kept of a run besides its last event."""

EVENT_BYTES = 512
"""What an event takes besides its text, as a struct and as JSON."""


class WatchedEvent:
    """One event in its place.  It is encoded when it is first asked for, once for all readers."""

    __slots__ = ("_at", "_event", "_json", "is_last", "name", "seq")

    def __init__(self, event: Event, seq: int, at: float) -> None:
        self.seq = seq
        self.name: str = type(event).__struct_config__.tag  # type: ignore[assignment]
        self.is_last = isinstance(event, TERMINAL)
        self._event = event
        self._at = at
        self._json: bytes | None = None

    def __repr__(self) -> str:
        return f"<WatchedEvent {self.seq} {self.name}>"

    @property
    def json(self) -> bytes:
        """The map that a user sees, as JSON."""
        if self._json is None:
            at = datetime.fromtimestamp(self._at, UTC).isoformat(timespec="milliseconds")
            self._json = msgspec.json.encode(replace(self._event, seq=self.seq, at=at))
        return self._json

    def as_map(self) -> dict[str, Any]:
        """The same as a map of the caller's own."""
        told: dict[str, Any] = msgspec.json.decode(self.json)
        return told

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        match self._event:
            case Text(text=text):
                return EVENT_BYTES + 2 * len(text)
            case RunFinished(result=body) | RunFailed(error=body):
                return EVENT_BYTES + 2 * len(bytes(body))
        return EVENT_BYTES


Listener = Callable[[WatchedEvent], None]


class EventLog:
    """Written on the engine's thread, read on any.

    At most `most_bytes` are kept: the oldest events go first, the last event never.  `wants_text`
    says that somebody has come who would see the answer as it is written.
    """

    def __init__(
        self,
        run: str,
        *,
        seq: int = 0,
        wants_text: bool = False,
        most_bytes: int = MOST_BYTES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.wants_text = wants_text
        self.ended = False
        self.size = 0
        self.lock = threading.Lock()
        self._run = run
        self._seq = seq
        self._most_bytes = most_bytes
        self._clock = clock
        self._kept: list[WatchedEvent] = []
        self._shown = ShownText(run)
        self._listeners: list[Listener] = []

    def __repr__(self) -> str:
        state = "ended" if self.ended else "running"
        return f"<EventLog of {self._run}: {state}, {self._seq} events, {len(self._kept)} kept>"

    # --- what happens ---

    def add(self, event: Event) -> None:
        """Something has happened; after the last event nothing does."""
        match event:
            case AnswerKnown(text=answer):
                self._add_all(self._shown.settles(answer))
            case RunFailed():
                self._add_all((*self._shown.drops(), event))
            case _:
                self._add_all((event,))

    def text_begins(self, attempt: str) -> None:
        """The attempt will write the answer, for all that is known."""
        self._add_all(self._shown.begins(attempt))

    def text(self, attempt: str, delta: str) -> None:
        """The attempt has written more of it."""
        self._add_all(self._shown.grows(attempt, delta))

    def text_fails(self, attempt: str) -> None:
        """The attempt has ended, and what it wrote is not the answer."""
        self._add_all(self._shown.fails(attempt))

    def end(self, *, body: bytes, http_status: int) -> None:
        """The run has ended so, if nobody has said it."""
        if self.ended:
            return
        if http_status == 200:
            self.add(RunFinished(run=self._run, result=Raw(body)))
        else:
            self.add(RunFailed(run=self._run, error=Raw(body), status=http_status))

    def _add_all(self, events: Iterable[Event]) -> None:
        for event in events:
            if not self.ended:
                self._add(event)

    def _add(self, event: Event) -> None:
        with self.lock:
            self._seq += 1
            happened = WatchedEvent(event, self._seq, self._clock())
            self._kept.append(happened)
            self.size += happened.size
            self.ended = happened.is_last
            if self.size > self._most_bytes and not self.ended:
                self._shorten()
            listeners = self._listeners.copy()
        for listener in listeners:
            self._tell(listener, happened)

    def _shorten(self) -> None:
        """Drops the oldest quarter at least, so that it is not done for every event."""
        dropped = 0
        while self.size > self._most_bytes * 3 // 4 and dropped < len(self._kept) - 1:
            self.size -= self._kept[dropped].size
            dropped += 1
        del self._kept[:dropped]

    # --- who watches ---

    def listen(self, listener: Listener) -> None:
        """Has `listener` called with each event from now on, on the engine's thread; one that
        raises is not called again.
        """
        with self.lock:
            self._listeners.append(listener)

    def forget(self, listener: Listener) -> None:
        """Takes :meth:`listen` back."""
        with self.lock:
            self._listeners = [kept for kept in self._listeners if kept != listener]

    def after(self, seq: int, most: int) -> list[WatchedEvent]:
        """At most so many of the kept events that come after number `seq`; with the lock held."""
        if not self._kept or seq >= self._seq:
            return []
        start = max(0, seq + 1 - self._kept[0].seq)
        return self._kept[start : start + most]

    @property
    def last_seq(self) -> int:
        """The number of the latest event; 0 before the first."""
        return self._seq

    def _tell(self, listener: Listener, event: WatchedEvent) -> None:
        try:
            listener(event)
        except Exception:
            logger.exception("what watched run %s failed", self._run)
            self.forget(listener)
