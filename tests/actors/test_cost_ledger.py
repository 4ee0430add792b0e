"""Who is granted money, who waits for it, who is refused, and what becomes of it."""

from __future__ import annotations

from msgspec.structs import replace

from actors.base import ABSENT
from actors.protocol import (
    Admit,
    Admitted,
    AttemptReleased,
    AttemptReserved,
    AttemptSettled,
    BooksLoaded,
    EndRun,
    LeaseReturned,
    LeaseTaken,
    LoadBooks,
    Order,
    ReconfigureLedger,
    Refused,
    Reserved,
    RunBegan,
    RunClosed,
    RunEnded,
    Step,
)
from actors.waiting import MOST_WAITING
from tests.actors.desk import Desk

NOVEMBER = 1_793_491_200.0


def admitted(desk: Desk, run: str, want: int, least: int | None = None) -> None:
    """Opens a run whose lease is durable."""
    desk.admit(run, want, least)
    desk.store_all()


def refused(message: object) -> Refused:
    assert isinstance(message, Refused)
    return message


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


def test_runs_that_follow_each_other_share_their_leases() -> None:
    """What was used lately stays leased when a run has ended, and goes back when none follows."""
    desk = Desk(1_000)
    desk.wait(1.0)
    for run in ("first", "next"):
        admitted(desk, run, 50)
        desk.reserve(f"{run}.1", 50)
        desk.settle(f"{run}.1", 40)
        desk.wait(1.0)
        desk.end(run)
        desk.store_all()
    assert desk.stored() == (80, 40)
    assert [type(answer) for answer in desk.admit("at once", 40)] == [Admitted]
    desk.end("at once")
    desk.store_all()
    for _ in range(2):
        desk.wait(1.0)
        desk.store_all()
    assert desk.stored() == (80, 0)


def test_a_ledger_that_ends_leaves_nothing_leased() -> None:
    """Whatever was used lately."""
    desk = Desk(1_000)
    admitted(desk, "a", 50)
    desk.reserve("a.1", 50)
    desk.settle("a.1", 40)
    desk.wait(1.0)
    desk.end("a")
    desk.store_all()
    assert desk.stored() == (40, 10)
    desk.ledger.stopped("shutdown")
    desk._collect()
    desk.store_all()
    assert desk.stored() == (40, 0)


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


# --- refusals and the line ---


def test_what_is_spent_refuses_at_once() -> None:
    """Waiting would not help; the figures say why, and the run is on record."""
    desk = Desk(100)
    admitted(desk, "a", 80)
    desk.reserve("a.1", 80)
    desk.settle("a.1", 80)
    assert desk.admit("b", 60, 30) == [Refused("b", "installation", 100, 80, 0, 30)]
    desk.end("b")
    desk.store_all()
    assert [write.order.run for write in desk.writes(RunBegan)] == ["a", "b"]
    assert [write.run for write in desk.writes(RunClosed)] == ["b"]


def test_each_limit_refuses_under_its_owners_name() -> None:
    """The run's own, its key's month, and the installation's month."""
    desk = Desk(1000)
    assert refused(desk.admit("a", 60, limit=50)[0]).owner == "run"
    assert refused(desk.admit("b", 60, key="k", key_limit=50)[0]).owner == "key"
    assert refused(desk.admit("c", 1060, limit=2000)[0]).owner == "installation"


def test_the_limit_of_a_run_binds_its_calls() -> None:
    """Admission is not all: later calls are held under the run's limit too."""
    desk = Desk(1000)
    desk.admit("a", 60, limit=100)
    desk.store_all()
    desk.reserve("a.1", 60)
    desk.settle("a.1", 60)
    assert refused(desk.reserve("a.2", 41)[0]).owner == "run"


def test_what_others_hold_is_waited_for() -> None:
    """What comes back is given to the first in the line."""
    desk = Desk(100)
    admitted(desk, "a", 80)
    assert desk.admit("b", 50) == []
    assert desk.admit("c", 50) == []
    desk.reserve("a.1", 80)
    assert desk.settle("a.1", 10) == [Admitted("b", 50)]
    assert desk.end("b") == [Admitted("c", 50)]


