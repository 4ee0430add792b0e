"""What is leased from storage, for which month, and when it goes back."""

from __future__ import annotations

from actors.protocol import Admitted, LoadBooks, Reserved
from tests.actors.desk import Desk, admitted, refused

NOVEMBER = 1_793_491_200.0


# --- leases ---


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
