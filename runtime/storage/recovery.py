"""A ledger begins: what the one before left open is closed, within one transaction.

Whatever was leased counts as spent.  The attempts that were reserved and not settled explain it,
each charged its full hold; what they do not explain is charged to an attempt of its own, for calls
may have been sent whose rows were not written yet.

Runs that somebody wants stay open, to be carried on from their journal, if there is one.
"""

from __future__ import annotations

import sqlite3

from actors.domain.money import month_of
from actors.protocol import Account

EXPLAINED = """
coalesce((SELECT sum(held_nano) FROM attempts
          WHERE status = 'reserved' AND attempts.window = accounts.window
          AND (owner = 'installation' OR owner = 'key:' || key)), 0)"""

UNEXPLAINED = f"""
INSERT INTO attempts (id, run, key, mode, role, model, provider, status, window, day, reserved_at,
    settled_at, held_nano, cost_nano, estimated, uncertain, lease_of, error)
SELECT 'lease:' || owner || ':' || window || ':' || ?1,
    '', iif(owner = 'installation', NULL, substr(owner, 5)), '', '', '', '', 'failed',
    window, date(?2, 'unixepoch'), ?2,
    ?2, leased_nano - {EXPLAINED}, leased_nano - {EXPLAINED}, 1, 1, owner,
    'leased when the engine died'
FROM accounts WHERE leased_nano > {EXPLAINED}"""

SPENT = f"""
UPDATE accounts SET spent_nano = spent_nano + max(leased_nano, {EXPLAINED}), leased_nano = 0"""

CHARGED = """
UPDATE attempts SET status = 'failed', cost_nano = held_nano, estimated = 1, uncertain = 1,
    settled_at = ?, error = 'the engine died before it was settled'
WHERE status = 'reserved'"""

INTERRUPTED = """
UPDATE runs SET status = 'failed', http_status = 500, ended_at = ?, body = CAST(json_object(
    'error', 'interrupted', 'code', 'internal', 'id', id) AS BLOB)
WHERE status = 'running' AND (NOT wanted OR "order" IS NULL)"""


def begin(connection: sqlite3.Connection, at: float) -> int:
    """Closes what is open and returns the number of the new epoch."""
    connection.execute("UPDATE ledger SET epoch = epoch + 1")
    (epoch,) = connection.execute("SELECT epoch FROM ledger").fetchone()
    connection.execute(UNEXPLAINED, (epoch - 1, at))
    connection.execute(SPENT)
    connection.execute(CHARGED, (at,))
    connection.execute(INTERRUPTED, (at,))
    return int(epoch)


def close(connection: sqlite3.Connection, run: str, body: bytes, at: float) -> None:
    """Ends a run that cannot be carried on; `body` is the JSON of the error."""
    connection.execute(
        """UPDATE runs SET status = 'failed', http_status = 500, ended_at = ?, body = ?
           WHERE id = ?""",
        (at, body, run),
    )


def standing(connection: sqlite3.Connection, at: float) -> tuple[Account, ...]:
    """The accounts of this month, and of later ones should the clock have stepped back."""
    rows = connection.execute(
        "SELECT owner, window, limit_nano, spent_nano, leased_nano FROM accounts WHERE window >= ?",
        (month_of(at),),
    )
    return tuple(Account(*row) for row in rows)


def running(connection: sqlite3.Connection) -> tuple[str, ...]:
    """The runs left open, once a new epoch has begun."""
    return tuple(id for (id,) in connection.execute("SELECT id FROM runs WHERE status = 'running'"))