def test_nobody_is_overtaken_by_a_smaller_wish() -> None:
    """What would fit waits behind what came first, or the large would starve."""
    desk = Desk(100)
    admitted(desk, "a", 60)
    assert desk.admit("large", 90) == []
    assert desk.admit("small", 20) == []
    assert desk.reserve("a.1", 70) == []
    desk.end("a")
    assert desk.store_all() == [Admitted("large", 90), RunEnded("a")]
    assert desk.end("large") == [Admitted("small", 20)]


def test_waiting_under_one_account_leaves_the_others_free() -> None:
    """A key that is short does not stop the other keys."""
    desk = Desk(1000)
    desk.admit("a", 100, key="poor", key_limit=100)
    desk.store_all()
    assert desk.admit("b", 100, key="poor", key_limit=100) == []
    desk.admit("c", 100, key="rich", key_limit=500)
    assert desk.store_all() == [Admitted("c", 100)]


def test_waiting_ends_after_five_seconds() -> None:
    """Then it is a refusal, which names the account that is held."""
    desk = Desk(100)
    admitted(desk, "a", 80)
    desk.admit("b", 50)
    assert desk.wait(4.9) == []
    assert desk.wait(0.1) == [Refused("b", "installation", 100, 0, 80, 50)]


def test_waiting_ends_with_the_deadline() -> None:
    """Nobody waits beyond it, and who is late already does not wait at all."""
    desk = Desk(100)
    admitted(desk, "a", 80)
    desk.admit("b", 50, wait=2.0)
    assert refused(desk.wait(2.0)[0]).ticket == "b"
    assert refused(desk.admit("c", 50, wait=0.0)[0]).ticket == "c"


def test_who_leaves_the_line_lets_the_next_one_through() -> None:
    """A wish that is withdrawn or refused blocks nobody any more."""
    desk = Desk(100)
    admitted(desk, "a", 60)
    desk.admit("large", 90, wait=1.0)
    desk.admit("small", 10)
    assert refused(desk.wait(1.0)[0]).ticket == "large"
    assert desk.store_all() == [Admitted("small", 10)]


def test_the_line_is_bounded() -> None:
    """Who finds it full is refused at once."""
    desk = Desk(100)
    admitted(desk, "a", 100)
    for number in range(MOST_WAITING):
        assert desk.admit(f"w{number}", 10) == []
    assert refused(desk.admit("one too many", 10)[0]).held_nano == 100


def test_a_wish_that_became_hopeless_is_refused_at_once() -> None:
    """While it waited, what was held has been spent."""
    desk = Desk(100)
    admitted(desk, "a", 80)
    desk.admit("b", 50)
    desk.reserve("a.1", 80)
    assert desk.settle("a.1", 80) == [Refused("b", "installation", 100, 80, 0, 50)]


def test_a_withdrawn_wish_is_answered_by_a_refusal() -> None:
    """Released while it waits: its asker is not left without an answer, and nothing is held."""
    desk = Desk(100)
    admitted(desk, "a", 80)
    desk.reserve("a.1", 80)
    desk.reserve("a.2", 50)
    assert refused(desk.release("a.2")[0]).ticket == "a.2"
    assert desk.figures() == (0, 80)


def test_a_run_nobody_admitted_reserves_nothing() -> None:
    """Its limits are unknown to this ledger."""
    assert Desk(100).reserve("a.1", 10) == [Refused("a.1", "storage", 0, 0, 0, 0)]


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


# --- months ---


def test_money_is_charged_to_the_month_of_its_reservation() -> None:
    """Whenever the vendor answers; a run that goes on is charged to the new month."""
    desk = Desk(100)
    desk.context.wall_time = NOVEMBER - 1
    admitted(desk, "a", 60)
    desk.reserve("a.1", 50)
    desk.context.wall_time = NOVEMBER + 1
    desk.reserve("a.2", 70)
    desk.settle("a.1", 40)
    desk.store_all()
    desk.settle("a.2", 30)
    desk.store_all()
    spent = {a.window: a.spent_nano for a in desk.accounts().accounts if a.owner == "installation"}
    assert spent == {"2026-10": 40, "2026-11": 30}


