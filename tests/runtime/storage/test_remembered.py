"""What an engine without a database remembers of runs that somebody wants."""

from __future__ import annotations

from actors.protocol import AttemptReserved, Order, RunBegan, RunClosed, Step, StepsTaken
from runtime.storage.remembered import MOST_RUNS, Remembered
from tests.runtime.storage.books import NOW, settled

STEP = Step(1, "answer", 1, b"chosen")


def began(run: str, *, wanted: bool = True, steps: tuple[Step, ...] = ()) -> RunBegan:
    return RunBegan(Order(run, "vote", b"[]", 0, 60.0, 0, wanted=wanted), NOW, steps)


def test_a_failed_run_is_remembered_until_it_is_answered() -> None:
    """With what it was told and what it has paid, which outlives its beginning again."""
    books = Remembered()
    for write in (began("r"), StepsTaken("r", (STEP,)), AttemptReserved("r.3", "r", 60, NOW)):
        books.write(write)
    books.write(settled("r.3", 60, 25))
    books.write(RunClosed("r", "failed", b"{}", 502, NOW))
    kept = books.load("r")
    assert kept is not None
    assert (kept.steps, kept.attempts) == ((STEP,), 3)
    assert [record.cost_nano for record in kept.records] == [25]
    books.write(began("r"))
    again = books.load("r")
    assert again is not None
    assert (again.steps, again.records, again.attempts) == ((), kept.records, 3)
    books.write(RunClosed("r", "complete", b"{}", 200, NOW))
    assert books.load("r") is None


def test_of_others_nothing_is_kept() -> None:
    """Nor of too many: the oldest go."""
    books = Remembered()
    books.write(began("plain", wanted=False))
    books.write(StepsTaken("plain", (STEP,)))
    assert books.load("plain") is None
    for number in range(MOST_RUNS + 1):
        books.write(began(f"r{number}"))
    assert books.load("r0") is None
    assert books.load("r1") is not None
