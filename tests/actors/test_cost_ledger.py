"""The money of a run: what is promised to it, what it costs, and what is left when it ends."""

from __future__ import annotations

from msgspec.structs import replace

from actors.protocol import (
    Admit,
    Admitted,
    AttemptReleased,
    AttemptReserved,
    AttemptSettled,
    EndRun,
    LeaseReturned,
    LeaseTaken,
    Order,
    Refused,
    Reserved,
    RunBegan,
    RunClosed,
    RunEnded,
    Step,
)
from tests.actors.desk import Desk, admitted, refused

# --- what covers a promise ---


def test_a_run_is_admitted_once_its_lease_is_durable() -> None:
    """Nothing may be sent before storage knows of the money it may cost."""
    desk = Desk(1000)
    assert desk.admit("a", 300, 100) == []
    assert desk.store() == [Admitted("a", 300)]
    assert [type(write) for write in desk.written] == [RunBegan, LeaseTaken]
    assert desk.stored() == (0, 300)


def test_a_wanted_run_is_admitted_once_it_can_be_found_again() -> None:
    """Even where its lease is there already; another is admitted at once then."""
    desk = Desk(1_000)
    admitted(desk, "ended", 300)
    admitted(desk, "other", 10)
    desk.end("ended")
    assert [type(answer) for answer in desk.admit("plain", 100)] == [Admitted]
    assert desk.admit("wanted", 100, wanted=True) == []
    assert Admitted in [type(answer) for answer in desk.store_all()]


def test_what_a_run_sends_that_may_be_carried_on_is_written_down_before() -> None:
    """Its own limit has no lease: the next engine knows what was sent from the journal alone."""
    desk = Desk()
    order = Order("a", "vote", b"[]", 0, 60.0, 0, limit_nano=1_000, wanted=True)
    desk.tell(Admit("run:a", "a", order, 100, 100, desk.context.time + 60))
    desk.store_all()
    assert desk.reserve("a.1", 40) == []
    answers = desk.store()
    assert [type(answer) for answer in answers] == [Reserved]
    assert [write.attempt for write in desk.writes(AttemptReserved)] == ["a.1"]


def test_first_calls_are_reserved_with_their_run() -> None:
    """Where all that they want is granted: in one commit, with one answer; the rest is the pot."""
    desk = Desk(1_000)
    assert desk.admit("a", 300, 50, first=(100, 120)) == []
    first = (Reserved("a.1", 100, 100, clamped=False), Reserved("a.2", 120, 120, clamped=False))
    assert desk.store() == [Admitted("a", 300, first)]
    assert [write.attempt for write in desk.writes(AttemptReserved)] == ["a.1", "a.2"]
    assert desk.reserve("a.3", 80) == [Reserved("a.3", 80, 80, clamped=False)]
    assert (desk.figures(), desk.stored()) == ((0, 300), (0, 300))


def test_first_calls_ask_again_where_less_is_granted() -> None:
    """How they share it is not the ledger's to say."""
    desk = Desk(200)
    desk.admit("a", 300, 50, first=(100, 120))
    assert desk.store() == [Admitted("a", 200)]
    assert desk.writes(AttemptReserved) == []
    assert desk.reserve("a.1", 100) == [Reserved("a.1", 100, 100, clamped=False)]


def test_first_calls_of_a_run_that_is_refused_are_released() -> None:
    """Storage may have written them down all the same; whoever was not told has sent nothing."""
    desk = Desk(1_000)
    desk.admit("a", 300, first=(100, 120))
    (answer,) = desk.store(fail=True)
    assert refused(answer).owner == "storage"
    assert desk.figures() == (0, 0)
    desk.wait(0.1)
    desk.store_all()
    assert [write.attempt for write in desk.writes(AttemptReleased)] == ["a.1", "a.2"]


def test_first_calls_may_have_been_sent_once_their_run_is_admitted() -> None:
    """One that crashed before has sent nothing; after, they are charged in full."""
    desk = Desk(1_000)
    desk.admit("a", 300, first=(100,))
    desk.down("a")
    desk.store_all()
    assert desk.figures() == (0, 0)
    desk.admit("b", 300, first=(100,))
    desk.store_all()
    desk.down("b")
    assert desk.figures() == (100, 0)


def test_calls_within_the_pot_wait_for_nothing() -> None:
    """Their money is leased already: they are answered at once."""
    desk = Desk(1000)
    admitted(desk, "a", 300)
    assert desk.reserve("a.1", 100) == [Reserved("a.1", 100, 100, clamped=False)]
    assert desk.reserve("a.2", 150, fixed=50) == [Reserved("a.2", 200, 150, clamped=False)]
    assert desk.figures() == (0, 300)


