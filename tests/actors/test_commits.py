"""A run that nobody will ask for again is written with its end, or when it takes its time."""

from __future__ import annotations

from actors.commits import COLLECT_S
from actors.protocol import (
    AttemptReleased,
    AttemptReserved,
    AttemptSettled,
    Commit,
    LeaseReturned,
    LeaseTaken,
    Record,
    RunBegan,
    RunClosed,
    Step,
    StepTaken,
)
from tests.actors.desk import Desk

TAKEN = Record("a", (Step(1, "answer", 1, b"told"),))


def begun(desk: Desk, run: str = "a", *, wanted: bool = False) -> None:
    """A run whose lease is durable, with a call under way."""
    desk.admit(run, 100, wanted=wanted)
    desk.store_all()
    desk.reserve(f"{run}.1", 40)


def sent(desk: Desk) -> list[list[type]]:
    """What each commit that storage has not taken would write."""
    return [[type(write) for write in commit.writes] for commit in desk.inbox]  # type: ignore[union-attr]


def test_a_run_is_written_whole_with_its_end() -> None:
    """Nothing goes to storage meanwhile; a call that was settled was never reserved."""
    desk = Desk(1_000)
    begun(desk)
    desk.settle("a.1", 30)
    desk.tell(TAKEN)
    desk.reserve("a.2", 40)
    desk.release("a.2")
    assert not desk.inbox
    desk.end("a")
    assert sent(desk) == [[RunBegan, AttemptSettled, StepTaken, RunClosed, LeaseReturned]]


def test_a_run_that_is_wanted_waits_for_nothing() -> None:
    """Whoever carries it on must know what it had sent."""
    desk = Desk(1_000)
    begun(desk, wanted=True)
    desk.store_all()
    assert [write.attempt for write in desk.writes(AttemptReserved)] == ["a.1"]


def test_a_call_that_takes_its_time_is_on_record() -> None:
    """So that after a crash it is listed by its name; then its end is written too."""
    desk = Desk(1_000)
    begun(desk)
    desk.wait(COLLECT_S)
    desk.wait(COLLECT_S)
    assert sent(desk) == [[RunBegan, AttemptReserved]]
    desk.store_all()
    desk.release("a.1")
    desk.store_all()
    assert desk.writes(AttemptReleased) == [AttemptReleased("a.1")]


def test_runs_are_written_as_they_age() -> None:
    """One that has just begun waits on."""
    desk = Desk(1_000)
    begun(desk, "old")
    desk.wait(COLLECT_S)
    desk.wait(0.01)
    begun(desk, "young")
    desk.wait(COLLECT_S - 0.01)
    desk.store_all()
    assert [write.order.run for write in desk.writes(RunBegan)] == ["old"]
    desk.wait(COLLECT_S)
    desk.store_all()
    assert [write.order.run for write in desk.writes(RunBegan)] == ["old", "young"]


def test_a_ledger_that_ends_in_order_writes_what_was_collected() -> None:
    """Whatever is in flight."""
    desk = Desk(1_000)
    begun(desk)
    desk.end("a")
    begun_with = len(desk.inbox)
    desk.admit("b", 10)
    desk.ledger.stopped("shutdown")
    desk._collect()
    assert len(desk.inbox) == begun_with + 1
    assert RunBegan in sent(desk)[-1]


def test_a_ledger_that_falls_over_writes_what_stands_alone() -> None:
    """Behind a commit that may be lost: whole runs, but of none the rest."""
    desk = Desk(1_000)
    begun(desk, "half")
    desk.linger()
    desk.settle("half.1", 30)
    begun(desk, "whole")
    desk.settle("whole.1", 30)
    desk.reserve("whole.2", 500)
    assert sent(desk) == [[LeaseTaken]]
    desk.ledger.stopped("KeyError: 'x'")
    desk._collect()
    (_, last) = desk.inbox
    assert isinstance(last, Commit)
    assert {write.run for write in last.writes if isinstance(write, AttemptSettled)} == {"whole"}
    assert [type(write) for write in last.writes] == [RunBegan, AttemptSettled, AttemptReserved]
