"""Finds, makes, migrates and opens the database, and keeps a second engine out of it."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from importlib import resources
from pathlib import Path
from typing import NamedTuple

APPLICATION = int.from_bytes(b"plan")
BUSY_S = 5.0
BUSY_PAUSE_S = 0.01
PRIVATE = 0o600
PRIMARY = 0xFF
"""The part of SQLite's error codes that says what kind of error it is."""

RESTORE = "restore a backup (made with `planhub backup`), or move the file away to begin anew"
NAME_ANOTHER = "name a file, in a folder, that you may read and write"
_OBJECTIONS = {
    sqlite3.SQLITE_NOTADB: ("is not a database", "name another file"),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", NAME_ANOTHER),
    sqlite3.SQLITE_READONLY: ("can only be read", NAME_ANOTHER),
    sqlite3.SQLITE_CORRUPT: ("is damaged", RESTORE),
    sqlite3.SQLITE_FULL: ("cannot grow", "make room on its disk and try again"),
    sqlite3.SQLITE_IOERR: ("cannot be read or written", "see to its disk and try again"),
    sqlite3.SQLITE_BUSY: ("is locked", "end the program that holds it and try again"),
}
_PLAIN = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}
"""Of these SQLite's own words say nothing more."""


class StorageError(Exception):
    """The database cannot be used; the text says why, and what to do, in one line."""


class InUse(StorageError):
    """Another engine writes to the database: two ledgers would both spend the same limit."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is in use by another planhub: end it, or use another database")
        self.path = path


class Migration(NamedTuple):
    number: int
    sql: str


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Opens the database, made if need be and brought to the present schema.

    Raises :class:`StorageError` for a file that is no database of this program, that a newer one
    has written, or that cannot be opened.
    """
    with explained(path):
        if not read_only or _version(path) < _present():
            connection = _open(path)
            if not read_only:
                return connection
            connection.close()
        # Whoever shares a connection between threads sees to it that one uses it at a time.
        place = f"{path.resolve().as_uri()}?mode=ro"
        connection = sqlite3.connect(place, BUSY_S, uri=True, check_same_thread=False)
        connection.execute("PRAGMA query_only = ON")
        return connection


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """No other engine writes to this database meanwhile; raises :class:`InUse` if one does."""
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(f"{path}-lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InUse(path) from None
        yield
    finally:
        os.close(lock)


def migrations() -> list[Migration]:
    """The steps to the present schema, in order."""
    folder = resources.files("runtime.storage") / "migrations"
    steps = [
        Migration(int(file.name[:4]), file.read_text())
        for file in folder.iterdir()
        if file.name.endswith(".sql")
    ]
    return sorted(steps)


def _present() -> int:
    return migrations()[-1].number


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        # Never one that exists: closing it would end the locks that SQLite holds in this process.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE))
    connection = sqlite3.connect(path, BUSY_S)
    try:
        _bring_forward(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _bring_forward(connection: sqlite3.Connection, path: Path) -> None:
    """To the present schema.  SQLite does not wait by itself to change the journal's mode."""
    until = time.monotonic() + BUSY_S
    while _check(connection, path) < _present():
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            _migrate(connection)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(BUSY_PAUSE_S)


def _version(path: Path) -> int:
    if not path.exists():
        return 0
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", BUSY_S, uri=True)) as reader:
        return _check(reader, path)


def _check(connection: sqlite3.Connection, path: Path) -> int:
    """The version of its schema; 0 for an empty file.

    Read as of one moment: another connection may be making the database just now.
    """
    connection.execute("BEGIN")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    connection.rollback()
    if tables and application != APPLICATION:
        raise StorageError(f"{path} is a database of another program: name another file")
    if version > _present():
        raise StorageError(
            f"{path} was written by a newer planhub (schema {version}, this one knows "
            f"{_present()}): use that one"
        )
    return int(version)


def _migrate(connection: sqlite3.Connection) -> None:
    """Takes all missing steps in one transaction."""
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        for number, sql in migrations():
            if number > version:
                for statement in _statements(sql):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {number}")
        connection.execute(f"PRAGMA application_id = {APPLICATION}")


def _statements(sql: str) -> Iterator[str]:
    statement = ""
    for line in sql.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """What SQLite and the system object to within, as a :class:`StorageError` with what to do."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & PRIMARY
        what, advice = _OBJECTIONS.get(code, ("cannot be used", ""))
        because = "" if code in _PLAIN else f" ({error})"
        raise StorageError(f"{path} {what}{because}{advice and ': '}{advice}") from error
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise StorageError(f"{path} cannot be opened ({why}): {NAME_ANOTHER}") from error
