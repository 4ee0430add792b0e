"""Reading the books, from any thread or process, beside the engine that writes them.

Amounts are nano-USD.  Each function opens the database anew and raises
:class:`~runtime.storage.database.StorageError` when that cannot be done.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct

from actors.domain.judges import JudgeRecord
from actors.domain.model import Usage
from runtime.runs import RunStatus, RunView
from runtime.storage.database import connect

TOTAL = "(lease_of IS NULL OR lease_of = 'installation')"
"""Attempts that are part of what the installation has spent; a key's lost lease is in both."""


AMONG_KIN = "choice = 'one' AND 0 < kin AND kin < candidates"
"""Verdicts that tell whether a judge favours its own family."""


class UnknownAttempt(LookupError):
    """There is no such attempt, or nothing about it is uncertain."""


class LedgerRow(Struct, frozen=True):
    """What was spent with a model, in a mode, on a day; `key` None: without one.

    `model` and `mode` are empty for what a crash left uncertain without a trace.
    """

    key: str | None
    model: str
    mode: str
    day: str
    calls: int
    spent_nano: int


class LimitRow(Struct, frozen=True):
    """An account; `held_nano` is all that the running ledger may still spend of it."""

    owner: str
    window: str
    limit_nano: int | None
    spent_nano: int
    held_nano: int


class UncertainRow(Struct, frozen=True):
    """A charge for what may have been billed; `run` is empty when even that is unknown."""

    run: str
    attempt: str
    model: str
    charged_nano: int


class AttemptRow(Struct, frozen=True):
    """One attempt of a run, as it was settled; the four flags are 0 or 1.

    `reserved_at` and `settled_at`, None while it is under way, are seconds since the epoch.
    """

    id: str
    role: str
    model: str
    provider: str
    status: str
    attempt: int
    started_ms: float
    latency_ms: float
    held_nano: int
    cost_nano: int
    truncated: int
    clamped: int
    estimated: int
    uncertain: int
    error: str | None
    text: str | None
    reserved_at: float
    settled_at: float | None
    usage: Usage


class RunRow(Struct, frozen=True):
    """A run with its attempts in order; `order` is msgpack, `body` JSON, None if not kept."""

    id: str
    key: str | None
    mode: str
    request_id: str | None
    status: RunStatus
    http_status: int | None
    started_at: float
    ended_at: float | None
    order: bytes | None
    body: bytes | None
    attempts: tuple[AttemptRow, ...] = ()


def ledger_rows(path: Path) -> tuple[LedgerRow, ...]:
    """Spending by key, model, mode and day, latest day first."""
    return _all(
        path,
        LedgerRow,
        f"""SELECT key, model, mode, day, sum(lease_of IS NULL), sum(cost_nano) FROM attempts
            WHERE status <> 'reserved' AND {TOTAL} GROUP BY key, model, mode, day
            ORDER BY day DESC, key, model, mode""",
    )


def judges(path: Path) -> tuple[JudgeRecord, ...]:
    """How models did as judges, in the order of their names."""
    return _all(
        path,
        JudgeRecord,
        f"""SELECT judge, sum(choice <> 'unreadable'), sum(choice = 'tie'), sum(choice = 'none'),
                   sum(narrow), sum(choice = 'unreadable'),
                   sum(coalesce(second_look <> 'failed', 0)),
                   sum(coalesce(second_look = 'flipped', 0)),
                   sum(CASE WHEN {AMONG_KIN} THEN chose_kin ELSE 0 END),
                   sum(CASE WHEN {AMONG_KIN} THEN CAST(kin AS REAL) / candidates ELSE 0.0 END)
            FROM verdicts GROUP BY judge ORDER BY judge""",
    )


def limits(path: Path) -> tuple[LimitRow, ...]:
    """The accounts, with a limit or without, latest month first."""
    return _all(
        path,
        LimitRow,
        """SELECT owner, window, limit_nano, spent_nano, leased_nano FROM accounts
           ORDER BY window DESC, owner = 'installation' DESC, owner""",
    )


