"""The host: on a thread of its own, inside trio, beside asyncio."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import signal
import threading
import time
from pathlib import Path

import pykka
import pytest
import trio

from actors.base import Strategy, SupervisorSpec
from runtime.kernel import ActorStopped, Host, Service, System, WrongThread
from tests.runtime.kernel.rig import (
    PATIENCE_S,
    Answer,
    Crash,
    Mute,
    Question,
    Rig,
    Say,
)


def host(*services: Service, rig: Rig | None = None, intensity: int = 3) -> Host:
    """A host of one plain and one blocking probe, on the real clock."""
    rig = rig or Rig()
    system = System(
        clock=time.monotonic,
        wall=time.time,
        random=random.Random(1).random,
        emit=lambda *_: None,
        start_work=lambda *_: None,
        abort_work=lambda *_: None,
    )
    children = (rig.probe("a"), rig.blocking("store"))
    group = SupervisorSpec("group", Strategy.ONE_FOR_ONE, children, intensity=intensity)
    requests = SupervisorSpec("requests", Strategy.ONE_FOR_ONE)
    root = SupervisorSpec("root", Strategy.ONE_FOR_ONE, (group, requests), intensity=0)
    return Host(system, root, services)


def question(address: str) -> Question:
    return Question(address, "t")


def descriptors() -> int:
    path = Path("/proc/self/fd")
    return len(os.listdir(path)) if path.exists() else 0


def test_fifty_times_in_one_process() -> None:
    """No thread, descriptor or registry entry is left, and every engine answers."""
    threads, fds = threading.active_count(), descriptors()
    registered = len(pykka.ActorRegistry.get_all())
    for _ in range(50):
        engine = host()
        engine.start()
        futures = [engine.system.ask(name, question, PATIENCE_S) for name in ("a", "store")]
        assert [future.get(PATIENCE_S) for future in futures] == [Answer("t", 1)] * 2
        engine.stop()
        assert engine.failure is None
    assert threading.active_count() == threads
    assert descriptors() == fds
    assert len(pykka.ActorRegistry.get_all()) == registered


def test_the_process_is_left_alone() -> None:
    """Signal handlers and the collector's settings are the host program's."""
    before = (gc.get_threshold(), gc.get_freeze_count(), gc.isenabled())
    handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
    engine = host()
    engine.start()
    try:
        assert (gc.get_threshold(), gc.get_freeze_count(), gc.isenabled()) == before
        assert {n: signal.getsignal(n) for n in signal.valid_signals()} == handlers
    finally:
        engine.stop()


def test_a_restart_in_real_time() -> None:
    """The dispatcher sleeps until the timer of the restart, and wakes for it."""
    engine = host()
    engine.start()
    try:
        engine.system.tell("a", Crash())
        future = engine.system.ask("a", question, PATIENCE_S)
        assert future.get(PATIENCE_S) == Answer("t", 2)
    finally:
        engine.stop()


def test_inside_trio() -> None:
    """On the program's own loop, awaited there; what the block raises comes out as it is."""

    async def main() -> None:
        async with engine.running() as system:
            assert await system.ask("a", question, PATIENCE_S) == Answer("t", 1)
            assert await system.ask("store", question, PATIENCE_S) == Answer("t", 1)
            with pytest.raises(WrongThread):
                system.ask("a", question, PATIENCE_S).get()
            raise KeyError

    engine = host()
    with pytest.raises(KeyError):
        trio.run(main)
    assert engine.system.ended
    with pytest.raises(ActorStopped):
        engine.system.ask("a", question, PATIENCE_S).get()


def test_cancelling_the_trio_program() -> None:
    """The system shuts down in order on the way out."""
    rig = Rig()

    async def main() -> None:
        with trio.CancelScope() as scope:
            async with host(rig=rig).running() as system:
                assert await system.ask("store", question, PATIENCE_S)
                scope.cancel()
                await trio.sleep_forever()
        assert scope.cancelled_caught

    trio.run(main)
    assert rig.log.of("a")[-1] == "stopped shutdown"
    assert rig.log.of("store")[-1] == "stopped"


def test_beside_asyncio() -> None:
    """The engine on its thread, awaited in a running asyncio loop."""

    async def main() -> None:
        engine = host()
        engine.start()
        try:
            asked = [engine.system.ask("a", question, PATIENCE_S) for _ in range(100)]
            answers = [await future for future in asked]
            assert answers == [Answer("t", 1)] * 100
        finally:
            await asyncio.to_thread(engine.stop)

    asyncio.run(main())


