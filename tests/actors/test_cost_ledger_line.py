"""Who is refused money, and who waits for it until others give some back."""

from __future__ import annotations

from actors.protocol import Admitted, ReconfigureLedger, Refused, RunBegan, RunClosed, RunEnded
from actors.waiting import MOST_WAITING
from tests.actors.desk import Desk, admitted, refused

# --- refusals ---


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


def test_a_run_nobody_admitted_reserves_nothing() -> None:
    """Its limits are unknown to this ledger."""
    assert Desk(100).reserve("a.1", 10) == [Refused("a.1", "storage", 0, 0, 0, 0)]


# --- the line ---


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


def test_a_new_limit_serves_the_line() -> None:
    """What waited under the old one may fit now."""
    desk = Desk(100)
    admitted(desk, "a", 100)
    desk.admit("b", 100)
    desk.tell(ReconfigureLedger(200))
    assert desk.store_all() == [Admitted("b", 100)]