def test_a_clock_that_steps_back_reopens_nothing() -> None:
    """Nor does it across a restart."""
    desk = Desk(100)
    desk.context.wall_time = NOVEMBER + 1
    admitted(desk, "a", 100)
    desk.reserve("a.1", 100)
    desk.settle("a.1", 100)
    desk.context.wall_time = NOVEMBER - 1
    assert refused(desk.admit("b", 1)[0]).spent_nano == 100
    desk.store_all()
    desk.restart()
    desk.store_all()
    assert refused(desk.admit("c", 1)[0]).spent_nano == 100


def test_the_books_begin_with_the_month_the_ledger_began_in() -> None:
    """Though storage cannot be asked before the month's end, and the clock steps back after it."""
    desk = Desk(100, started=False)
    began = desk.inbox[0]
    desk.store(fail=True)
    desk.context.wall_time += 31 * 86_400
    desk.wait(0.1)
    assert isinstance(began, LoadBooks)
    assert [load.at for load in desk.inbox if isinstance(load, LoadBooks)] == [began.at]


def test_a_new_month_opens_the_line() -> None:
    """Those who wait under last month's limit go on under this month's."""
    desk = Desk(100)
    desk.context.wall_time = NOVEMBER - 1
    admitted(desk, "a", 100)
    desk.admit("b", 100)
    desk.context.wall_time = NOVEMBER + 1
    desk.wait(1.0)
    assert Admitted("b", 100) in desk.store_all()


def test_those_who_waited_come_first_in_a_new_month() -> None:
    """Whoever asks when it has just begun stands behind them."""
    desk = Desk(100)
    desk.context.wall_time = NOVEMBER - 1
    admitted(desk, "a", 100)
    desk.admit("b", 60)
    desk.context.wall_time = NOVEMBER + 1
    desk.admit("c", 60)
    assert desk.store_all() == [Admitted("b", 60)]


# --- leases and housekeeping ---


def test_a_refill_takes_as_much_again_as_was_spent_lately() -> None:
    """So a busy ledger asks storage about once a second, not once a call."""
    desk = Desk(10_000)
    admitted(desk, "a", 500)
    desk.reserve("a.1", 500)
    desk.settle("a.1", 500)
    desk.wait(1.0)
    desk.reserve("a.2", 200)
    desk.store_all()
    assert desk.stored() == (500, 700)
    assert desk.reserve("a.3", 500) == [Reserved("a.3", 500, 500, clamped=False)]


def test_a_lease_beyond_recent_use_is_returned() -> None:
    """What a burst has left over is not kept while other calls go on."""
    desk = Desk(10_000)
    admitted(desk, "a", 100)
    admitted(desk, "b", 5000)
    desk.end("b")
    for _ in range(2):
        desk.wait(1.0)
        desk.store_all()
    assert desk.stored() == (0, 100)


def test_an_idle_ledger_sets_no_timer() -> None:
    """Nothing runs, nothing is leased, nothing ticks."""
    desk = Desk(10_000)
    admitted(desk, "a", 100)
    desk.end("a")
    desk.store_all()
    desk.wait(1.0)
    assert desk.context.timers == {}


def test_a_ledger_that_stops_returns_its_leases() -> None:
    """And writes what nobody waited for."""
    desk = Desk(10_000)
    admitted(desk, "a", 100)
    desk.reserve("a.1", 40)
    desk.settle("a.1", 30)
    desk.ledger.stopped("shutdown")
    desk._collect()
    while desk.inbox:
        desk.store()
    assert desk.stored() == (30, 60)


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


def test_a_new_limit_serves_the_line() -> None:
    """What waited under the old one may fit now."""
    desk = Desk(100)
    admitted(desk, "a", 100)
    desk.admit("b", 100)
    desk.tell(ReconfigureLedger(200))
    assert desk.store_all() == [Admitted("b", 100)]


def test_its_repr_is_a_status_line() -> None:
    """Runs, holds and those who wait, at a glance."""
    desk = Desk(100)
    admitted(desk, "a", 100)
    desk.reserve("a.1", 40)
    desk.admit("b", 10)
    assert repr(desk.ledger) == "<CostLedger open: 1 runs, 1 holds, 1 waiting, 0 overruns>"
