"""Messages nobody handles."""

from __future__ import annotations

import pytest

from actors.base import Restart
from tests.runtime.kernel.rig import Crash, Leave, Rig, Say, Unknown


def test_dead_letters_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    """Each kind by itself; in the log once, by type and address, without content."""
    rig = Rig()
    rig.start(rig.probe("a"), rig.probe("t", Restart.TEMPORARY))
    with caplog.at_level("WARNING", "planhub.kernel"):
        rig.tell("nobody", Say("secret"), Say("secret"))
        rig.tell("ask:99", Say("secret"))
        rig.tell("a", Unknown("secret"), Crash("not in the log's dead letters"))
        rig.system.tell("t", Leave())
        rig.system.tell("t", Say("secret"))
        rig.run()
    assert rig.system.statistics().dead_letters == {
        "absent": 2,
        "late": 1,
        "unreadable": 1,
        "poison": 1,
        "stopped": 1,
    }
    lines = [
        record.getMessage() for record in caplog.records if record.msg.startswith("dead letter")
    ]
    assert lines == [
        "dead letter (absent, 1 so far): Say to nobody",
        "dead letter (late, 1 so far): Say to ask:99",
        "dead letter (unreadable, 1 so far): Unknown to a",
        "dead letter (poison, 1 so far): Crash to a",
        "dead letter (stopped, 1 so far): Say to t",
    ]
    assert "secret" not in caplog.text


def test_the_log_is_throttled(caplog: pytest.LogCaptureFixture) -> None:
    """A flood is a line per ten seconds; the count goes on."""
    rig = Rig().start()
    with caplog.at_level("WARNING", "planhub.kernel"):
        for _ in range(100):
            rig.tell("nobody", Say("x"))
        rig.advance(10)
        rig.tell("nobody", Say("x"))
    assert [record.args for record in caplog.records] == [
        ("absent", 1, "Say", "nobody"),
        ("absent", 101, "Say", "nobody"),
    ]
    assert repr(rig.system.dead_letters) == "<DeadLetters 101 absent>"


def test_a_system_that_closes_expects_them(caplog: pytest.LogCaptureFixture) -> None:
    """A reply to a cell that was stopped before who replies is counted, and is no warning."""
    rig = Rig().start()
    rig.system.shutdown()
    with caplog.at_level("WARNING", "planhub.kernel"):
        rig.system.deliver("nobody", Say("x"))
    assert rig.system.statistics().dead_letters == {"absent": 1}
    assert not caplog.records


def test_an_unreadable_message_hurts_nobody() -> None:
    """Bytes that are no message at all are counted, and the actor goes on."""
    rig = Rig()
    rig.start(rig.probe("a"))
    rig.system.cells["a"].accept(b"\xc1")
    rig.system.cells["a"].accept(b"\x01")
    rig.tell("a", Say("fine"))
    assert rig.log.of("a") == ["started 1", "fine"]
    assert rig.system.statistics().dead_letters == {"unreadable": 2}
