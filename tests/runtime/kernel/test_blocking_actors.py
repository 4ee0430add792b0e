"""Actors on threads of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from actors.base import (
    Address,
    ChildSpec,
    Command,
    Message,
    Overloaded,
    Strategy,
    SupervisorSpec,
)
from runtime.kernel import ActorStopped, BlockingActor, BlockingContext, Future
from runtime.kernel.lifecycle import State
from tests.runtime.kernel.rig import (
    PATIENCE_S,
    Answer,
    Crash,
    Explode,
    Job,
    Mute,
    Question,
    Rig,
    Say,
    Unknown,
    error_of,
)


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig()
    yield rig
    if not rig.system.ended:
        rig.close()


def started(rig: Rig, **more: object) -> Rig:
    rig.start(rig.blocking("store", **more), rig.probe("beside"))
    assert ready(rig)
    return rig


def ready(rig: Rig) -> bool:
    """The thread has started once it answers."""
    future = rig.ask("store")
    rig.until(future.done)
    return bool(future.get(timeout=0))


def hold(rig: Rig, kind: type[Command] = Mute) -> Future[Any]:
    """Has the thread take one command as a batch, and be busy with it until the gate opens."""
    rig.gate.clear()
    rig.entered.clear()
    future = rig.ask("store", kind, timeout_s=1000)
    rig.run()
    assert rig.entered.wait(PATIENCE_S)
    return future


def test_what_it_is_told_before_its_turn_is_one_batch(rig: Rig) -> None:
    """The thread is woken once for all of it."""
    started(rig)
    rig.log.clear()
    futures = [rig.ask("store") for _ in range(10)]
    rig.until(lambda: all(future.done() for future in futures))
    assert rig.log.of("store") == ["batch of 10"]


def test_what_was_not_passed_on_ends_with_the_cell(rig: Rig) -> None:
    """As a dead letter; its asker is told."""
    started(rig)
    rig.system.kill("store")
    asked = rig.ask("store", Job)
    rig.system.tell("store", Say("never heard"))
    rig.system.stop("store")
    assert isinstance(error_of(asked), ActorStopped)
    rig.run()
    assert rig.system.dead_letters.counts["stopped"] == 2


def test_a_batch_is_answered_together(rig: Rig) -> None:
    """What arrived while the thread was busy is one batch, and its replies are one wake-up."""
    started(rig)
    first = hold(rig, Question)
    futures = [rig.ask("store") for _ in range(50)]
    rig.log.clear()
    rig.run()
    rig.wakes = 0
    rig.gate.set()
    rig.until(lambda: all(future.done() for future in futures))
    assert rig.log == [("store", "batch of 1"), ("store", "batch of 50")]
    assert rig.wakes <= 2
    assert {future.get(timeout=0) for future in (first, *futures)} == {Answer("t", 1)}


def test_a_crashed_batch_is_lost_alone(rig: Rig) -> None:
    """Its asker is told and it is counted as poison; what came later is served by a new thread."""
    started(rig)
    lost = hold(rig, Explode)
    kept = rig.ask("store", timeout_s=1000)
    rig.run()
    rig.gate.set()
    rig.until(lost.done)
    assert isinstance(error_of(lost), ActorStopped)
    assert not kept.done()
    rig.advance(1)
    rig.until(kept.done)
    assert kept.get(timeout=0) == Answer("t", 2)
    assert rig.system.statistics().dead_letters == {"poison": 1}


def test_it_shuts_down_after_its_queue(rig: Rig) -> None:
    """What is queued is committed; then the behaviour is told, and the thread ends."""
    started(rig)
    futures = [rig.ask("store") for _ in range(10)]
    rig.close()
    assert [future.get(timeout=0) for future in futures] == [Answer("t", 1)] * 10
    assert rig.log.of("store")[-1] == "stopped"
    assert rig.log.of("beside")[-1] == "stopped shutdown"


def test_a_thread_that_hangs_is_left_behind(rig: Rig) -> None:
    """The system ends without it after `shutdown_s`; what it still replies is dropped."""
    started(rig, shutdown_s=2.0)
    asked = hold(rig)
    rig.system.shutdown()
    rig.run()
    rig.advance(2.0)
    assert rig.system.ended
    assert isinstance(error_of(asked), ActorStopped)
    rig.gate.set()


def test_it_is_restarted_with_its_siblings(rig: Rig) -> None:
    """Suspending waits for the thread; the queue is kept."""
    group = SupervisorSpec(
        "group", Strategy.ONE_FOR_ALL, (rig.blocking("store"), rig.probe("ledger"))
    )
    rig.start(group)
    assert ready(rig)
    hold(rig)
    rig.tell("ledger", Crash())
    kept = rig.ask("store", timeout_s=1000)
    rig.advance(1)
    assert rig.log.incarnations == {"store": 1, "ledger": 1}
    rig.gate.set()
    rig.until(lambda: rig.system.cells["store"].state is State.WAITING)
    rig.advance(1)
    rig.until(kept.done)
    assert kept.get(timeout=0) == Answer("t", 2)
    assert rig.log.incarnations == {"store": 2, "ledger": 2}


def test_a_crash_while_it_is_waited_for(rig: Rig) -> None:
    """The batch that was to be its last crashes: it is restarted with the others all the same."""
    group = SupervisorSpec(
        "group", Strategy.ONE_FOR_ALL, (rig.blocking("store"), rig.probe("ledger"))
    )
    rig.start(group)
    asked = hold(rig, Explode)
    rig.tell("ledger", Crash())
    rig.gate.set()
    rig.until(asked.done)
    rig.advance(1)
    assert ready(rig)
    assert rig.log.incarnations == {"store": 2, "ledger": 2}


@pytest.mark.parametrize("ending", ["stop", "ref", "shutdown"])
def test_ending_what_waits_to_be_restarted(rig: Rig, ending: str) -> None:
    """There is no thread to wait for; what is queued is counted."""
    started(rig)
    rig.system.kill("store")
    rig.system.tell("store", Say("lost"))
    match ending:
        case "stop":
            rig.system.stop("store")
        case "ref":
            assert rig.system.ref("store").stop(block=False).get() is True
        case _:
            rig.system.shutdown()
    rig.run()
    assert "store" not in rig.system.cells
    assert rig.system.statistics().dead_letters == {"stopped": 1}


def test_its_context(rig: Rig) -> None:
    """It may tell from its thread, and look at the clocks."""

    class Clock(BlockingActor):
        receives = Question

        def __init__(self, ctx: Any) -> None:
            self.ctx: BlockingContext = ctx

        def handle(self, batch: Sequence[Message]) -> Sequence[tuple[Address, Message]]:
            self.ctx.tell("beside", Say(f"{self.ctx.now()} {self.ctx.wall()}"))
            return ()

    rig.start(ChildSpec("clock", Clock, blocking=True), rig.probe("beside"))
    rig.system.tell("clock", Question("beside", "t"))
    rig.until(lambda: len(rig.log.of("beside")) == 2)
    assert rig.log.of("beside")[1] == "1000.0 1700001000.0"


@pytest.mark.parametrize("shut_down", [True, False])
def test_the_end_comes_while_a_thread_is_waited_for(rig: Rig, shut_down: bool) -> None:
    """A restart waits for the thread's batch when the system is shut down, or its root gives up."""
    group = SupervisorSpec(
        "group", Strategy.ONE_FOR_ALL, (rig.blocking("store"), rig.probe("ledger"))
    )
    rig.start(group, rig.probe("beside"), intensity=0)
    asked = hold(rig, Question)
    rig.tell("ledger", Crash())
    if shut_down:
        rig.system.shutdown()
    else:
        rig.system.kill("beside")
    rig.run()
    assert not rig.system.ended
    rig.gate.set()
    rig.until(lambda: rig.system.ended)
    assert asked.done()
    assert (rig.system.failure is None) == shut_down
    statistics = rig.system.statistics()
    assert (statistics.cells, statistics.asks, statistics.timers) == (0, 0, 0)


