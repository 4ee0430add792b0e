"""The audit: books that are right pass, and each way of being wrong is found."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from runtime import Planhub
from runtime.config import complete, parse
from runtime.storage.audit import Audit, audit
from runtime.storage.database import StorageError
from tests.runtime.storage.books import (
    INSTALLATION,
    KEY,
    began,
    commit,
    leased,
    load,
    opened,
    reserved,
    settled,
)

QUICK = complete(
    parse(
        {
            "providers": [
                {"id": "simulated", "dialect": "simulated", "simulated": {"delay_ms": 0, "seed": 7}}
            ]
        }
    ),
    {},
)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A database in which two runs have ended, as bytes."""
    path = tmp_path_factory.mktemp("books") / "planhub.db"
    with Planhub.open(QUICK, database=path) as hub:
        for mode in ("vote", "adversarial"):
            hub.plan("Name three risks", mode=mode)
        assert audit(path).engine_runs
    vacuumed = path.with_name("one file.db")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("VACUUM INTO ?", (str(vacuumed),))
    return vacuumed.read_bytes()


@pytest.fixture
def path(template: bytes, tmp_path: Path) -> Path:
    database = tmp_path / "planhub.db"
    database.write_bytes(template)
    return database


def changed(path: Path, sql: str) -> Audit:
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(sql).rowcount != 0
    return audit(path)


def test_books_of_runs_that_ended_are_right(path: Path) -> None:
    """Also of an engine that runs no more; and it says how much it has looked at."""
    found = audit(path)
    assert found.violations == ()
    assert not found.engine_runs
    assert found.counted["runs"] == 2
    assert found.counted["steps"] > found.counted["attempts"] > 6


@pytest.mark.parametrize(
    ("sql", "rule", "words"),
    [
        ("UPDATE accounts SET spent_nano = spent_nano + 1", "accounts", "its attempts come to"),
        ("UPDATE attempts SET cost_nano = cost_nano + 1", "accounts", "its attempts come to"),
        ("DELETE FROM accounts", "accounts", "0 nano-USD are spent"),
        ("UPDATE accounts SET leased_nano = 5", "left open", "is leased, but no planhub runs"),
        ("UPDATE runs SET status = 'running', wanted = 0", "left open", "is running"),
        ("UPDATE runs SET body = NULL", "runs", "neither answer nor error"),
        ("UPDATE steps SET key = key + 1 WHERE number = 1", "journal", "does not fit"),
        ("UPDATE steps SET body = x'00'", "journal", "does not fit"),
        ("UPDATE steps SET number = number + 1", "journal", "step 1 is missing"),
        ("DELETE FROM runs", "journal", "its run is not there"),
        ("DELETE FROM steps", "money without outcome", "not in the journal"),
        ("DELETE FROM attempts WHERE role = 'voter'", "outcome without money", "not paid"),
        ("UPDATE ledger SET epoch = -1", "file", "epochs"),
        ("DELETE FROM ledger", "file", "it has 0 epochs, not one"),
    ],
)
def test_what_is_wrong_is_found(path: Path, sql: str, rule: str, words: str) -> None:
    """Each with what can be done about it."""
    found = [violation for violation in changed(path, sql).violations if violation.rule == rule]
    assert found
    assert words in found[0].what
    assert found[0].advice


def test_a_crash_leaves_what_the_next_engine_closes(path: Path) -> None:
    """Attempts and leases without an engine are violations; once it has begun anew, none."""
    with opened(path) as storage:
        epoch = load(storage).epoch
        writes = (
            leased(500),
            leased(300, KEY),
            began("r", "k"),
            reserved("r.1", 100, (INSTALLATION, KEY)),
            reserved("r.2", 50, (INSTALLATION, KEY)),
            settled("r.2", 50, 40, (INSTALLATION, KEY), error="x"),
        )
        commit(storage, *writes, epoch=epoch)
        assert audit(path).engine_runs
    left = {violation.what.split(",")[0] for violation in audit(path).violations}
    assert {"is leased", "is reserved", "is running"} <= left
    with opened(path) as storage:
        load(storage)
    assert {v.rule for v in audit(path).violations} <= {"money without outcome"}


def test_a_damaged_file_is_refused_at_the_start(path: Path, template: bytes) -> None:
    """With what to do; the audit finds the damage too."""
    page = int.from_bytes(template[16:18])
    path.write_bytes(template[: 5 * page] + bytes(page) + template[6 * page :])
    assert {violation.rule for violation in audit(path).violations} == {"file"}
    with pytest.raises(StorageError, match=r"is damaged .*: restore a backup"):
        Planhub.open(QUICK, database=path)


def test_a_truncated_file_is_refused_at_the_start(path: Path, template: bytes) -> None:
    path.write_bytes(template[: len(template) // 2])
    with pytest.raises(StorageError, match=r"is damaged .*: restore a backup"):
        Planhub.open(QUICK, database=path)


def test_without_content_the_money_is_audited_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "planhub.db"
    config = complete(
        parse(
            {
                "providers": [{"id": "simulated", "dialect": "simulated"}],
                "journal": {"store_content": False},
            }
        ),
        {},
    )
    with Planhub.open(config, database=path) as hub:
        hub.plan("Name three risks", mode="planning")
    assert audit(path).violations == ()
    assert changed(path, "UPDATE accounts SET spent_nano = 1").violations
