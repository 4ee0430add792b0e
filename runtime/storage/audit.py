"""The books, recomputed: does the money add up, and is there an outcome for it and nothing else?

Everything is read as of one moment, beside a running engine or without one.  The rules:

1. The file is whole: SQLite's own check finds nothing, and one ledger has counted its epochs.
2. What an account has spent in a month is the sum of the settled attempts charged to it.
3. Leases, reserved attempts and runs under way are there only while an engine runs; but runs that
   somebody still wants, which the next engine carries on.
4. No outcome without money, no money without outcome: the answers in a run's journal are those of
   its paid attempts, one each, but for answers that nobody had waited for, and those that a run
   leaves behind which failed and was begun again.
5. Each step of a journal has the checksum that it was written with, and none is missing.
6. A run that has ended has an answer or an error.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import msgspec
from msgspec import Struct

from actors.strategies.journal import told_by
from actors.strategies.plan import Answered
from runtime.storage.database import (
    PRIMARY,
    RESTORE,
    InUse,
    StorageError,
    alone,
    connect,
    explained,
)
from runtime.storage.steps import StepsRow, Unreadable, steps_in

MOST_TOLD = 20
"""Findings of one rule that are told one by one."""

BEGIN_AGAIN = "start `planhub serve`: it charges what was cut off, as uncertain"
REPORT = "the books are wrong: keep the file, see `planhub ledger`, and restore a backup"
UNREPLAYABLE = "the run cannot be carried out again; its money is not affected"

CHARGED = """
SELECT owner, window, sum(cost_nano) FROM (
    SELECT coalesce(lease_of, 'installation') AS owner, window, cost_nano FROM attempts
    WHERE status <> 'reserved'
    UNION ALL SELECT 'key:' || key, window, cost_nano FROM attempts
    WHERE status <> 'reserved' AND key IS NOT NULL AND lease_of IS NULL)
