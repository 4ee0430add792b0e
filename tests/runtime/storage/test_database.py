"""Which files are opened, and which are refused with a word that helps."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from runtime.storage.database import StorageError, alone, connect, migrations
from tests.runtime.storage.books import load, opened


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        (number,) = connection.execute("PRAGMA user_version").fetchone()
    return int(number)


def test_a_new_database_has_the_present_schema(tmp_path: Path) -> None:
    """In folders made for it."""
    path = tmp_path / "a" / "b.db"
    connect(path).close()
    assert version(path) == migrations()[-1].number


def test_migrations_are_numbered_without_a_gap() -> None:
    """Each step is taken once, in order."""
    assert [step.number for step in migrations()] == list(range(1, len(migrations()) + 1))


def test_an_older_database_is_brought_forward_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step that fails leaves the version and the tables as they were."""
    path = tmp_path / "planhub.db"
    connect(path).close()
    before, steps = version(path), migrations()
    good = type(steps[0])(before + 1, "CREATE TABLE good (x);")
    bad = type(steps[0])(before + 2, "CREATE TABLE bad (x);\nCREATE TABLE good (x);")
    monkeypatch.setattr("runtime.storage.database.migrations", lambda: [*steps, good, bad])
    with pytest.raises(StorageError, match="already exists"):
        connect(path)
    assert version(path) == before
    monkeypatch.setattr("runtime.storage.database.migrations", lambda: [*steps, good])
    connect(path).close()
    assert version(path) == before + 1


def test_a_journal_of_an_older_schema_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each step as it was, checksum and all."""
    path, steps = tmp_path / "planhub.db", migrations()
    rows = [
        ("b", 1, "answer", 4, None, b"x" * 3000, b"sum"),
        ("a", 1, "expire", 2, *[None] * 2, b""),
    ]
    with monkeypatch.context() as before:
        before.setattr("runtime.storage.database.migrations", lambda: steps[:3])
        with closing(connect(path)) as connection, connection:
            connection.executemany("INSERT INTO steps VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    with closing(connect(path)) as connection:
        kept = (
            "SELECT run, number, kind, key, body_hash, body, checksum FROM steps WHERE length = 1"
        )
        assert sorted(connection.execute(kept)) == sorted(rows)


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    """For reading and for writing; the text says which program to use."""
    path = tmp_path / "planhub.db"
    connect(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 999")
    for read_only in (True, False):
        with pytest.raises(StorageError, match="newer planhub"):
            connect(path, read_only=read_only)


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    """And not overwritten."""
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but somebody's notes\n" * 100)
    for read_only in (True, False):
        with pytest.raises(StorageError, match="is not a database"):
            connect(path, read_only=read_only)
    assert path.read_text().startswith("not a database")


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    """Its tables are left alone."""
    path = tmp_path / "theirs.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    with pytest.raises(StorageError, match="another program"):
        connect(path)


def test_a_place_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    """A folder, for one."""
    with pytest.raises(StorageError, match="cannot be opened"):
        connect(tmp_path)


def test_a_second_engine_is_kept_out(tmp_path: Path) -> None:
    """Two ledgers would spend one limit twice; readers come and go as they like."""
    path = tmp_path / "planhub.db"
    with opened(path) as storage:
        load(storage)
        with pytest.raises(StorageError, match="in use by another planhub"), alone(path):
            pass
        connect(path, read_only=True).close()
    with alone(path):
        pass


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    """Whatever it tries."""
    path = tmp_path / "planhub.db"
    with (
        closing(connect(path, read_only=True)) as reader,
        pytest.raises(sqlite3.OperationalError, match="readonly"),
    ):
        reader.execute("UPDATE ledger SET epoch = 7")
