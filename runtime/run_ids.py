"""The ids of runs: 32 hexadecimal digits, nobody can guess one, and they sort by time.

The first 12 digits are the milliseconds since the epoch, the other 20 are random: 80 bits.  Rows of
runs that are under way together so lie together in the database, and a commit touches few pages.
An id tells when its run was asked for; whoever is told an id may ask for `started_at` anyway.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

RANDOM_BYTES = 10
IDS_PER_READ = 256
"""Asking the system for randomness costs more than the rest of an id together."""


class RunIds:
    """Makes them; any thread.  `wall` is in seconds since the epoch."""

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self._unused: list[bytes] = []

    def __repr__(self) -> str:
        return f"<RunIds: {len(self._unused)} at hand>"

    def next(self) -> str:
        while True:
            try:
                random = self._unused.pop()
            except IndexError:
                block = os.urandom(RANDOM_BYTES * IDS_PER_READ)
                starts = range(0, len(block), RANDOM_BYTES)
                self._unused.extend(block[start : start + RANDOM_BYTES] for start in starts)
            else:
                return f"{int(self._wall() * 1000):012x}{random.hex()}"