def uncertain(path: Path) -> tuple[UncertainRow, ...]:
    """What was charged because nobody knows what was billed."""
    return _all(
        path,
        UncertainRow,
        "SELECT run, id, model, cost_nano FROM attempts WHERE uncertain ORDER BY reserved_at, id",
    )


def held(path: Path) -> int:
    """What the running ledger may still spend without asking the database again."""
    with _reading(path) as connection:
        (nano,) = connection.execute(
            "SELECT coalesce(sum(leased_nano), 0) FROM accounts WHERE owner = 'installation'"
        ).fetchone()
    return int(nano)


def run(path: Path, run_id: str) -> RunRow | None:
    """One run with its attempts; None for one that nobody knows."""
    with _reading(path) as connection:
        found = connection.execute(
            """SELECT id, key, mode, request_id, status, http_status, started_at, ended_at, "order",
                      body FROM runs WHERE id = ?""",
            (run_id,),
        ).fetchone()
        return None if found is None else RunRow(*(*found, tuple(_attempts(connection, run_id))))


def runs_like(path: Path, beginning: str) -> tuple[str, ...]:
    """The ids, ten at most, that begin like this; hexadecimal digits, so no wildcards."""
    with _reading(path) as connection:
        rows = connection.execute(
            "SELECT id FROM runs WHERE id >= ?1 AND id < ?1 || 'g' ORDER BY id LIMIT 10",
            (beginning,),
        )
        return tuple(id for (id,) in rows)


def run_view(path: Path, run_id: str) -> RunView | None:
    """How a run ended; None for one that nobody knows."""
    with _reading(path) as connection:
        found = connection.execute(
            "SELECT id, key, status, http_status, body FROM runs WHERE id = ?", (run_id,)
        ).fetchone()
    if found is None:
        return None
    run_id, key, status, http_status, body = found
    answered = http_status == 200
    result, error = (body, None) if answered else (None, body)
    return RunView(run_id, key, status, result, error, http_status or 500)


def settle_uncertain(path: Path, attempt: str, nano: int) -> None:
    """What an uncertain attempt has really cost, put right in its accounts too.

    A running ledger goes on with what it knows and learns of it when it begins anew.  Raises
    :class:`UnknownAttempt`.
    """
    with closing(connect(path)) as connection, connection:
        connection.execute("BEGIN IMMEDIATE")
        found = connection.execute(
            "SELECT cost_nano, window, key, lease_of FROM attempts WHERE id = ? AND uncertain",
            (attempt,),
        ).fetchone()
        if found is None:
            raise UnknownAttempt(f"{attempt} is no uncertain attempt: `--uncertain` lists them")
        charged, window, key, lease_of = found
        owners = [lease_of] if lease_of else ["installation", *([f"key:{key}"] if key else [])]
        connection.executemany(
            "UPDATE accounts SET spent_nano = spent_nano + ? WHERE owner = ? AND window = ?",
            [(nano - charged, owner, window) for owner in owners],
        )
        connection.execute(
            "UPDATE attempts SET cost_nano = ?, uncertain = 0, estimated = 0 WHERE id = ?",
            (nano, attempt),
        )


def _attempts(connection: sqlite3.Connection, run_id: str) -> Iterator[AttemptRow]:
    """By their ids, `<run>.<n>`: a range of the primary key, `/` being next to `.`."""
    rows = connection.execute(
        """SELECT id, role, model, provider, status, attempt, started_ms, latency_ms,
                  held_nano, cost_nano, truncated, clamped, estimated, uncertain, error, text,
                  reserved_at, settled_at, input_tokens, cache_read_tokens, cache_write_tokens,
                  output_tokens, reasoning_tokens
           FROM attempts WHERE id > ?1 || '.' AND id < ?1 || '/'
           ORDER BY reserved_at, length(id), id""",
        (run_id,),
    )
    for *row, uncached, read, written, output, reasoning in rows:
        usage = Usage(uncached, read, written, output, reasoning)
        yield AttemptRow(*(*row, usage))


def _all(path: Path, kind: type[Any], query: str) -> tuple[Any, ...]:
    with _reading(path) as connection:
        return tuple(kind(*row) for row in connection.execute(query))


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(connect(path, read_only=True)) as connection:
        yield connection
