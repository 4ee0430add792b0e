"""What is written is there, once, after the answer and after a crash."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from actors.domain.model import Usage
from actors.protocol import (
    Account,
    AttemptReleased,
    Commit,
    CommitFailed,
    Committed,
    LeaseReturned,
    LoadBooks,
    RunClosed,
)
from runtime.storage import reports
from runtime.storage.checkpoints import Checkpoints
from tests.runtime.storage.books import (
    DAY,
    INSTALLATION,
    KEY,
    MONTH,
    NOW,
    USAGE,
    began,
    commit,
    crashed,
    leased,
    load,
    opened,
    reserved,
    settled,
)

BOTH = (KEY, INSTALLATION)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "books" / "planhub.db"


def standing(path: Path) -> dict[str, tuple[int, int]]:
    """What each owner has spent, and has leased."""
    return {row.owner: (row.spent_nano, row.held_nano) for row in reports.limits(path)}


def test_a_run_is_kept_with_its_attempts(path: Path) -> None:
    """Order, outcome, money and body, as they were told."""
    with opened(path) as storage:
        load(storage)
        commit(storage, began("r"), leased(100), reserved("r.1", 60), reserved("r.2", 40))
        commit(storage, settled("r.1", 60, 25, clamped=True), AttemptReleased("r.2"))
        commit(storage, RunClosed("r", "complete", b'{"x":1}', 200, NOW + 2))
        run = reports.run(path, "r")
    assert run is not None
    assert (run.mode, run.request_id, run.status, run.http_status) == (
        "vote",
        "mine",
        "complete",
        200,
    )
    assert (run.started_at, run.ended_at, run.body) == (NOW, NOW + 2, b'{"x":1}')
    assert run.order is not None
    assert b"secret" in run.order
    (attempt,) = run.attempts
    assert (attempt.id, attempt.model, attempt.status, attempt.text) == (
        "r.1",
        "gpt",
        "ok",
        "the answer",
    )
    assert (attempt.held_nano, attempt.cost_nano, attempt.usage) == (60, 25, USAGE)
    assert (attempt.clamped, attempt.truncated, attempt.uncertain) == (1, 0, 0)


def test_a_settlement_turns_lease_into_spending(path: Path) -> None:
    """Under every account charged; what a bill has beyond its hold is spent and was not leased."""
    with opened(path) as storage:
        load(storage)
        commit(storage, began("r", "k"), leased(100), leased(90, KEY))
        commit(storage, settled("r.1", 60, 25, BOTH))
        assert standing(path) == {"installation": (25, 75), "key:k": (25, 65)}
        commit(storage, settled("r.2", 10, 500, BOTH), LeaseReturned(*INSTALLATION, 65))
        assert standing(path) == {"installation": (525, 0), "key:k": (525, 55)}


def test_within_one_commit_the_last_word_counts(path: Path) -> None:
    """Reserved and settled, or reserved and released, in one go."""
    with opened(path) as storage:
        load(storage)
        commit(
            storage,
            *(began("r"), leased(100), reserved("r.1", 50), reserved("r.2", 50)),
            *(settled("r.1", 50, 20), AttemptReleased("r.2")),
        )
        run = reports.run(path, "r")
    assert run is not None
    assert [(attempt.id, attempt.status) for attempt in run.attempts] == [("r.1", "ok")]


def test_a_run_may_begin_and_end_in_one_commit(path: Path) -> None:
    """Once, or again and again: how it stands at the end is what is kept."""
    failed = RunClosed("r", "failed", b"{}", 502, NOW)
    ended = RunClosed("r", "complete", b'{"x":1}', 200, NOW + 2)
    with opened(path) as storage:
        load(storage)
        commit(storage, began("r"), failed, began("r"))
        under_way = reports.run(path, "r")
        commit(storage, began("r"), failed, began("r"), ended, ended)
        run = reports.run(path, "r")
    assert under_way is not None
    assert (under_way.status, under_way.http_status, under_way.body) == ("running", None, None)
    assert run is not None
    assert (run.status, run.http_status, run.body) == ("complete", 200, b'{"x":1}')
    assert (run.mode, run.started_at, run.ended_at) == ("vote", NOW, NOW + 2)


def test_attempts_come_in_their_order_and_of_their_run_alone(path: Path) -> None:
    """The tenth after the second; a run whose id begins alike has its own."""
    with opened(path) as storage:
        load(storage)
        commit(storage, *(reserved(f"r.{n}", 1) for n in (10, 2, 1)), reserved("r1.1", 1))
        run = None if commit(storage, began("r")) is None else reports.run(path, "r")
    assert run is not None
    assert [attempt.id for attempt in run.attempts] == ["r.1", "r.2", "r.10"]


def test_an_end_without_a_beginning_is_kept(path: Path) -> None:
    """A run of a ledger before this one."""
    with opened(path) as storage:
        load(storage)
        commit(storage, RunClosed("r", "failed", b"{}", 402, NOW))
    view = reports.run_view(path, "r")
    assert view is not None
    assert (view.status, view.result, view.error) == ("failed", None, b"{}")


def test_a_batch_is_one_transaction_and_a_bad_commit_spoils_no_other(path: Path) -> None:
    """What cannot be written fails alone, whole; the rest is durable."""
    with opened(path) as storage:
        load(storage)
        bad = settled("r.2", 10, 2**70)
        answers = storage.handle(
            [
                Commit("ledger", "1", 1, (began("a"), leased(100))),
                Commit("ledger", "2", 1, (began("b"), bad)),
                Commit("ledger", "3", 1, (began("c"),)),
            ]
        )
        kinds = [type(answer) for _, answer in answers]
        assert kinds == [Committed, CommitFailed, Committed]
        found = [reports.run(path, run) is not None for run in "abc"]
    assert found == [True, False, True]


def test_a_commit_of_an_older_epoch_is_refused(path: Path) -> None:
    """Its ledger is gone, and its leases are counted already."""
    with opened(path) as storage:
        load(storage)
        assert load(storage).epoch == 2
        failed = commit(storage, leased(100), epoch=1)
        assert isinstance(failed, CommitFailed)
        assert standing(path) == {}


def test_a_count_no_integer_can_hold_does_not_stop_the_books(path: Path) -> None:
    """A vendor's nonsense is written down as a large number."""
    with opened(path) as storage:
        load(storage)
        write = settled("r.1", 10, 5)
        write = type(write)(
            write.run,
            type(write.call)(
                "r.1", "voter", "gpt", "openai", "ok", 1, 0.0, 0.0, Usage(2**64 - 1), 5
            ),
            "",
            NOW,
            (INSTALLATION,),
        )
        assert isinstance(commit(storage, write), Committed)


