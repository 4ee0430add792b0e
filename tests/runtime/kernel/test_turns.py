"""How cells take turns, and what a failing handler does."""

from __future__ import annotations

from tests.runtime.kernel.rig import Crash, Leave, Question, Rig, Say


def test_at_most_64_messages_a_turn() -> None:
    """A cell with much to do lets the next one have its turn."""
    rig = Rig()
    rig.start(rig.probe("busy"), rig.probe("other"))
    for n in range(100):
        rig.system.tell("busy", Say(str(n)))
    rig.system.tell("other", Say("now"))
    rig.run()
    said = [text for _, text in rig.log if not text.startswith("started")]
    assert said.index("now") == 64
    assert len(said) == 101


def test_a_turn_looks_again_before_each_message() -> None:
    """What lies behind the message over which a cell ended is not handled by it."""
    rig = Rig()
    rig.start(rig.probe("a"))
    rig.spawn("run:1")
    rig.tell("run:1", Say("1"), Leave(), Say("2"))
    assert rig.log.of("run:1") == ["started 1", "1", "stopped normal"]
    assert rig.system.statistics().dead_letters == {"stopped": 1}


def test_a_failure_stays_in_its_cell() -> None:
    """Neither an exception nor SystemExit ends the dispatcher or another cell."""
    rig = Rig()
    rig.start(rig.probe("a"), rig.probe("b"))
    for exits in (False, True):
        rig.tell("a", Crash(exit=exits))
        future = rig.ask("b", Question)
        rig.run()
        assert future.get(timeout=0).incarnation == 1
        rig.advance(10)
    assert rig.log.incarnations == {"a": 3, "b": 1}


def test_budget_bounds_a_run() -> None:
    """`run_ready` returns when its budget is used, and says that more is ready."""
    rig = Rig()
    rig.start(rig.probe("a"), rig.probe("b"))
    rig.system.clock = tick(rig)
    rig.system.tell("a", Say("1"))
    rig.system.tell("b", Say("2"))
    assert rig.system.run_ready(0.001)
    assert rig.log.of("b") == ["started 1"]
    assert not rig.system.run_ready(0.001)
    assert rig.log.of("b") == ["started 1", "2"]


def tick(rig: Rig):  # type: ignore[no-untyped-def]
    """A clock on which every look costs a millisecond."""

    def clock() -> float:
        rig.time += 0.001
        return rig.time

    return clock
