"""What other threads want of a system."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from runtime.kernel import ActorStopped
from tests.runtime.kernel.rig import PATIENCE_S, Rig, Say, error_of


def elsewhere(function: Callable[[], None]) -> None:
    """Runs `function` on another thread, to its end."""
    thread = threading.Thread(target=function)
    thread.start()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


def test_one_wake_up_per_batch() -> None:
    """A hundred tells wake the driver once; after it has looked, the next one wakes it again."""
    rig = Rig()
    rig.start(rig.probe("a"))

    def tell_much() -> None:
        for n in range(100):
            rig.system.tell("a", Say(str(n)))

    rig.wakes = 0
    elsewhere(tell_much)
    assert rig.wakes == 1
    assert rig.log.of("a") == ["started 1"]
    rig.run()
    assert rig.log.of("a")[1:] == [str(n) for n in range(100)]
    elsewhere(tell_much)
    assert rig.wakes == 2


def test_the_own_thread_wakes_an_idle_driver_once() -> None:
    """A service on the driver's own thread tells while the dispatcher is parked."""
    rig = Rig()
    rig.start(rig.probe("a"))
    rig.wakes = 0
    rig.system.tell("a", Say("1"))
    rig.system.tell("a", Say("2"))
    assert rig.wakes == 1
    rig.run()
    rig.system.arm(rig.time, lambda _: None)
    assert rig.wakes == 2


def test_a_failing_call_hinders_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the next is made."""
    rig = Rig().start()
    done: list[int] = []

    def fail() -> None:
        raise ValueError("oops")

    rig.system.call_soon(fail)
    rig.system.call_soon(lambda: done.append(1))
    rig.run()
    assert done == [1]
    assert "oops" in caplog.text


def test_after_the_end_whoever_comes_settles() -> None:
    """An ask from another thread that loses the race against the end does not hang."""
    rig = Rig()
    rig.start(rig.probe("a"))
    rig.system.close()
    rig.system.detach()
    futures = []
    elsewhere(lambda: futures.append(rig.ask("a")))
    assert isinstance(error_of(futures[0]), ActorStopped)
    rig.system.tell("a", Say("x"))
    assert rig.system.statistics().dead_letters == {"absent": 1}
    with pytest.raises(ActorStopped):
        rig.system.call_soon(lambda: None)
