"""Order, priority and isolation of messages."""

from __future__ import annotations

from runtime.kernel.codec import encode
from runtime.kernel.mailbox import Mailbox
from tests.runtime.kernel.rig import Leave, Monitor, Relay, Rig, Say


def test_messages_are_bytes() -> None:
    """What lies in a mailbox is what was encoded when it was told."""
    rig = Rig()
    rig.start(rig.probe("a"))
    rig.system.tell("a", Say("hello"))
    mailbox = rig.system.cells["a"].actor_inbox
    assert isinstance(mailbox, Mailbox)
    assert list(mailbox.user or ()) == [encode(Say("hello"))]


def test_a_lane_keeps_its_order() -> None:
    """What one sender tells is handled in the order told, even by way of others in between."""
    rig = Rig()
    rig.start(rig.probe("a"), rig.probe("b"))
    rig.tell("a", *(Relay("b", str(n)) for n in range(200)))
    assert rig.log.of("b")[1:] == [str(n) for n in range(200)]


def test_urgent_messages_first() -> None:
    """A `Down` overtakes what was queued before it, and so does an order to stop."""
    rig = Rig()
    rig.start(rig.probe("a"), rig.probe("b"))
    rig.tell("a", Monitor("b"))
    rig.system.tell("b", Leave())
    rig.system.tell("a", Say("1"))
    rig.system.cells["a"].accept(encode(Say("2")))
    rig.system.monitors.announce(rig.system.cells["b"], "normal", final=True)
    rig.run()
    assert rig.log.of("a") == ["started 1", "down b: normal", "1", "2"]

    rig.system.tell("a", Say("3"))
    rig.system.stop("a")
    rig.run()
    assert rig.log.of("a")[-1] == "stopped normal"
    assert rig.system.statistics().dead_letters == {"stopped": 1}


def test_empty_lanes_take_no_place() -> None:
    """A waiting cell has no deques."""
    rig = Rig()
    rig.start(rig.probe("a"))
    rig.tell("a", Say("1"))
    mailbox = rig.system.cells["a"].actor_inbox
    assert isinstance(mailbox, Mailbox)
    assert mailbox.user is None
    assert mailbox.urgent is None
    assert mailbox.empty()


def test_status_line() -> None:
    """A mailbox and a cell say how they are."""
    rig = Rig()
    rig.start(rig.probe("a"))
    rig.system.tell("a", Say("secret"))
    assert repr(rig.system.cells["a"]) == "<Cell a: running, 1 queued>"
    assert repr(rig.system.cells["a"].actor_inbox) == "<Mailbox 0 urgent, 1 user>"
    assert repr(rig.system) == "<System running: 1 cells, 1 ready>"
