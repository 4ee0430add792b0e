"""Moves the write-ahead log into the database from a thread and a connection of its own.

The thread that commits would otherwise stop for it every thousand pages: that is the tail of its
latency.  At most once a second, and only after something was written.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

logger = logging.getLogger("planhub.storage")

PAUSE_S = 1.0
JOIN_S = 5.0


class Checkpoints:
    """Runs from construction to `close`."""

    def __init__(self, path: Path, pause_s: float = PAUSE_S) -> None:
        self._path = path
        self._pause_s = pause_s
        self._due = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="planhub checkpoints", daemon=True)
        self._thread.start()

    def due(self) -> None:
        """Something was written."""
        self._due.set()

    def close(self) -> None:
        self._closing.set()
        self._due.set()
        self._thread.join(JOIN_S)

    def _run(self) -> None:
        with closing(sqlite3.connect(self._path)) as connection:
            while self._due.wait() and not self._closing.wait(self._pause_s):
                self._due.clear()
                try:
                    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                except sqlite3.Error as error:
                    logger.warning("the write-ahead log grows: %s", error)