def test_calls_beyond_the_pot_wait_for_their_lease() -> None:
    """Each promise is covered by a committed lease, or not yet made."""
    desk = Desk(1000)
    admitted(desk, "a", 100)
    assert desk.reserve("a.1", 250) == []
    assert desk.store() == [Reserved("a.1", 250, 250, clamped=False)]
    assert desk.stored() == (0, 250)


def test_without_any_limit_money_is_booked_all_the_same() -> None:
    """What is spent must be known, and what is in flight covered."""
    desk = Desk(None)
    admitted(desk, "a", 100)
    desk.reserve("a.1", 100)
    desk.settle("a.1", 70)
    desk.store_all()
    assert desk.figures() == (70, 0)
    assert desk.figures("run:a") == (70, 0)


def test_a_pot_takes_what_there_is_between_least_and_want() -> None:
    """As much as the headroom allows, and no more than was wanted."""
    desk = Desk(1000)
    admitted(desk, "a", 900)
    desk.admit("b", 300, 50)
    assert desk.store_all() == [Admitted("b", 100)]


def test_fewer_tokens_are_granted_where_the_worst_case_does_not_fit() -> None:
    """Down to the fewest that are of use, and marked; never at another price."""
    desk = Desk(1000)
    admitted(desk, "a", 900)
    assert desk.reserve("a.1", 2000, 64, fixed=100) == []
    assert desk.store() == [Reserved("a.1", 1000, 900, clamped=True)]


def test_asking_twice_holds_once() -> None:
    """The same ticket gets the same answer."""
    desk = Desk(1000)
    admitted(desk, "a", 100)
    assert desk.admit("a", 100) == [Admitted("a", 100)]
    assert desk.reserve("a.1", 30) == desk.reserve("a.1", 30)
    assert desk.figures() == (0, 100)


# --- settling ---


def test_a_hold_becomes_its_cost_with_its_outcome() -> None:
    """Money and outcome are one write; what was held too much is free at once."""
    desk = Desk(1000)
    admitted(desk, "a", 100)
    desk.reserve("a.1", 100)
    desk.settle("a.1", 30)
    assert desk.figures() == (30, 0)
    desk.store_all()
    (settled,) = desk.writes(AttemptSettled)
    assert (settled.call.cost_nano, settled.text, settled.held_nano) == (30, "an answer", 100)
    assert settled.charged == (("installation", "2026-09"),)
    assert desk.stored() == (30, 70)


def test_settling_twice_or_without_a_hold_changes_nothing_and_is_counted() -> None:
    """Neither money nor journal."""
    desk = Desk(1000)
    admitted(desk, "a", 100)
    desk.reserve("a.1", 100)
    desk.settle("a.1", 30)
    desk.settle("a.1", 30)
    desk.settle("a.9", 30)
    desk.store_all()
    assert desk.figures() == (30, 0)
    assert len(desk.writes(AttemptSettled)) == 1
    assert desk.accounts().unknown_settlements == 2


def test_an_overrun_is_settled_in_full_counted_and_closes_the_limit() -> None:
    """A vendor's bill is a fact; the promise holds for those who honour `max_tokens`."""
    desk = Desk(100)
    admitted(desk, "a", 50)
    desk.reserve("a.1", 50)
    desk.settle("a.1", 120)
    desk.store_all()
    assert desk.figures() == (120, 0)
    assert desk.accounts().overruns == 1
    assert desk.admit("b", 1) == [Refused("b", "installation", 100, 120, 0, 1)]


def test_no_bill_gives_money_back() -> None:
    """A vendor's nonsense reopens no limit, and is bounded."""
    desk = Desk(None)
    admitted(desk, "a", 50)
    desk.reserve("a.1", 20)
    desk.reserve("a.2", 20)
    desk.settle("a.1", -(10**9))
    desk.settle("a.2", 10**30 % 2**63)
    desk.store_all()
    assert [write.call.cost_nano for write in desk.writes(AttemptSettled)] == [0, 10**15]


def test_a_released_hold_leaves_no_trace_of_money() -> None:
    """Nothing was sent: nothing is spent."""
    desk = Desk(100)
    admitted(desk, "a", 100)
    desk.reserve("a.1", 100)
    desk.release("a.1")
    desk.release("a.1")
    desk.store_all()
    assert desk.figures() == (0, 0)
    assert desk.writes(AttemptReleased) == [AttemptReleased("a.1")]


# --- the end of a run ---


