"""What is read of the journal is what was written, or it is said to be damaged."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from actors.protocol import Order, RunBegan, RunClosed, Step, StepsTaken
from runtime.storage import journal
from runtime.storage.journal import Damaged
from tests.runtime.storage.books import (
    NOW,
    USAGE,
    commit,
    crashed,
    leased,
    load,
    opened,
    reserved,
    settled,
)

STEPS = (Step(1, "answer", 1, b"chosen"), Step(2, "expire", 2, b""), Step(3, "answer", 3, b"text"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "planhub.db"


def order(run: str, **fields: object) -> Order:
    plain = Order(run, "vote", b"[]", 7, 60.0, 0, key="k", strategy="1", wanted=True)
    return replace(plain, **fields)


def written(path: Path, *, content: bool = True) -> None:
    """One run that goes on, with a settled call and one that is open."""
    with opened(path, store_content=content) as storage:
        load(storage)
        began = RunBegan(order("r"), NOW)
        commit(storage, began, leased(100), *(StepsTaken("r", (step,)) for step in STEPS[:2]))
        commit(storage, settled("r.1", 60, 25), StepsTaken("r", STEPS[2:]), reserved("r.10", 40))


def spoiled(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(sql)


def test_a_journal_is_read_as_it_was_written(path: Path) -> None:
    """Order, steps and settled calls; the number of the last attempt counts open ones too."""
    written(path)
    read = journal.load(path, "r")
    assert read is not None
    assert (read.order, read.steps, read.status, read.body) == (order("r"), STEPS, "running", None)
    (record,) = read.records
    assert (record.attempt_id, record.cost_nano, record.usage) == ("r.1", 25, USAGE)
    assert (record.truncated, record.estimated) == (False, False)
    assert read.attempts == 10


def test_a_run_that_nobody_knows(path: Path) -> None:
    """There is no journal of it."""
    written(path)
    assert journal.load(path, "other") is None


def test_without_content_only_money_is_left(path: Path) -> None:
    """No order and no steps, but all records."""
    written(path, content=False)
    read = journal.load(path, "r")
    assert read is not None
    assert (read.order, read.steps, len(read.records)) == (None, (), 1)


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("UPDATE steps SET body = x'00' WHERE number = 3", "the checksum of step 3 does not fit"),
        ("UPDATE steps SET key = 9 WHERE number = 1", "the checksum of steps 1 to 2 does not fit"),
        ("UPDATE steps SET length = 3 WHERE number = 1", "2 steps are told where steps 1 to 3"),
        ("DELETE FROM steps WHERE number = 1", "step 1 is missing"),
        ("UPDATE runs SET \"order\" = x'c1'", "its order cannot be read"),
    ],
)
def test_damage_is_named(path: Path, sql: str, what: str) -> None:
    """What does not fit its checksum is not mistaken for what a run was told."""
    written(path)
    spoiled(path, sql)
    with pytest.raises(Damaged, match=f"run r is damaged: {what}"):
        journal.load(path, "r")


def test_the_runs_of_a_list(path: Path) -> None:
    """Newest first, with what they cost; on demand those of one key alone."""
    with opened(path) as storage:
        load(storage)
        commit(storage, RunBegan(order("old"), NOW), RunBegan(order("new", key=None), NOW + 1))
        commit(storage, leased(100), settled("old.1", 60, 25), settled("old.2", 40, 5))
        commit(storage, RunClosed("old", "complete", b"{}", 200, NOW + 2))
    new, old = journal.runs(path)
    assert (new.id, new.key, new.status, new.cost_nano, new.calls) == ("new", None, "running", 0, 0)
    assert (old.id, old.mode, old.http_status, old.cost_nano, old.calls) == (
        *("old", "vote", 200, 30, 2),
    )
    assert (old.wanted, old.strategy, old.started_at, old.ended_at) == (True, "1", NOW, NOW + 2)
    assert journal.runs(path, limit=1) == [new]
    assert journal.runs(path, key="k") == [old]


def test_only_what_is_wanted_and_goes_on_is_unfinished(path: Path) -> None:
    """Neither what has ended nor what nobody will ask for."""
    with opened(path) as storage:
        load(storage)
        commit(storage, RunBegan(order("ended"), NOW), RunBegan(order("on"), NOW))
        commit(storage, RunBegan(order("unwanted", wanted=False), NOW))
        commit(storage, RunClosed("ended", "failed", b"{}", 502, NOW))
    assert journal.unfinished(path) == ["on"]


def test_names_are_listed_since_a_time(path: Path) -> None:
    """With whose they are, what was asked, and the run that answers."""
    with opened(path) as storage:
        load(storage)
        for run, owner, at in (("a", "k", NOW), ("b", None, NOW + 5)):
            named = order(run, key=owner, idempotency_key="mine", body_hash=b"h")
            commit(storage, RunBegan(named, at))
    assert journal.named(path, NOW) == [
        ("k", "mine", b"h", "a", NOW),
        ("", "mine", b"h", "b", NOW + 5),
    ]
    assert [run for *_, run, _ in journal.named(path, NOW + 1)] == ["b"]


def test_after_a_crash_an_open_call_counts_as_spent(path: Path) -> None:
    """A wanted run goes on, and what it had sent is charged in full; others are closed."""
    written(path)
    with opened(crashed(path)) as survivor:
        load(survivor)
        read = journal.load(survivor._path, "r")
        assert journal.unfinished(survivor._path) == ["r"]
    assert read is not None
    assert read.status == "running"
    assert [(r.attempt_id, r.status, r.cost_nano, r.estimated) for r in read.records] == [
        ("r.1", "ok", 25, False),
        ("r.10", "failed", 40, True),
    ]


def test_a_wanted_run_without_content_is_closed(path: Path) -> None:
    """Nobody could carry it on."""
    written(path, content=False)
    with opened(crashed(path)) as survivor:
        load(survivor)
        read = journal.load(survivor._path, "r")
    assert read is not None
    assert read.status == "failed"


def test_a_run_that_begins_again_brings_its_journal(path: Path) -> None:
    """Whatever it was told before is replaced, even by what the same transaction brings."""
    written(path)
    with opened(path) as storage:
        load(storage)
        closed = RunClosed("r", "failed", b"{}", 502, NOW)
        again = RunBegan(order("r"), NOW, STEPS[:1])
        next_step = Step(2, "answer", 9, b"new")
        late = StepsTaken("r", (Step(4, "answer", 4, b"old"),))
        commit(storage, late, closed, again, StepsTaken("r", (next_step,)), epoch=2)
    read = journal.load(path, "r")
    assert read is not None
    assert (read.steps, read.status) == ((STEPS[0], next_step), "running")
