"""What is committed and when, while storage fails, and after a restart."""

from __future__ import annotations

from actors.base import ABSENT
from actors.protocol import (
    Admitted,
    AttemptReserved,
    AttemptSettled,
    BooksLoaded,
    Refused,
    Reserved,
    RunBegan,
    RunClosed,
    RunEnded,
)
from tests.actors.desk import Desk, admitted, refused

# --- commits ---


def test_nothing_follows_a_commit_that_storage_fell_over() -> None:
    """What was in flight may be lost; a journal that goes on behind it would have a gap."""
    desk = Desk(10_000)
    admitted(desk, "a", 100)
    desk.reserve("a.1", 40)
    desk.wait(0.005)
    assert desk.inbox
    desk.settle("a.1", 30)
    in_flight = len(desk.inbox)
    desk.ledger.stopped("restarted with storage")
    desk._collect()
    assert len(desk.inbox) == in_flight


def test_writes_nobody_waits_for_gather_a_little() -> None:
    """One commit for all of them, a few milliseconds later."""
    desk = Desk(10_000)
    admitted(desk, "a", 100)
    desk.reserve("a.1", 40)
    desk.settle("a.1", 30)
    assert not desk.inbox
    desk.wait(0.005)
    (commit,) = desk.inbox
    assert [type(write) for write in commit.writes] == [AttemptReserved, AttemptSettled]  # type: ignore[union-attr]


def test_each_batch_has_its_own_time_to_gather() -> None:
    """What the time was meant for was sent before: the next batch is not sent early."""
    desk = Desk(10_000)
    admitted(desk, "a", 100)
    desk.reserve("a.1", 40)
    desk.wait(0.003)
    desk.admit("wanted", 10, wanted=True)
    desk.store()
    desk.settle("a.1", 30)
    desk.wait(0.003)
    assert not desk.inbox
    desk.wait(0.003)
    (commit,) = desk.inbox
    assert [type(write) for write in commit.writes] == [AttemptSettled]  # type: ignore[union-attr]


# --- storage in trouble ---


def test_a_failed_commit_refuses_those_who_waited_for_it() -> None:
    """And nothing is held for them."""
    desk = Desk(1000)
    desk.admit("a", 100)
    assert desk.store(fail=True) == [Refused("a", "storage", 0, 0, 0, 0)]
    assert desk.figures() == (0, 0)


def test_a_settlement_survives_failed_commits() -> None:
    """It is written with the next commit that succeeds, once, after pauses that grow."""
    desk = Desk(1000)
    admitted(desk, "a", 100)
    desk.reserve("a.1", 100)
    desk.settle("a.1", 30)
    desk.end("a")
    for pause in (0.1, 0.2, 0.4):
        desk.store(fail=True)
        desk.wait(pause - 0.01)
        assert not desk.inbox
        desk.wait(0.01)
    assert desk.store() == [RunEnded("a")]
    assert len(desk.writes(AttemptSettled)) == 1
    assert desk.stored() == (30, 0)


def test_nothing_new_is_promised_while_storage_fails() -> None:
    """It waits in the line, and goes on when storage does."""
    desk = Desk(1000)
    admitted(desk, "a", 100)
    desk.reserve("a.1", 300)
    desk.store(fail=True)
    assert desk.reserve("a.2", 50) == []
    assert not desk.accounts().open
    desk.wait(0.1)
    assert Reserved("a.2", 50, 50, clamped=False) in desk.answers


def test_storage_that_does_not_answer_is_not_waited_for_longer() -> None:
    """Whoever waits is answered in seconds; what was written later is durable later."""
    desk = Desk(1000)
    admitted(desk, "a", 100)
    desk.reserve("a.1", 50)
    desk.settle("a.1", 20)
    desk.end("a")
    desk.admit("b", 100)
    for _ in range(7):
        desk.wait(1.0)
    assert RunEnded("a", durable=False) in desk.answers
    assert Refused("b", "storage", 0, 0, 0, 0) in desk.answers
    desk.store_all()
    desk.wait(2.0)
    desk.store_all()
    assert desk.stored() == (20, 0)
    assert desk.answers.count(RunEnded("a")) == 0


