"""Who hears of an end."""

from __future__ import annotations

from tests.runtime.kernel.rig import Crash, Demonitor, Leave, Monitor, Rig


def test_monitors_hear_once() -> None:
    """A crash is an end though the actor is restarted; the second crash is news to nobody."""
    rig = Rig()
    rig.start(rig.probe("a"), rig.probe("b"))
    rig.tell("b", Monitor("a"), Monitor("a"))
    rig.tell("a", Crash("why"))
    rig.advance(1)
    rig.tell("a", Crash("again"))
    rig.advance(1)
    assert rig.log.of("b") == ["started 1", "down a: ValueError: why"]

    rig.tell("b", Monitor("nobody"))
    assert rig.log.of("b")[-1] == "down nobody: absent"


def test_the_reason_is_told() -> None:
    """Normal, killed, or what it crashed over."""
    rig = Rig()
    rig.start(rig.probe("watch"))
    for name in ("run:1", "run:2", "run:3"):
        rig.spawn(name)
        rig.tell("watch", Monitor(name))
    rig.tell("run:1", Leave())
    rig.system.kill("run:2")
    rig.run()
    rig.tell("run:3", Crash("x" * 1000))
    downs = rig.log.of("watch")[1:]
    assert downs[:2] == ["down run:1: normal", "down run:2: killed"]
    assert downs[2].startswith("down run:3: ValueError: xxx")
    assert len(downs[2]) < 400


def test_demonitor_takes_it_back() -> None:
    """Nothing is told, and nothing is kept."""
    rig = Rig()
    rig.start(rig.probe("a"), rig.probe("b"))
    rig.tell("b", Monitor("a"), Demonitor("a"), Demonitor("nobody"))
    rig.tell("a", Crash())
    rig.advance(1)
    assert rig.log.of("b") == ["started 1"]


def test_an_ended_watcher_leaves_nothing_behind() -> None:
    """A thousand requests that watched a pool do not weigh on it once they have ended."""
    rig = Rig()
    rig.start(rig.probe("pool"))
    for n in range(1000):
        rig.spawn(f"run:{n}")
        rig.tell(f"run:{n}", Monitor("pool"))
    assert len(rig.system.cells["pool"].watchers or ()) == 1000
    for n in range(1000):
        rig.tell(f"run:{n}", Leave())
    assert not rig.system.cells["pool"].watchers


def test_a_new_incarnation_has_no_old_monitors() -> None:
    """What the crashed behaviour watched is not told to the next one."""
    rig = Rig()
    rig.start(rig.probe("a"), rig.probe("b"))
    rig.tell("b", Monitor("a"))
    rig.system.tell("b", Crash())
    rig.system.tell("a", Crash())
    rig.run()
    rig.advance(1)
    assert rig.log.of("b") == ["started 1", "started 2"]
