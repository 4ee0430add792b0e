"""Messages over which an actor crashes."""

from __future__ import annotations

from actors.base import Down
from runtime.kernel.codec import encode
from tests.runtime.kernel.rig import Crash, Job, Rig, error_of


def test_poison_is_counted_apart() -> None:
    """Twenty bad messages: twenty restarts, no escalation, none of them handled twice."""
    rig = Rig()
    rig.start(rig.probe("a"))
    for n in range(20):
        rig.system.tell("a", Crash(str(n)))
    after = rig.ask("a", Job, timeout_s=1000)
    rig.run()
    rig.advance(200)
    assert rig.log.incarnations["a"] == 21
    assert rig.system.statistics().dead_letters == {"poison": 20}
    assert not rig.system.ended
    assert after.get(timeout=0).incarnation == 21


def test_a_down_is_nobodys_poison() -> None:
    """Crashing over what the kernel itself tells is the actor's fault and counts."""
    rig = Rig()
    rig.start(rig.probe("a"))
    for _ in range(4):
        cell = rig.system.cells["a"]
        cell.behaviour.receive = crash  # type: ignore[union-attr,method-assign]
        cell.accept_urgent(encode(Down("x", "normal")))  # type: ignore[union-attr]
        rig.run()
        rig.advance(1)
    assert rig.system.ended
    assert rig.system.statistics().dead_letters == {}


def test_the_asker_of_a_poison_message_is_told() -> None:
    """Its ask is settled at the crash, not at its deadline."""
    rig = Rig()
    rig.start(rig.probe("a"))
    rig.system.cells["a"].behaviour.receive = crash  # type: ignore[union-attr,method-assign]
    asked = rig.ask("a", Job)
    rig.run()
    assert "ValueError: over this" in str(error_of(asked))


def crash(_: object) -> None:
    raise ValueError("over this")
