"""Supervisors that give up."""

from __future__ import annotations

from actors.base import Strategy, SupervisorSpec
from runtime.kernel import ActorStopped
from tests.runtime.kernel.rig import Mute, Question, Rig, Say, error_of


def kill(rig: Rig, address: str, times: int) -> None:
    for _ in range(times):
        rig.system.kill(address)
        rig.run()
        rig.advance(0.4)


def test_too_many_restarts_escalate() -> None:
    """Group first: its supervisor restarts it whole; then the root: the system has failed."""
    rig = Rig()
    group = SupervisorSpec("group", Strategy.ONE_FOR_ONE, (rig.probe("a"), rig.probe("b")))
    rig.start(rig.probe("beside"), group)
    kill(rig, "a", 3)
    assert rig.log.incarnations == {"beside": 1, "a": 4, "b": 1}
    kill(rig, "a", 1)
    rig.advance(1)
    assert rig.log.incarnations == {"beside": 1, "a": 5, "b": 2}
    assert not rig.system.ended

    asked = rig.ask("beside", Mute, timeout_s=1000)
    rig.run()
    kill(rig, "beside", 3)
    assert rig.system.ended
    assert "killed" in str(rig.system.failure)
    assert isinstance(error_of(asked), ActorStopped)
    assert isinstance(error_of(rig.ask("b", Question)), ActorStopped)
    assert rig.system.statistics().cells == 0
    assert rig.system.statistics().asks == 0


def test_restarts_far_apart_never_escalate() -> None:
    """The intensity counts within a window."""
    rig = Rig()
    rig.start(rig.probe("a"))
    for _ in range(20):
        kill(rig, "a", 1)
        rig.advance(5)
    assert not rig.system.ended
    assert rig.log.incarnations["a"] == 21


def test_a_child_that_cannot_start_escalates() -> None:
    """Failing to start is nobody's message's fault."""
    rig = Rig()
    rig.log.cannot_start.add("a")
    rig.start(rig.probe("a"))
    rig.advance(5)
    assert rig.system.ended
    assert "cannot start" in str(rig.system.failure)


def test_mailboxes_outlive_an_escalation() -> None:
    """A supervisor that gave up is started again with what its children had queued."""
    rig = Rig()
    rig.start(SupervisorSpec("group", Strategy.ONE_FOR_ONE, (rig.probe("a"),), intensity=0))
    rig.system.kill("a")
    rig.run()
    question = rig.ask("a", Question)
    rig.system.tell("a", Say("kept"))
    rig.run()
    assert not question.done()
    rig.advance(1)
    assert question.get(timeout=0).incarnation == 2
    assert rig.log.of("a")[-1] == "kept"


def test_spawned_children_end_with_their_supervisor() -> None:
    """They are temporary: nobody starts them again."""
    rig = Rig()
    rig.start(rig.probe("a"), strategy=Strategy.ONE_FOR_ALL)
    rig.spawn("run:1")
    rig.run()
    rig.system.kill("a")
    rig.run()
    rig.advance(1)
    assert rig.log.of("run:1") == ["started 1", "stopped restarted with a"]
    assert "run:1" not in rig.system.cells
    rig.spawn("run:2")
    rig.run()
    assert rig.log.of("run:2") == ["started 1"]