@pytest.mark.parametrize("order", ["stop", "kill"])
def test_orders(rig: Rig, order: str) -> None:
    """Stopped for good, or killed and started again on a new thread."""
    started(rig)
    getattr(rig.system, order)("store")
    if order == "kill":
        rig.advance(1)
        assert ready(rig)
        assert rig.log.incarnations["store"] == 2
    else:
        rig.until(lambda: "store" not in rig.system.cells)
        assert rig.log.of("store")[-1] == "stopped"


def test_failing_to_start_escalates(rig: Rig) -> None:
    """A database that cannot be opened ends the system in the end."""
    rig.log.cannot_start.add("store")
    rig.start(rig.blocking("store"))
    while not rig.system.ended:
        rig.until(lambda: rig.system.ended or rig.system.next_timer() is not None)
        rig.advance(1)
    assert "cannot start" in str(rig.system.failure)


def test_its_mailbox_is_bounded_for_new_work(rig: Rig) -> None:
    """As any other."""
    started(rig, capacity=1)
    hold(rig)
    accepted, refused, question = rig.ask("store", Job), rig.ask("store", Job), rig.ask("store")
    assert refused.get(timeout=0) == Overloaded("t")
    rig.gate.set()
    rig.until(lambda: accepted.done() and question.done())
    assert question.get(timeout=0) == Answer("t", 1)


def test_unreadable_messages_are_counted(rig: Rig) -> None:
    """And the batch goes on without them."""
    started(rig)
    rig.system.tell("store", Unknown())
    assert ready(rig)
    rig.until(lambda: bool(rig.system.statistics().dead_letters))
    assert rig.system.statistics().dead_letters == {"unreadable": 1}


def test_refs_reach_it(rig: Rig) -> None:
    """pykka's tell, ask and stop."""
    started(rig)
    ref = rig.system.ref("store")
    ref.tell(Say("x"))
    future = ref.ask(Question("", "t"), block=False)
    assert isinstance(future, Future)
    rig.until(future.done)
    assert future.get() == Answer("t", 1)
    stopping = ref.stop(block=False)
    rig.until(lambda: not ref.is_alive())
    assert stopping.get()
    assert "store" not in rig.system.cells