def test_without_content_only_hashes_and_money_are_kept(path: Path) -> None:
    """No question, no answer, no body; not in any file."""
    with opened(path, store_content=False) as storage:
        load(storage)
        commit(storage, began("r"), leased(100), settled("r.1", 50, 20))
        commit(storage, RunClosed("r", "complete", b'{"plan":"hidden"}', 200, NOW))
        run = reports.run(path, "r")
        files = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert run is not None
    assert (run.order, run.body, run.attempts[0].text) == (None, None, None)
    assert run.attempts[0].cost_nano == 20
    assert not any(word in files for word in (b"secret", b"the answer", b"hidden"))


# --- after a crash ---


def test_after_a_kill_what_was_answered_is_there(path: Path) -> None:
    """And what was leased counts as spent: explained by open attempts, or else without a name."""
    with opened(path) as storage:
        load(storage)
        commit(storage, began("r", "k"), leased(300), leased(250, KEY))
        commit(storage, settled("r.1", 60, 25, BOTH), reserved("r.2", 100, BOTH))
        with opened(crashed(path)) as survivor:
            accounts = load(survivor).accounts
            copy = survivor._path
            rows = reports.ledger_rows(copy)
            unsure = reports.uncertain(copy)
            run = reports.run(copy, "r")
    assert accounts == (
        Account("installation", MONTH, 1000, 300, 0),
        Account("key:k", MONTH, 1000, 250, 0),
    )
    assert {row.attempt: row.charged_nano for row in unsure} == {
        "r.2": 100,
        f"lease:installation:{MONTH}:1": 175,
        f"lease:key:k:{MONTH}:1": 125,
    }
    assert sum(row.spent_nano for row in rows) == 300
    assert sum(row.calls for row in rows) == 2
    assert run is not None
    assert (run.status, run.http_status) == ("failed", 500)
    assert run.body == b'{"error":"interrupted","code":"internal","id":"r"}'


