"""A database with a ledger's writes in it, made by hand."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from actors.base import Message
from actors.domain.model import Usage
from actors.protocol import (
    AttemptReserved,
    AttemptSettled,
    BooksLoaded,
    CallRecord,
    Commit,
    LeaseTaken,
    LoadBooks,
    Order,
    RunBegan,
    Write,
)
from runtime.storage.sqlite import SqliteStorage

NOW = 1_793_491_200.0 + 3600
MONTH = "2026-11"
DAY = "2026-11-01"
INSTALLATION = ("installation", MONTH)
KEY = ("key:k", MONTH)
USAGE = Usage(10, 20, 30, 40, 5)


@contextmanager
def opened(path: Path, **options: Any) -> Iterator[SqliteStorage]:
    """A storage that runs, in this thread."""
    storage = SqliteStorage(path, **options)
    storage.started()
    try:
        yield storage
    finally:
        storage.stopped()


def load(storage: SqliteStorage) -> BooksLoaded:
    ((to, loaded),) = storage.handle([LoadBooks("ledger", "books", NOW)])
    assert to == "ledger"
    assert isinstance(loaded, BooksLoaded)
    return loaded


def commit(storage: SqliteStorage, *writes: Write, epoch: int = 1) -> Message:
    """One commit, which has crossed a mailbox."""
    message = Commit("ledger", "t", epoch, writes)
    message = msgspec.msgpack.decode(msgspec.msgpack.encode(message), type=Commit)
    ((_, answer),) = storage.handle([message])
    return answer


def crashed(path: Path) -> Path:
    """The database as a kill at this moment would leave it."""
    copy = path.parent / "after a crash.db"
    for suffix in ("", "-wal"):
        if (found := Path(f"{path}{suffix}")).exists():
            shutil.copy(found, f"{copy}{suffix}")
    return copy


def began(run: str, key: str | None = None) -> RunBegan:
    order = Order(run, "vote", b'[{"content":"secret"}]', 0, 60.0, 0, key=key, request_id="mine")
    return RunBegan(order, NOW)


def leased(amount: int, account: tuple[str, str] = INSTALLATION, limit: int = 1000) -> LeaseTaken:
    return LeaseTaken(*account, amount, limit)


def reserved(
    attempt: str, held: int, charged: tuple[tuple[str, str], ...] = (INSTALLATION,)
) -> AttemptReserved:
    run = attempt.partition(".")[0]
    return AttemptReserved(attempt, run, held, NOW, charged, "voter", "gpt", "openai", "vote")


def settled(
    attempt: str,
    held: int,
    cost: int,
    charged: tuple[tuple[str, str], ...] = (INSTALLATION,),
    **fields: Any,
) -> AttemptSettled:
    call = CallRecord(attempt, "voter", "gpt", "openai", "ok", 1, 5.0, 7.0, USAGE, cost, **fields)
    run = attempt.partition(".")[0]
    return AttemptSettled(
        run, call, "the answer", NOW + 1, charged, held_nano=held, reserved_at=NOW, mode="vote"
    )
