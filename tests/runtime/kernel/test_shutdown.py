"""The end in order."""

from __future__ import annotations

import pytest

from actors.base import Strategy, SupervisorSpec
from tests.runtime.kernel.rig import Crash, Later, Relay, Rig, Say


def test_shutdown_is_in_reverse() -> None:
    """Requests first, then children last to first; each handles what it has, and what the ones
    before it told it on their way out."""
    rig = Rig()
    group = SupervisorSpec("group", Strategy.REST_FOR_ONE, (rig.probe("c"), rig.probe("d")))
    rig.start(rig.probe("a"), rig.probe("b"), group)
    rig.spawn("run:1")
    rig.run()
    rig.log.clear()
    rig.system.tell("run:1", Relay("a", "last words"))
    rig.system.tell("b", Say("queued"))
    rig.system.shutdown()
    rig.run()
    assert rig.log == [
        ("run:1", "stopped shutdown"),
        ("b", "queued"),
        ("a", "last words"),
        ("d", "stopped shutdown"),
        ("c", "stopped shutdown"),
        ("b", "stopped shutdown"),
        ("a", "stopped shutdown"),
    ]
    assert rig.system.ended
    assert rig.system.failure is None
    statistics = rig.system.statistics()
    assert (statistics.cells, statistics.timers, statistics.dead_letters) == (0, 0, {})


def test_shutdown_is_bounded() -> None:
    """Who cannot handle what it has within `shutdown_s` is ended as it is."""
    rig = Rig()
    rig.start(rig.probe("a", shutdown_s=2.0), rig.probe("b", shutdown_s=3.0))
    rig.system.shutdown()
    rig.time += 3.0
    rig.system.fire_timers()
    assert set(rig.system.cells) == {"a"}
    rig.time += 2.0
    rig.system.fire_timers()
    assert rig.system.ended


def test_crashing_at_the_end_is_an_end() -> None:
    """Nobody is restarted any more, nor waited for who waits to be restarted."""
    rig = Rig()
    rig.start(rig.probe("a"), rig.probe("b"))
    rig.tell("a", Crash(), Later(1, "never"))
    rig.system.tell("b", Crash())
    rig.system.shutdown()
    rig.run()
    assert rig.system.ended
    assert rig.log.incarnations == {"a": 1, "b": 1}
    rig.system.shutdown()
    rig.system.close()
    assert not rig.system.run_ready()


def test_a_system_has_one_tree() -> None:
    """Started once; an ended system stays ended."""
    rig = Rig().start()
    with pytest.raises(RuntimeError, match="one tree"):
        rig.start()
    rig.system.close()
    with pytest.raises(RuntimeError, match="one tree"):
        rig.start()


def test_a_system_without_a_tree_ends() -> None:
    """Nothing to wait for."""
    rig = Rig()
    rig.system.shutdown()
    assert rig.system.ended
