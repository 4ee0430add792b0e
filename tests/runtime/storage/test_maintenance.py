"""Old runs go, many at a time, and nothing else does; a copy is the database of one moment."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from actors.protocol import RunClosed, Step, StepsTaken
from runtime.storage import reports
from runtime.storage.audit import audit
from runtime.storage.database import StorageError
from runtime.storage.maintenance import AT_ONCE, Pruned, backup, prune
from tests.runtime.storage.books import NOW, began, commit, load, opened, reserved, settled

OLD, NEW = NOW, NOW + 100


def writes(run: str, at: float) -> tuple[Any, ...]:
    return (
        began(run),
        reserved(f"{run}.1", 100),
        settled(f"{run}.1", 100, 30),
        StepsTaken(run, (Step(1, "expire", 1, b""),)),
        RunClosed(run, "complete", b"{}", 200, at),
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """More runs than are removed at once have ended; one lately, one not yet, one is named."""
    database = tmp_path / "books.db"
    with opened(database) as storage:
        load(storage)
        for number in range(AT_ONCE + 20):
            commit(storage, *writes(f"{number:032x}", OLD))
        commit(storage, *writes("f" * 32, NEW))
        commit(storage, began("e" * 32))
        named = began("d" * 32)
        order = replace(named.order, idempotency_key="mine", body_hash=b"x")
        commit(storage, replace(named, order=order), RunClosed("d" * 32, "failed", b"{}", 500, OLD))
    return database


def counted(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def test_what_ended_before_goes(path: Path) -> None:
    """With its steps, texts and names; attempts stay with their costs."""
    limits, attempts = reports.limits(path), counted(path, "attempts")
    expected = Pruned(AT_ONCE + 21, AT_ONCE + 20, AT_ONCE + 20)
    assert prune(path, NEW, dry_run=True) == expected
    assert counted(path, "runs") == AT_ONCE + 23
    assert prune(path, NEW) == expected
    assert [counted(path, table) for table in ("runs", "steps", "idempotency")] == [2, 1, 0]
    assert (reports.limits(path), counted(path, "attempts")) == (limits, attempts)
    assert prune(path, NEW) == Pruned(0, 0, 0)
    assert {violation.rule for violation in audit(path).violations} <= {"left open"}


def test_a_run_under_way_is_never_removed(path: Path) -> None:
    """However old it is."""
    prune(path, NEW + 1e9)
    assert reports.run(path, "e" * 32) is not None
    assert counted(path, "runs") == 1


def test_a_copy_that_cannot_be_written_leaves_nothing(path: Path, tmp_path: Path) -> None:
    """A file that is there stays as it is."""
    there = tmp_path / "there.db"
    there.write_text("mine")
    with pytest.raises(StorageError, match=r"there\.db exists"):
        backup(path, there)
    assert there.read_text() == "mine"
    copy = tmp_path / "copy.db"
    assert backup(path, copy) == copy.stat().st_size
    assert counted(copy, "runs") == counted(path, "runs")