def test_a_ledger_that_returned_its_leases_leaves_nothing_uncertain(path: Path) -> None:
    """Beginning again is then a change of number, and no more."""
    with opened(path) as storage:
        load(storage)
        commit(storage, began("r"), leased(100), settled("r.1", 60, 25))
        commit(
            storage, RunClosed("r", "complete", b"{}", 200, NOW), LeaseReturned(*INSTALLATION, 75)
        )
    with opened(path) as storage:
        loaded = load(storage)
    assert (loaded.epoch, loaded.accounts) == (2, (Account("installation", MONTH, 1000, 25, 0),))
    assert reports.uncertain(path) == ()


def test_months_to_come_are_told_and_past_ones_are_not(path: Path) -> None:
    """A clock that stepped back must not reopen what a later month has spent."""
    with opened(path) as storage:
        load(storage)
        for month in ("2026-10", "2026-11", "2026-12"):
            commit(storage, leased(10, ("installation", month)))
        assert [account.window for account in load(storage).accounts] == ["2026-11", "2026-12"]


# --- trouble ---


def test_a_database_that_cannot_be_written_fails_each_commit(path: Path) -> None:
    """The answer says why, and the storage lives on."""
    with opened(path) as storage:
        load(storage)
        storage._connection.execute("PRAGMA query_only = ON")
        failed = commit(storage, leased(10))
        assert isinstance(failed, CommitFailed)
        assert "readonly" in failed.detail
        ((_, unloaded),) = storage.handle([LoadBooks("ledger", "t", NOW)])
        assert isinstance(unloaded, CommitFailed)
        storage._connection.execute("PRAGMA query_only = OFF")
        assert isinstance(commit(storage, leased(10)), Committed)


def test_a_failure_of_its_own_gives_the_database_free(path: Path) -> None:
    """The next incarnation finds it unlocked."""
    with opened(path) as storage:
        with pytest.raises(KeyError):
            storage.handle([Commit("ledger", "t", 0, ("no write",))])  # type: ignore[arg-type]
        with opened(path) as again:
            assert load(again).epoch == 1


def test_durability_is_the_synchronous_setting(path: Path) -> None:
    """Against a kill, or against a loss of power too."""
    for durability, level in (("process", 1), ("power", 2)):
        with opened(path, durability=durability) as storage:
            assert storage._connection.execute("PRAGMA synchronous").fetchone() == (level,)
            assert storage._connection.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)


def test_the_log_is_moved_into_the_database_beside_the_writer(path: Path) -> None:
    """Without the committing thread doing it, and its thread ends with it."""
    with opened(path) as storage:
        load(storage)
        commit(storage, began("r"))
        before = path.stat().st_size
        checkpoints = Checkpoints(path, pause_s=0.0)
        checkpoints.due()
        while path.stat().st_size == before and checkpoints._thread.is_alive():
            threading.Event().wait(0.001)
        checkpoints.close()
        assert path.stat().st_size > before
        assert not checkpoints._thread.is_alive()
    assert not [t for t in threading.enumerate() if t.name == "planhub checkpoints"]


def test_only_its_owner_may_read_the_files(path: Path) -> None:
    """The log beside the database too."""
    with opened(path) as storage:
        load(storage)
        modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    assert set(modes) == {"planhub.db", "planhub.db-wal", "planhub.db-shm", "planhub.db-lock"}
    assert set(modes.values()) == {0o600}


def test_days_are_those_of_the_reservation(path: Path) -> None:
    """So that a day's rows and a month's account agree."""
    with opened(path) as storage:
        load(storage)
        commit(storage, began("r", "k"), leased(100), settled("r.1", 60, 25, BOTH))
    (row,) = reports.ledger_rows(path)
    assert (row.key, row.model, row.mode, row.day) == ("k", "gpt", "vote", DAY)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT window FROM attempts").fetchall() == [(MONTH,)]
