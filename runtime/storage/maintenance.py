"""Keeping the database small, and a second copy of it; both beside a running engine.

What is pruned is what was asked and answered: runs that ended long ago, their steps, the names by
which they can be asked for again, and the texts of their attempts.  What was spent stays for ever:
accounts, and a row with model, tokens and cost for each attempt; so does how the judges did.  Runs
under way are not touched.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from runtime.storage.database import PRIVATE, StorageError, connect, explained

AT_ONCE = 500
"""Runs that are removed in one transaction: whoever else writes waits no longer than for these."""

OLD = "status <> 'running' AND coalesce(ended_at, started_at) < ?1"
WORDY = "(text IS NOT NULL OR text_hash IS NOT NULL)"
STEPS = "SELECT coalesce(sum(length), 0) FROM steps"
OF_RUNS = "run IN (SELECT value FROM json_each(?1))"


class Pruned(Struct, frozen=True):
    """How much there was to remove; `texts` are answers that nobody had waited for."""

    runs: int
    steps: int
    texts: int


def prune(path: Path, before: float, *, dry_run: bool = False) -> Pruned:
    """Removes what ended before that time, in seconds since the epoch; `dry_run` only counts it.

    Raises :class:`StorageError`.
    """
    with explained(path), closing(connect(path)) as connection:
        if dry_run:
            return _counted(connection, before)
        total = Pruned(0, 0, 0)
        while ids := _some(connection, before):
            removed = _remove(connection, ids)
            total = Pruned(
                total.runs + removed.runs,
                total.steps + removed.steps,
                total.texts + removed.texts,
            )
        return total


def vacuum(path: Path) -> None:
    """Gives the room of what was removed back to the file system; writers wait meanwhile."""
    with explained(path), closing(connect(path)) as connection:
        connection.execute("VACUUM")


def backup(path: Path, to: Path) -> int:
    """Copies the database as it is at one moment, readable by its owner alone; returns the bytes.

    Raises :class:`StorageError` when `to` exists or cannot be written.
    """
    with explained(path), closing(connect(path)) as connection:
        try:
            os.close(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE))
        except FileExistsError:
            raise StorageError(f"{to} exists: name a file that does not") from None
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise StorageError(f"{to} cannot be written: {why}") from error
        try:
            connection.execute("VACUUM INTO ?", (str(to),))
        except sqlite3.Error as error:
            with suppress(FileNotFoundError):
                to.unlink()
            raise StorageError(f"{to} cannot be written: {error}") from error
    return to.stat().st_size


def _counted(connection: sqlite3.Connection, before: float) -> Pruned:
    (runs,) = connection.execute(f"SELECT count(*) FROM runs WHERE {OLD}", (before,)).fetchone()
    old = f"run IN (SELECT id FROM runs WHERE {OLD})"
    (steps,) = connection.execute(f"{STEPS} WHERE {old}", (before,)).fetchone()
    (texts,) = connection.execute(
        f"SELECT count(*) FROM attempts WHERE {WORDY} AND {old}", (before,)
    ).fetchone()
    return Pruned(runs, steps, texts)


def _some(connection: sqlite3.Connection, before: float) -> list[str]:
    rows = connection.execute(f"SELECT id FROM runs WHERE {OLD} LIMIT {AT_ONCE}", (before,))
    return [run for (run,) in rows]


def _remove(connection: sqlite3.Connection, ids: list[str]) -> Pruned:
    runs = (msgspec.json.encode(ids).decode(),)
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        texts = connection.executemany(
            "UPDATE attempts SET text = NULL, text_hash = NULL"
            f" WHERE {WORDY} AND id > ?1 || '.' AND id < ?1 || '/'",
            [(run,) for run in ids],
        ).rowcount
        (steps,) = connection.execute(f"{STEPS} WHERE {OF_RUNS}", runs).fetchone()
        connection.execute(f"DELETE FROM steps WHERE {OF_RUNS}", runs)
        connection.execute(f"DELETE FROM idempotency WHERE {OF_RUNS}", runs)
        gone = connection.execute(
            "DELETE FROM runs WHERE id IN (SELECT value FROM json_each(?1))", runs
        ).rowcount
    return Pruned(gone, steps, texts)