GROUP BY owner, window"""

PAID = """
SELECT attempts.run, model, count(*) FROM attempts JOIN runs ON runs.id = attempts.run
WHERE attempts.status IN ('ok', 'invalid') AND text IS NULL AND text_hash IS NULL
AND (strategy <> '' OR EXISTS (SELECT 1 FROM steps WHERE steps.run = attempts.run))
GROUP BY attempts.run, model"""

BEGUN_AGAIN = """
SELECT id FROM runs WHERE wanted AND EXISTS (
    SELECT 1 FROM attempts WHERE attempts.id > runs.id || '.' AND attempts.id < runs.id || '/'
    AND (status = 'cancelled' OR status = 'failed' AND NOT uncertain))"""
"""Runs that may have failed once and been begun again."""

STEPS = """
SELECT run, runs.id, steps.body_hash, number, kind, steps.key, length, steps.body, checksum
FROM steps LEFT JOIN runs ON runs.id = steps.run ORDER BY run, number"""

BODILESS = """
SELECT id FROM runs WHERE status <> 'running' AND body IS NULL AND body_hash IS NULL ORDER BY id"""


class Violation(Struct, frozen=True):
    """What is wrong, where, and what can be done about it; `rule` is short, for a table."""

    rule: str
    where: str
    what: str
    advice: str


class Audit(Struct, frozen=True):
    """`counted` says how much was looked at; `violations` is empty where all is well."""

    engine_runs: bool
    counted: dict[str, int]
    violations: tuple[Violation, ...]


def audit(path: Path) -> Audit:
    """Goes through the whole database.  Raises :class:`StorageError` when it cannot be opened."""
    engine_runs = _engine_runs(path)
    with explained(path), closing(connect(path, read_only=True)) as connection:
        connection.execute("BEGIN")
        try:
            damage = tuple(_damage(connection))
            if damage:
                return Audit(engine_runs, {}, damage)
            left = [] if engine_runs else list(_left_open(connection))
            if left and _engine_runs(path):  # it has just begun
                engine_runs, left = True, []
            wrong = (*_accounts(connection), *_journals(connection), *_endless(connection))
            found = (*left, *wrong)
            return Audit(engine_runs, _counted(connection), found)
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & PRIMARY != sqlite3.SQLITE_CORRUPT:
                raise
            return Audit(engine_runs, {}, (Violation("file", str(path), str(error), RESTORE),))


def refuse_damaged(connection: sqlite3.Connection, path: Path) -> None:
    """Raises :class:`StorageError` for a database whose books must not be gone on with."""
    try:
        damage = next(_damage(connection), None)
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & PRIMARY != sqlite3.SQLITE_CORRUPT:
            raise
        damage = Violation("file", str(path), str(error), RESTORE)
    if damage is not None:
        raise StorageError(
            f"{path} is damaged ({damage.what}): {RESTORE}; `planhub check --audit` says more"
        )


# --- the rules --------------------------------------------------------------------------------


def _damage(connection: sqlite3.Connection) -> Iterator[Violation]:
    for (said,) in connection.execute(f"PRAGMA quick_check({MOST_TOLD})"):
        if said != "ok":
            yield Violation("file", "quick_check", " ".join(str(said).split()), RESTORE)
    epochs = connection.execute("SELECT epoch FROM ledger").fetchall()
    if len(epochs) != 1 or epochs[0][0] < 0:
        yield Violation("file", "ledger", f"it has {len(epochs)} epochs, not one", RESTORE)


def _accounts(connection: sqlite3.Connection) -> Iterator[Violation]:
    charged = {(owner, window): nano for owner, window, nano in connection.execute(CHARGED)}
    rows = connection.execute("SELECT owner, window, spent_nano FROM accounts")
    spent = {(owner, window): nano for owner, window, nano in rows}
    for account in sorted(charged.keys() | spent.keys()):
        said, due = spent.get(account, 0), charged.get(account, 0)
        if said != due:
            what = f"{said} nano-USD are spent, its attempts come to {due}"
            yield Violation("accounts", " ".join(account), what, REPORT)


def _left_open(connection: sqlite3.Connection) -> Iterator[Violation]:
    """What an engine that runs no more has left, and the next one closes."""
    for what, query in (
        ("is leased", "SELECT owner || ' ' || window FROM accounts WHERE leased_nano <> 0"),
        ("is reserved", "SELECT id FROM attempts WHERE status = 'reserved'"),
        ("is running", "SELECT id FROM runs WHERE status = 'running' AND NOT wanted"),
    ):
        for (where,) in connection.execute(f"{query} LIMIT {MOST_TOLD}"):
            yield Violation("left open", where, f"{what}, but no planhub runs", BEGIN_AGAIN)


def _journals(connection: sqlite3.Connection) -> Iterator[Violation]:
    """Reads every step once, in order; then sets the answers against the money."""
    answered: defaultdict[str, Counter[str]] = defaultdict(Counter)
    unread: set[str] = set()
    last = ("", 0)
    for run, known, body_hash, *columns in connection.execute(STEPS):
        row = StepsRow(*columns)
        problems = list(_place(run, row.number, known, last))
        last = (run, row.number + row.length - 1)
        try:
            if row.body is None and body_hash is not None:
                unread.add(run)
            else:
                answered[run].update(_answerers(run, row))
        except Unreadable as error:
            problems.append(str(error))
            unread.add(run)
        for problem in problems:
            yield Violation("journal", f"{run} {row}", problem, UNREPLAYABLE)
    begun_again = {run for (run,) in connection.execute(BEGUN_AGAIN)}
    yield from _unmatched(answered, _paid(connection), unread, begun_again)


def _place(run: str, number: int, known: str | None, last: tuple[str, int]) -> Iterator[str]:
    """What is wrong with where this step stands; `last` is the one before it."""
    if known is None:
        yield "its run is not there"
    if number != (expected := last[1] + 1 if last[0] == run else 1):
        yield f"step {expected} is missing"


def _answerers(run: str, row: StepsRow) -> list[str]:
    """The models whose answers these steps brought."""
    steps = [step for step in steps_in(run, row) if step.kind == "answer"]
    try:
        told = map(told_by, steps)
        return [each.model.id for each in told if isinstance(each, Answered)]
    except msgspec.DecodeError as error:
        raise Unreadable(f"it cannot be read: {error}") from error


def _unmatched(
    answered: Mapping[str, Counter[str]],
    paid: Mapping[str, Counter[str]],
    unread: set[str],
    begun_again: set[str],
) -> Iterator[Violation]:
    for run in sorted((answered.keys() | paid.keys()) - unread):
        said, bought = answered.get(run, Counter()), paid.get(run, Counter())
        for model, times in sorted((said - bought).items()):
            what = f"{times} answers of {model} are in the journal and were not paid"
            yield Violation("outcome without money", run, what, REPORT)
        for model, times in sorted((bought - said).items() if run not in begun_again else ()):
            what = f"{times} answers of {model} were paid and are not in the journal"
            yield Violation("money without outcome", run, what, REPORT)


def _paid(connection: sqlite3.Connection) -> dict[str, Counter[str]]:
    paid: dict[str, Counter[str]] = {}
    for run, model, times in connection.execute(PAID):
        paid.setdefault(run, Counter())[model] += times
    return paid


def _endless(connection: sqlite3.Connection) -> Iterator[Violation]:
    for (run,) in connection.execute(BODILESS):
        yield Violation("runs", run, "it has ended in neither answer nor error", REPORT)


# --- small change -----------------------------------------------------------------------------


def _engine_runs(path: Path) -> bool:
    if not path.exists():
        return False
    try:
        with alone(path):
            return False
    except InUse:
        return True


def _counted(connection: sqlite3.Connection) -> dict[str, int]:
    tables = {t: f"SELECT count(*) FROM {t}" for t in ("accounts", "runs", "attempts")}
    tables["steps"] = "SELECT coalesce(sum(length), 0) FROM steps"
    return {table: connection.execute(sql).fetchone()[0] for table, sql in tables.items()}