def test_a_failed_service_ends_the_system() -> None:
    """Open asks are told, later ones too, and `failure` says why; `stop` finds nothing to do."""
    fail = threading.Event()

    async def service(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await trio.to_thread.run_sync(fail.wait, PATIENCE_S)
        raise OSError("the socket is gone")

    engine = host(service)
    engine.start()
    opened = engine.system.ask("a", lambda address: Mute(address, "t"), PATIENCE_S)
    fail.set()
    with pytest.raises(ActorStopped, match="the socket is gone"):
        opened.get(PATIENCE_S)
    assert "OSError: the socket is gone" in str(engine.failure)
    with pytest.raises(ActorStopped, match="the socket is gone"):
        engine.system.ask("a", question, PATIENCE_S).get(PATIENCE_S)
    engine.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "planhub engine"]


def test_a_failed_tree_ends_the_host() -> None:
    """The root gave up: reported likewise."""
    engine = host(intensity=0)
    engine.start()
    opened = engine.system.ask("a", lambda address: Mute(address, "t"), PATIENCE_S)
    engine.system.kill("a")
    with pytest.raises(ActorStopped):
        opened.get(PATIENCE_S)
    with pytest.raises(ActorStopped, match="killed"):
        engine.system.ask("a", question, PATIENCE_S).get(PATIENCE_S)
    assert "killed" in str(engine.failure)
    engine.stop()


def test_a_failing_dispatcher_ends_the_system() -> None:
    """A defect of the kernel's own is reported like any other failure, and nothing hangs."""
    engine = host()
    engine.start()
    opened = engine.system.ask("a", lambda address: Mute(address, "t"), PATIENCE_S)
    engine.call_soon(lambda: engine.system.arm(0.0, lambda _: 1 / 0))  # type: ignore[arg-type]
    with pytest.raises(ActorStopped, match="division by zero"):
        opened.get(PATIENCE_S)
    engine.stop()


def test_a_tree_that_cannot_start() -> None:
    """`start` raises what was wrong, and nothing is left running."""
    rig = Rig()
    engine = host()
    engine._tree = SupervisorSpec("root", Strategy.ONE_FOR_ONE, (rig.probe("a"), rig.probe("a")))
    with pytest.raises(ValueError, match="is taken"):
        engine.start()
    engine.stop()
    assert "is taken" in str(engine.failure)


def test_services_run_beside() -> None:
    """On the engine's thread, until the end, where they are cancelled."""
    seen: list[object] = []
    ready = threading.Event()

    async def service(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        seen.append(threading.get_ident())
        ready.set()
        try:
            await trio.sleep_forever()
        finally:
            seen.append("cancelled")

    async def short(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        seen.append("short")

    engine = host(service, short)
    engine.start()
    assert ready.wait(PATIENCE_S)
    called = threading.Event()
    engine.call_soon(lambda: seen.append(threading.get_ident()))
    raised: list[BaseException] = []

    def stop_here() -> None:
        try:
            engine.stop()
        except WrongThread as error:
            raised.append(error)

    engine.call_soon(stop_here)
    engine.call_soon(called.set)
    assert called.wait(PATIENCE_S)
    assert len(raised) == 1
    engine.stop()
    assert seen[-1] == "cancelled"
    assert "short" in seen
    assert len({item for item in seen if isinstance(item, int)}) == 1
    with pytest.raises(ActorStopped):
        engine.call_soon(lambda: None)


def test_stop_has_a_deadline() -> None:
    """Actors that do not come to an end are ended as they are."""
    rig = Rig()
    engine = host(rig=rig)
    engine.start()
    assert engine.system.ask("store", question, PATIENCE_S).get(PATIENCE_S)
    rig.gate.clear()
    rig.entered.clear()
    engine.system.tell("store", Say("busy"))
    assert rig.entered.wait(PATIENCE_S)
    engine.stop(timeout=0.05)
    assert engine.system.ended
    rig.gate.set()


def test_a_host_runs_once() -> None:
    """A second start is refused and does no harm."""
    engine = host()
    engine.start()
    try:
        with pytest.raises(RuntimeError, match="once"):
            engine.start()
        assert engine.system.ask("a", question, PATIENCE_S).get(PATIENCE_S) == Answer("t", 1)
    finally:
        engine.stop()


def test_stopping_what_never_started() -> None:
    """Nothing to do."""
    host().stop()


def test_asks_race_the_end() -> None:
    """Many threads ask while the host stops: every ask is settled."""
    engine = host()
    engine.start()
    settled: list[bool] = []
    go = threading.Barrier(5)

    def ask_much() -> None:
        go.wait(PATIENCE_S)
        futures = [engine.system.ask("a", question, PATIENCE_S) for _ in range(200)]
        for future in futures:
            try:
                future.get(PATIENCE_S)
            except ActorStopped:
                settled.append(False)
            else:
                settled.append(True)

    threads = [threading.Thread(target=ask_much) for _ in range(4)]
    for thread in threads:
        thread.start()
    go.wait(PATIENCE_S)
    engine.stop()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert len(settled) == 800
    assert engine.system.statistics().asks == 0


def test_status_line() -> None:
    """A host says how its system is."""
    assert repr(host()) == "<Host of <System running: 0 cells, 0 ready>>"
