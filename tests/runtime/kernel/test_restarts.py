"""One child and its incarnations."""

from __future__ import annotations

import pytest

from actors.base import Restart
from runtime.kernel import ActorStopped
from tests.runtime.kernel.rig import Crash, Leave, Monitor, Question, Rig, Say, error_of


def test_a_restart_keeps_address_and_mailbox() -> None:
    """The new incarnation answers what was queued for the old one, under the same ref."""
    rig = Rig()
    rig.start(rig.probe("a"))
    ref = rig.system.ref("a")
    rig.tell("a", Crash(), Say("kept"))
    assert rig.log.of("a") == ["started 1"]
    rig.advance(1)
    assert rig.log.of("a") == ["started 1", "started 2", "kept"]
    assert rig.system.ref("a") is ref
    assert ref.is_alive()
    assert rig.system.statistics().restarts == 1


def test_permanent_transient_temporary() -> None:
    """Each kind after a normal end, and after a crash."""
    starts = {}
    for restart in Restart:
        for message in (Leave(), Crash()):
            rig = Rig()
            rig.start(rig.probe("a", restart))
            rig.tell("a", message)
            rig.advance(10)
            starts[restart, type(message)] = rig.log.incarnations["a"]
    assert starts == {
        (Restart.PERMANENT, Leave): 2,
        (Restart.PERMANENT, Crash): 2,
        (Restart.TRANSIENT, Leave): 1,
        (Restart.TRANSIENT, Crash): 2,
        (Restart.TEMPORARY, Leave): 1,
        (Restart.TEMPORARY, Crash): 1,
    }


def test_a_stopped_child_is_not_started_again() -> None:
    """`stop` is somebody's wish; a permanent child obeys it too."""
    rig = Rig()
    rig.start(rig.probe("a"))
    rig.system.stop("a")
    rig.run()
    rig.advance(10)
    assert rig.log.of("a") == ["started 1", "stopped normal"]
    assert isinstance(error_of(rig.ask("a")), ActorStopped)


def test_a_killed_child_is_started_again() -> None:
    """`kill` is an abnormal end, and the behaviour is not asked."""
    rig = Rig()
    rig.start(rig.probe("a"))
    rig.system.kill("a")
    rig.run()
    rig.advance(10)
    assert rig.log.of("a") == ["started 1", "started 2"]


def test_backoff_doubles_and_is_forgotten() -> None:
    """0.05, 0.1, 0.2 s … times one half to one; after a quiet time from the beginning."""
    rig = Rig()
    rig.start(rig.probe("a"))

    def wait() -> float:
        rig.tell("a", Crash())
        due = rig.system.next_timer()
        assert due is not None
        waited = due - rig.time
        rig.advance(waited)
        return waited

    waits = [wait() for _ in range(9)]
    nominal = [min(0.05 * 2**n, 5.0) for n in range(9)]
    assert all(half / 2 <= real <= half for half, real in zip(nominal, waits, strict=True))
    rig.advance(20)
    assert wait() <= 0.05


def test_backoff_does_not_block() -> None:
    """While one child waits to be started, another crashes and is back before it."""
    rig = Rig()
    rig.start(rig.probe("slow"), rig.probe("quick"))
    for _ in range(6):
        rig.tell("slow", Crash())
        rig.advance(1.6)
    rig.tell("slow", Crash())
    rig.tell("quick", Crash())
    rig.advance(0.1)
    assert rig.log.incarnations == {"slow": 7, "quick": 2}


@pytest.mark.parametrize("ending", ["stop", "kill"])
def test_orders_reach_a_child_between_incarnations(ending: str) -> None:
    """Stopping a child that waits for its restart ends it; killing it changes nothing."""
    rig = Rig()
    rig.start(rig.probe("a"))
    rig.tell("a", Crash())
    getattr(rig.system, ending)("a")
    rig.advance(10)
    assert rig.log.incarnations["a"] == (1 if ending == "stop" else 2)


def test_orders_reach_a_child_about_to_start() -> None:
    """A spawned child may be killed before its first turn."""
    rig = Rig()
    rig.start(rig.probe("watch"))
    rig.tell("watch", Say("ready"))
    rig.spawn("run:1")
    rig.system.tell("watch", Monitor("run:1"))
    rig.run()
    rig.spawn("run:2")
    rig.system.kill("run:2")
    rig.run()
    assert rig.log.of("run:2") == []
    assert isinstance(error_of(rig.ask("run:2", Question)), ActorStopped)
