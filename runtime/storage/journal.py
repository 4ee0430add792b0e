"""Reading the journal: what each run was asked and told, from any thread or process.

Each function opens the database anew and raises :class:`~runtime.storage.database.StorageError`
when that cannot be done.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from actors.domain.model import Usage
from actors.protocol import CallRecord, Order, Step
from runtime.storage.database import StorageError, connect
from runtime.storage.steps import COLUMNS, StepsRow, Unreadable, steps_in

_ORDER = msgspec.msgpack.Decoder(Order)


class Damaged(StorageError):
    """A run's journal is not what was written."""

    def __init__(self, run: str, what: str) -> None:
        super().__init__(f"the journal of run {run} is damaged: {what}")
        self.run = run


class RunRow(Struct, frozen=True):
    """A run in a list.  Times are seconds since the epoch, `calls` counts attempts."""

    id: str
    key: str | None
    mode: str
    status: str
    http_status: int | None
    started_at: float
    ended_at: float | None
    wanted: bool
    strategy: str
    cost_nano: int
    calls: int


class Journal(Struct, frozen=True):
    """All that is known of a run.  Where no content is kept `order` is None and there are no steps.

    `records` are its settled attempts, `attempts` the number of the last one that was made.
    """

    order: Order | None
    steps: tuple[Step, ...]
    records: tuple[CallRecord, ...]
    attempts: int
    status: str
    body: bytes | None


def runs(path: Path, limit: int = 50, key: str | None = None) -> list[RunRow]:
    """The latest runs, newest first; with `key`, that one's alone."""
    with _reading(path) as connection:
        rows = connection.execute(
            """SELECT id, key, mode, status, http_status, started_at, ended_at, wanted, strategy,
                  (SELECT coalesce(sum(cost_nano), 0) FROM attempts
                   WHERE attempts.id > runs.id || '.' AND attempts.id < runs.id || '/'),
                  (SELECT count(*) FROM attempts
                   WHERE attempts.id > runs.id || '.' AND attempts.id < runs.id || '/')
               FROM runs WHERE ?2 IS NULL OR key = ?2
               ORDER BY started_at DESC, id LIMIT ?1""",
            (limit, key),
        )
        return [_run_row(*row) for row in rows]


def load(path: Path, run: str) -> Journal | None:
    """A run's journal; None for one that nobody knows.  Raises :class:`Damaged`."""
    with _reading(path) as connection:
        connection.execute("BEGIN")
        found = connection.execute(
            'SELECT "order", status, body FROM runs WHERE id = ?', (run,)
        ).fetchone()
        if found is None:
            return None
        order, status, body = found
        steps = () if order is None else tuple(_steps(connection, run))
        attempts = list(_attempts(connection, run))
    return Journal(
        None if order is None else _order(run, order),
        steps,
        tuple(record for number, record in attempts if record is not None),
        max((number for number, _ in attempts), default=0),
        status,
        body,
    )


def unfinished(path: Path) -> list[str]:
    """The runs that go on although somebody wants them after a restart too, oldest first."""
    with _reading(path) as connection:
        rows = connection.execute(
            "SELECT id FROM runs WHERE status = 'running' AND wanted ORDER BY started_at, id"
        )
        return [id for (id,) in rows]


def named(path: Path, since: float) -> list[tuple[str, str, bytes, str, float]]:
    """Who named which run since then: owner, name, hash of the request, run, time; oldest first."""
    with _reading(path) as connection:
        return connection.execute(
            """SELECT owner, name, body_hash, run, at FROM idempotency WHERE at >= ?
               ORDER BY at, owner, name""",
            (since,),
        ).fetchall()


def _run_row(*row: Any) -> RunRow:
    fields = dict(zip(RunRow.__struct_fields__, row, strict=True))
    return RunRow(**{**fields, "wanted": bool(fields["wanted"])})


def _order(run: str, encoded: bytes) -> Order:
    try:
        return _ORDER.decode(encoded)
    except msgspec.DecodeError as error:
        raise Damaged(run, f"its order cannot be read: {error}") from error


def _steps(connection: sqlite3.Connection, run: str) -> Iterator[Step]:
    """In order, each as it was written and none missing."""
    rows = connection.execute(
        f"SELECT body_hash, {COLUMNS} FROM steps WHERE run = ? ORDER BY number", (run,)
    )
    expected = 1
    for body_hash, *columns in rows:
        row = StepsRow(*columns)
        if row.number != expected:
            raise Damaged(run, f"step {expected} is missing")
        if body_hash is not None:
            raise Damaged(run, f"the content of {row} was not kept")
        try:
            yield from steps_in(run, row)
        except Unreadable as error:
            raise Damaged(run, str(error)) from error
        expected += row.length


def _attempts(connection: sqlite3.Connection, run: str) -> Iterator[tuple[int, CallRecord | None]]:
    """Each attempt's number, and its record once it is settled; in the order they were made."""
    rows = connection.execute(
        """SELECT id, role, model, provider, status, attempt, started_ms, latency_ms, cost_nano,
                  truncated, clamped, estimated, error, input_tokens, cache_read_tokens,
                  cache_write_tokens, output_tokens, reasoning_tokens
           FROM attempts WHERE id > ?1 || '.' AND id < ?1 || '/' ORDER BY length(id), id""",
        (run,),
    )
    for id, role, model, provider, status, *rest in rows:
        attempt, started, latency, cost, truncated, clamped, estimated, error, *usage = rest
        record = CallRecord(
            *(id, role, model, provider, status, attempt, started, latency),
            *(Usage(*usage), cost, bool(truncated), bool(clamped), bool(estimated), error),
        )
        yield int(id.rpartition(".")[2]), None if status == "reserved" else record


def _reading(path: Path) -> closing[sqlite3.Connection]:
    return closing(connect(path, read_only=True))