def test_a_run_has_ended_once_all_it_did_is_durable() -> None:
    """Its last settlement is in the same commit, and so is the lease that nobody needs now."""
    desk = Desk(1000)
    admitted(desk, "a", 100)
    desk.reserve("a.1", 40)
    desk.settle("a.1", 30)
    assert desk.end("a") == []
    assert desk.store() == [RunEnded("a")]
    assert desk.written[-1] == LeaseReturned("installation", "2026-09", 70)
    assert desk.stored() == (30, 0)
    assert desk.context.monitored == set()


def test_a_run_never_admitted_ends_on_record() -> None:
    """Refused, or of a ledger before this one: its end is kept and answered."""
    desk = Desk(1000)
    assert desk.end("a") == []
    assert desk.store() == [RunEnded("a")]
    assert [write.run for write in desk.writes(RunClosed)] == ["a"]


def test_the_end_of_a_run_frees_what_it_still_holds_or_waits_for() -> None:
    """Attempts nobody settled, the pot, and its places in the line."""
    desk = Desk(100)
    admitted(desk, "a", 100)
    desk.reserve("a.1", 60)
    desk.reserve("a.2", 60)
    assert refused(desk.end("a")[0]).ticket == "a.2"
    assert desk.figures() == (0, 0)
    desk.store_all()
    assert desk.stored() == (0, 0)


def test_an_orchestrator_that_ended_normally_holds_nothing_more() -> None:
    """Even if it never said so."""
    desk = Desk(100)
    admitted(desk, "a", 100)
    desk.reserve("a.1", 60)
    desk.down("a", "normal")
    desk.store_all()
    assert desk.figures() == (0, 0)
    assert [write.status for write in desk.writes(RunClosed)] == ["failed"]


def test_an_orchestrator_that_crashed_is_charged_what_may_have_been_sent() -> None:
    """In full and as uncertain; its pot, and what was never granted, is freed."""
    desk = Desk(1000)
    admitted(desk, "a", 100)
    desk.reserve("a.1", 60)
    desk.reserve("a.2", 500)
    desk.down("a")
    desk.store_all()
    (settled,) = desk.writes(AttemptSettled)
    assert settled.uncertain
    assert (settled.call.attempt_id, settled.call.cost_nano, settled.call.model) == (
        "a.1",
        60,
        "gpt",
    )
    assert desk.writes(AttemptReleased) == [AttemptReleased("a.2")]
    assert desk.figures() == (60, 0)
    desk.settle("a.1", 10)
    assert desk.accounts().unknown_settlements == 1


def test_an_orchestrator_that_dies_in_the_line_gives_its_place_up() -> None:
    """The death of one who waits is the turn of the next."""
    desk = Desk(100)
    admitted(desk, "a", 60)
    desk.admit("b", 90)
    desk.admit("c", 40)
    desk.down("b")
    assert Admitted("c", 40) in desk.store_all()


def test_a_run_that_is_parked_stays_open_in_the_journal() -> None:
    """Its holds are freed, and nothing says that it has ended."""
    desk = Desk(1_000)
    desk.admit("a", 100, wanted=True)
    desk.store_all()
    desk.tell(EndRun("run:a", "a", "running", b"", 503))
    assert [type(answer) for answer in desk.store_all()] == [RunEnded]
    assert desk.writes(RunClosed) == []
    assert desk.figures() == (0, 0)


def test_the_end_of_a_run_carried_on_brings_its_journal() -> None:
    """One that asked for no money any more is known by its end alone; else its steps are known."""
    desk = Desk(1_000)
    steps = (Step(1, "answer", 1, b"a"), Step(2, "answer", 2, b"b"))
    order = Order("a", "vote", b"[]", 0, 60.0, 0, wanted=True)
    desk.tell(EndRun("run:a", "a", "complete", b"{}", 200, order, steps))
    assert [type(answer) for answer in desk.store_all()] == [RunEnded]
    (began,) = desk.writes(RunBegan)
    assert (began.order, began.steps) == (order, steps)
    desk.admit("b", 100, wanted=True)
    desk.store_all()
    desk.tell(EndRun("run:b", "b", "complete", b"{}", 200, replace(order, run="b"), steps))
    desk.store_all()
    assert [began.order.run for began in desk.writes(RunBegan)] == ["a", "b"]


# --- how it stands ---


def test_its_repr_is_a_status_line() -> None:
    """Runs, holds and those who wait, at a glance."""
    desk = Desk(100)
    admitted(desk, "a", 100)
    desk.reserve("a.1", 40)
    desk.admit("b", 10)
    assert repr(desk.ledger) == "<CostLedger open: 1 runs, 1 holds, 1 waiting, 0 overruns>"
