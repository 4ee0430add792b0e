"""Full mailboxes."""

from __future__ import annotations

from actors.base import Overloaded
from tests.runtime.kernel.rig import Answer, Job, Later, Question, Rig, Say


def test_only_new_work_is_refused() -> None:
    """New work is answered at once; everything else enters beyond the capacity."""
    rig = Rig()
    rig.start(rig.probe("a", capacity=2))
    accepted = [rig.ask("a", Job), rig.ask("a", Job)]
    refused = rig.ask("a", Job)
    assert refused.get(timeout=0) == Overloaded("t")

    question = rig.ask("a", Question)
    rig.system.tell("a", Say("enters"))
    rig.run()
    assert [future.get(timeout=0) for future in (*accepted, question)] == [Answer("t", 1)] * 3
    assert rig.log.of("a")[-1] == "enters"
    assert rig.system.statistics().overloaded == 1
    assert rig.system.statistics().dead_letters == {}


def test_room_again_after_a_turn() -> None:
    """Capacity counts what waits, not what was ever sent."""
    rig = Rig()
    rig.start(rig.probe("a", capacity=1))
    for _ in range(3):
        future = rig.ask("a", Job)
        rig.run()
        assert future.get(timeout=0) == Answer("t", 1)


def test_an_actor_is_refused_by_message() -> None:
    """`Overloaded` goes to `reply_to`, whoever that is."""
    rig = Rig()
    rig.start(rig.probe("a", capacity=0), rig.probe("b"))
    rig.tell("b", Later(1.0, "pace"))
    rig.system.cells["a"].accept(b"\x91\xa5Leave")
    rig.system.tell("a", Job("b", "t"))
    rig.run()
    assert rig.log.of("b") == ["started 1", "overloaded"]


def test_mailbox_survives_being_full_while_restarting() -> None:
    """While its behaviour is away a mailbox still has its bound."""
    rig = Rig()
    rig.start(rig.probe("a", capacity=1))
    rig.system.kill("a")
    rig.run()
    first, second = rig.ask("a", Job), rig.ask("a", Job)
    assert second.get(timeout=0) == Overloaded("t")
    rig.advance(1)
    assert first.get(timeout=0) == Answer("t", 2)
