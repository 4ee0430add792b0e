"""What an actor can do to the outside."""

from __future__ import annotations

import pytest

from actors.base import Actor, ChildSpec, Message, Restart, Work
from actors.events import RunStarted
from tests.runtime.kernel.rig import Probe, ProbeMessage, Relay, Rig, Say


class Doer(Actor):
    """Uses every port when told."""

    receives = Say

    def __init__(self, ctx, rig: Rig) -> None:  # type: ignore[no-untyped-def]
        super().__init__(ctx)
        self.rig = rig

    def receive(self, message: Message) -> None:
        ctx = self.ctx
        assert ctx.address == "doer"
        assert ctx.now() == self.rig.time
        assert ctx.wall() == self.rig.time + 1.7e9
        assert 0 <= ctx.random() < 1
        ctx.start(Work("w"))
        ctx.abort("w")
        ctx.emit(RunStarted(run="r", mode="vote"))
        assert ctx.spawn(self.rig.probe("run:1", Restart.TEMPORARY)) == "run:1"
        ctx.tell("run:1", Say("hello"))


def test_every_port_reaches_the_system() -> None:
    """Clocks, draws, work, events and children, under the actor's own address."""
    rig = Rig()
    rig.start(ChildSpec("doer", lambda ctx: Doer(ctx, rig)))
    rig.tell("doer", Say("go"))
    assert rig.works == [("doer", Work("w")), ("doer", "w")]
    assert rig.events == [("doer", RunStarted(run="r", mode="vote"))]
    assert rig.log.of("run:1") == ["started 1", "hello"]
    assert rig.system.statistics().dead_letters == {}


class EndsAtOnce(Probe):
    def started(self) -> None:
        super().started()
        self.ctx.stop()

    def stopped(self, reason: str) -> None:
        self.ctx.tell("other", Say("bye"))
        raise OSError(f"while stopping, {reason}")

    def receive(self, message: ProbeMessage) -> None:
        raise AssertionError(message)


def test_an_actor_may_end_as_it_starts(caplog: pytest.LogCaptureFixture) -> None:
    """Its `stopped` is called, may still tell, and its failing there is only logged."""
    rig = Rig()
    rig.start(rig.probe("other"))
    rig.system.spawn(ChildSpec("brief", lambda ctx: EndsAtOnce(ctx, rig.log), Restart.TEMPORARY))
    rig.tell("brief", Relay("other", "unheard"))
    assert rig.log.of("brief") == ["started 1"]
    assert rig.log.of("other") == ["started 1", "bye"]
    assert "while stopping, normal" in caplog.text
    assert rig.system.statistics().dead_letters == {"stopped": 1}


def test_status_lines() -> None:
    """A supervisor and an ask say how they are."""
    rig = Rig()
    rig.start(rig.probe("a"), rig.probe("b"))
    rig.spawn("run:1")
    rig.system.stop("a")
    rig.system.kill("b")
    rig.run()
    assert repr(rig.system.supervisors["root"]) == (
        "<Supervisor root: 2 of 3 children, 0 spawned, 1 to restart>"
    )
    assert repr(rig.system.supervisors["requests"]).endswith("1 spawned, 0 to restart>")
    rig.ask("b")
    assert repr(rig.system.asks.get("ask:1")) == "<Ask ask:1 of b>"
