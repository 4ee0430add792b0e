"""The one who writes to the database while an engine runs.

It takes all that has arrived as one batch, commits it in one transaction, and answers afterwards:
what it has answered survives the end of the process, or of the power too, as `durability` says.
If the transaction fails each commit of the batch is tried alone, so that a bad one spoils no other.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import ExitStack, closing
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar, Literal

from actors.base import Address, Message
from actors.protocol import (
    BooksLoaded,
    Commit,
    CommitFailed,
    Committed,
    LoadBooks,
    StorageMessage,
    Write,
)
from runtime.kernel.blocking import BlockingActor
from runtime.storage import recovery
from runtime.storage.checkpoints import Checkpoints
from runtime.storage.database import StorageError, alone, connect
from runtime.storage.writing import Rows

__all__ = ["Durability", "SqliteStorage", "StorageError", "connect"]

Durability = Literal["process", "power"]
SYNCHRONOUS: dict[Durability, str] = {"process": "NORMAL", "power": "FULL"}

Reply = tuple[Address, Message]


class SqliteStorage(BlockingActor):
    """Keeps the books in the database at `path`; without `store_content`, no texts."""

    receives: ClassVar[Any] = StorageMessage

    def __init__(
        self, path: Path, *, durability: Durability = "process", store_content: bool = True
    ) -> None:
        self._path = path
        self._synchronous = SYNCHRONOUS[durability]
        self._content = store_content
        self._open = ExitStack()
        self._epoch = 0
        self._connection: sqlite3.Connection
        self._checkpoints: Checkpoints

    def __repr__(self) -> str:
        return f"<SqliteStorage {self._path}: epoch {self._epoch}>"

    def started(self) -> None:
        """Raises :class:`StorageError` when the database cannot be used."""
        with self._open as resources:
            resources.enter_context(alone(self._path))
            self._connection = resources.enter_context(closing(connect(self._path)))
            self._connection.execute(f"PRAGMA synchronous = {self._synchronous}")
            self._connection.execute("PRAGMA wal_autocheckpoint = 0")
            self._checkpoints = resources.enter_context(closing(Checkpoints(self._path)))
            self._open = resources.pop_all()

    def stopped(self) -> None:
        self._open.close()

    def handle(self, batch: Sequence[Message]) -> Sequence[Reply]:
        replies: list[Reply] = []
        try:
            for loads, messages in groupby(batch, lambda message: isinstance(message, LoadBooks)):
                if loads:
                    replies += [self._load(m) for m in messages if isinstance(m, LoadBooks)]
                else:
                    replies += self._commit([m for m in messages if isinstance(m, Commit)])
        except BaseException:
            self._open.close()
            raise
        self._checkpoints.due()
        return replies

    def _commit(self, commits: list[Commit]) -> list[Reply]:
        """One transaction for all, or failing that one for each."""
        current = [commit for commit in commits if commit.epoch == self._epoch]
        problem = self._transact([write for commit in current for write in commit.writes])
        replies: list[Reply] = []
        for commit in commits:
            if commit.epoch != self._epoch:
                failed: str | None = "it is of an older epoch"
            else:
                failed = problem and (self._transact(commit.writes) if current[1:] else problem)
            replies.append((commit.reply_to, _answer(commit, failed)))
        return replies

    def _transact(self, writes: Sequence[Write]) -> str | None:
        """Writes all or nothing; returns why not."""
        try:
            with self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                Rows(writes, content=self._content).apply(self._connection)
        except (sqlite3.Error, OverflowError) as error:
            return str(error)
        return None

    def _load(self, load: LoadBooks) -> Reply:
        try:
            with self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                self._epoch = recovery.begin(self._connection, load.at)
                accounts = recovery.standing(self._connection, load.at)
                running = recovery.running(self._connection)
        except sqlite3.Error as error:
            return load.reply_to, CommitFailed(load.ticket, 0, str(error))
        return load.reply_to, BooksLoaded(load.ticket, self._epoch, accounts, running)


def _answer(commit: Commit, failed: str | None) -> Message:
    if failed is None:
        return Committed(commit.ticket, commit.epoch)
    return CommitFailed(commit.ticket, commit.epoch, failed)
