"""A server, its keys and a command may all come first to a database that is not there yet."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from runtime.storage.database import connect

TOGETHER = 3


def test_a_new_database_may_be_opened_by_several_at_once(tmp_path: Path) -> None:
    """Nobody takes a database that another connection is making just now for a stranger's."""
    meeting = Barrier(TOGETHER)

    def opened(path: Path, read_only: bool) -> int:
        meeting.wait(timeout=10)
        connection = connect(path, read_only=read_only)
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        connection.close()
        return int(version)

    with ThreadPoolExecutor(TOGETHER) as threads:
        for i in range(40):
            path = tmp_path / f"{i}.db"
            versions = threads.map(opened, [path] * TOGETHER, (False, True, False))
            assert len(set(versions)) == 1
