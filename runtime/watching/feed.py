"""One reader's way through the events of a run, at the reader's own pace."""

from __future__ import annotations

from collections.abc import Callable

from runtime.watching.log import EventLog, WatchedEvent

__all__ = ["Feed"]

AT_ONCE = 64


class Feed:
    """The events of a run after number `after`; used from any one thread at a time.

    A reader takes what there is until nothing is left, and waits for `news`, which is called on
    the engine's thread: once, until the reader takes again.  Nothing is queued for him: who is so
    slow that the log has dropped what he has not taken finds that in `missed`.

    A number beyond the latest is of another process, which ran the run before: all is shown.
    """

    def __init__(self, log: EventLog, after: int = 0, news: Callable[[], None] | None = None):
        self._log = log
        self._news = news
        self._told = False
        self.missed = 0
        self.ended = False
        """The last event has been taken."""
        with log.lock:
            self.renumbered = after > log.last_seq
            self._taken = 0 if self.renumbered else after
            self.ended = log.ended and self._taken == log.last_seq
        log.wants_text = True
        log.listen(self._hear)

    def __repr__(self) -> str:
        return f"<Feed of {self._log!r}: {self._taken} taken>"

    def take(self, most: int = AT_ONCE) -> list[WatchedEvent]:
        """What has come, oldest first; empty when there is nothing new.

        `missed` then counts the events before the first of these that are not kept any more.
        """
        with self._log.lock:
            self._told = False
            events = self._log.after(self._taken, most)
        if events:
            self.missed = events[0].seq - self._taken - 1
            self._taken = events[-1].seq
            self.ended = events[-1].is_last
        return events

    def close(self) -> None:
        """No more news."""
        self._log.forget(self._hear)

    def _hear(self, _: WatchedEvent) -> None:
        if self._news is not None and not self._told:
            self._told = True
            self._news()