def test_a_clock_may_begin_at_zero() -> None:
    """What waits since then waits no shorter, and no longer, than at any other time."""
    desk = Desk(100)
    desk.context.time = 0.0
    desk.admit("a", 60)
    early = [answer for _ in range(4) for answer in desk.wait(1.0)]
    (late,) = [answer for _ in range(2) for answer in desk.wait(1.0)]
    assert (early, refused(late).owner) == ([], "storage")


def test_while_storage_fails_runs_nobody_recorded_are_not_kept() -> None:
    """The ledger's memory stays bounded: what was refused for storage ends at once."""
    desk = Desk(1000)
    admitted(desk, "a", 100)
    desk.reserve("a.1", 300)
    desk.store(fail=True)
    desk.admit("b", 10)
    assert desk.end("b") == [Refused("b", "storage", 0, 0, 0, 0), RunEnded("b", durable=False)]


def test_a_run_that_waited_while_storage_fails_is_closed_too() -> None:
    """A refusal begins a run in the journal; then its end belongs there as well."""
    desk = Desk(100)
    admitted(desk, "a", 100)
    desk.admit("b", 50)
    desk.reserve("a.1", 40)
    desk.wait(0.005)
    desk.store(fail=True)
    desk.end("b")
    desk.wait(10.0)
    desk.store_all()
    began = [write.order.run for write in desk.writes(RunBegan)]
    assert began == ["a", "b"]
    assert [write.run for write in desk.writes(RunClosed)] == ["b"]


# --- beginning ---


def test_admissions_wait_for_the_books() -> None:
    """A ledger that does not know what was spent grants nothing."""
    desk = Desk(100, started=False)
    assert desk.admit("a", 60) == []
    assert not desk.accounts().open
    desk.store()
    assert desk.accounts().open
    assert desk.store_all() == [Admitted("a", 60)]


def test_books_that_cannot_be_loaded_are_asked_for_again() -> None:
    """After a pause; those who wait are refused in time."""
    desk = Desk(100, started=False)
    desk.admit("a", 60, wait=1.0)
    desk.store(fail=True)
    desk.wait(0.1)
    assert len(desk.inbox) == 1
    assert desk.wait(0.9) == [Refused("a", "storage", 0, 0, 0, 0)]
    desk.store()
    desk.admit("b", 60)
    assert desk.store_all() == [Admitted("b", 60)]


def test_a_new_ledger_knows_what_was_spent_and_counts_lost_leases_as_spent() -> None:
    """Nothing is reopened by a crash."""
    desk = Desk(100)
    admitted(desk, "a", 60)
    desk.reserve("a.1", 50)
    desk.settle("a.1", 20)
    desk.store_all()
    desk.restart()
    desk.store_all()
    assert desk.figures() == (60, 0)
    assert refused(desk.admit("b", 41)[0]).spent_nano == 60


def test_a_successor_closes_the_runs_that_nobody_carries_out() -> None:
    """Their orchestrators crashed, and the ledger before had no time to write that down."""
    desk = Desk(100)
    desk.restart()
    load = desk.inbox.popleft()
    desk.end("told")
    desk.tell(BooksLoaded(load.ticket, 1, (), ("lost", "alive", "told")))
    assert "run:told" not in desk.context.monitored
    assert desk.context.monitored >= {"run:lost", "run:alive"}
    desk.storage.epoch = 1
    desk.down("lost", ABSENT)
    desk.end("alive")
    desk.down("alive", "normal")
    desk.store_all()
    closed = [(write.run, write.status) for write in desk.writes(RunClosed)]
    assert closed == [("told", "complete"), ("lost", "failed"), ("alive", "complete")]


def test_the_first_ledger_leaves_open_runs_to_whoever_carries_them_on() -> None:
    """Their orchestrators are only about to begin."""
    desk = Desk(100, started=False)
    load = desk.inbox.popleft()
    desk.tell(BooksLoaded(load.ticket, 1, (), ("old",)))
    assert "run:old" not in desk.context.monitored


def test_answers_of_an_older_epoch_are_ignored() -> None:
    """They were for another ledger's commits."""
    desk = Desk(100)
    desk.admit("a", 60)
    commit = desk.inbox.popleft()
    desk.restart()
    desk.store()
    desk.admit("b", 30)
    desk.storage_context.take()
    desk.inbox.appendleft(commit)
    assert desk.store() == []
    assert desk.store_all() == [Admitted("b", 30)]
