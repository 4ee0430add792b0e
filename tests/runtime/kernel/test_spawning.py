"""Actors that are started while the system runs."""

from __future__ import annotations

import gc
import weakref

import pykka
import pytest

from actors.base import Actor, ChildSpec, Restart
from runtime.kernel import ActorStopped
from runtime.kernel.cell import Cell
from tests.runtime.kernel.rig import Crash, Leave, Question, Rig, Say


def test_spawned_actors_cost_no_registry() -> None:
    """They are pykka actors all the same, without a urn of their own or a place in its registry."""
    rig = Rig().start()
    before = len(pykka.ActorRegistry.get_all())
    for n in range(100):
        rig.spawn(f"run:{n}")
    rig.run()
    assert len(pykka.ActorRegistry.get_all()) == before
    cell = rig.system.cells["run:7"]
    assert isinstance(cell, pykka.Actor)
    assert cell.actor_urn == "run:7"
    for n in range(100):
        rig.tell(f"run:{n}", Leave())
    statistics = rig.system.statistics()
    assert (statistics.cells, statistics.timers, statistics.ready) == (0, 0, 0)
    assert not rig.system.supervisors["requests"].spawned


def test_an_ended_cell_is_freed_at_once() -> None:
    """No cycle waits for the garbage collector."""
    rig = Rig().start()
    rig.spawn("run:1")
    rig.run()
    cell = weakref.ref(rig.system.cells["run:1"])
    behaviour = weakref.ref(rig.system.cells["run:1"].behaviour)  # type: ignore[union-attr]
    gc.disable()
    try:
        rig.tell("run:1", Leave())
        assert cell() is None
        assert behaviour() is None
    finally:
        gc.enable()


def test_a_crashed_request_is_not_started_again() -> None:
    """And it does not count against anybody."""
    rig = Rig().start()
    for n in range(20):
        rig.spawn(f"run:{n}")
        rig.tell(f"run:{n}", Crash())
    rig.advance(10)
    assert set(rig.log.incarnations.values()) == {1}
    assert not rig.system.ended


def test_a_request_that_cannot_start_is_told_to_its_asker() -> None:
    """Its ask fails at once."""
    rig = Rig().start()
    rig.log.cannot_start.add("run:1")
    rig.spawn("run:1")
    future = rig.ask("run:1")
    rig.run()
    with pytest.raises(ActorStopped, match="cannot start"):
        future.get(timeout=0)


def test_what_cannot_be_spawned() -> None:
    """A taken address, a permanent child, an unknown supervisor, an ending system."""
    rig = Rig()
    rig.start(rig.probe("a"))
    with pytest.raises(ValueError, match="is taken"):
        rig.spawn("a")
    with pytest.raises(ValueError, match="is taken"):
        rig.spawn("requests")
    with pytest.raises(ValueError, match="only temporary"):
        rig.system.spawn(rig.probe("b"))
    with pytest.raises(LookupError):
        rig.system.spawn(rig.probe("b", Restart.TEMPORARY), under="nobody")
    rig.system.shutdown()
    with pytest.raises(ActorStopped):
        rig.spawn("b")


def test_an_address_can_be_used_again() -> None:
    """Once its actor has ended."""
    rig = Rig().start()
    for _ in range(2):
        rig.spawn("run:1")
        rig.tell("run:1", Leave())
    assert rig.log.incarnations["run:1"] == 2


def test_a_behaviour_that_does_not_say_what_it_receives() -> None:
    """It cannot be hosted."""
    rig = Rig().start()
    rig.system.spawn(ChildSpec("run:1", Actor, Restart.TEMPORARY))
    future = rig.ask("run:1", Question)
    rig.run()
    with pytest.raises(ActorStopped, match="does not say what it receives"):
        future.get(timeout=0)


def test_a_ref_of_a_spawned_cell() -> None:
    """Made when asked for; it knows of the end."""
    rig = Rig().start()
    rig.spawn("run:1")
    rig.run()
    ref = rig.system.ref("run:1")
    assert isinstance(rig.system.cells["run:1"], Cell)
    ref.tell(Say("hello"))
    rig.run()
    assert rig.log.of("run:1")[-1] == "hello"
    assert ref.is_alive()
    rig.tell("run:1", Leave())
    assert not ref.is_alive()
    with pytest.raises(pykka.ActorDeadError):
        ref.tell(Say("too late"))
