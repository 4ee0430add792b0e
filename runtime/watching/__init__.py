"""Watching runs: their events come together here, and are taken from here by every front end.

`log` numbers and keeps the events of a run, `feed` is one reader's way through them, `shown` keeps
the streamed text in step with the answer, and `gathering` joins what vendors stream into events of
some 30 ms.
"""

from runtime.watching.feed import Feed
from runtime.watching.log import EventLog, WatchedEvent

__all__ = ["EventLog", "Feed", "WatchedEvent"]
