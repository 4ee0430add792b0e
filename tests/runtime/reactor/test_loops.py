"""What drives a system's turns: the kernel's own loop, and the reactor with its sockets."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from math import inf

import pytest
import trio

from runtime.kernel import AT_ONCE, Loop, Parking, Turn
from runtime.reactor import Reactor
from tests.runtime.reactor.test_reactor import PATIENCE_S, Steps, until


@pytest.fixture(params=[Parking, Reactor])
def loop(request: pytest.FixtureRequest) -> Loop:
    made: Loop = request.param()
    return made


@asynccontextmanager
async def running(loop: Loop, turn: Turn) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:

        async def run(*, task_status: trio.TaskStatus[None]) -> None:
            await loop.run(turn, task_status=task_status)

        await nursery.start(run)
        await trio.testing.wait_all_tasks_blocked()
        yield
        nursery.cancel_scope.cancel()


class Turns:
    """Counts the turns; each wants the next one `due()`."""

    def __init__(self, due: Callable[[], float] = lambda: inf) -> None:
        self.taken = 0
        self._due = due

    def __call__(self) -> float:
        self.taken += 1
        return self._due()


def elsewhere(function: Callable[[], None]) -> None:
    thread = threading.Thread(target=function)
    thread.start()
    thread.join(PATIENCE_S)


@pytest.mark.trio
async def test_a_turn_at_first_and_then_whenever_it_is_woken(loop: Loop) -> None:
    """By its own thread and by others; a wake-up that finds nobody waiting is not lost."""
    turns = Turns()
    async with running(loop, turns):
        assert turns.taken > 0
        for wake in (loop.wake, lambda: elsewhere(loop.wake)):
            for _ in range(3):
                before = turns.taken
                wake()
                await until(lambda before=before: turns.taken > before)  # type: ignore[misc]
                await trio.testing.wait_all_tasks_blocked()
        settled = turns.taken
        await trio.testing.wait_all_tasks_blocked(0.02)
        assert turns.taken == settled


@pytest.mark.trio
async def test_a_wake_up_amid_a_turn_brings_another(loop: Loop) -> None:
    """When another thread has something to say just as the loop goes to wait."""
    told = 0

    def turn() -> float:
        nonlocal told
        told += 1
        if told < 50:
            elsewhere(loop.wake)
        return inf

    async with running(loop, turn):
        await until(lambda: told >= 50)


@pytest.mark.trio
async def test_a_turn_when_it_is_due(loop: Loop, autojump_clock: trio.testing.MockClock) -> None:
    """At the time that the last turn named, and not because an earlier one had named another."""
    begun = trio.current_time()
    wanted = [5.0, 2.0, 7.0, inf]
    at: list[float] = []

    def turn() -> float:
        now = trio.current_time() - begun
        if not at or now > at[-1]:
            at.append(now)
        return begun + next(when for when in wanted if when > now)

    wanted.sort()
    async with running(loop, turn):
        await trio.sleep(20)
    assert [round(when) for when in at if round(when)] == [2, 5, 7]


@pytest.mark.trio
async def test_a_busy_turn_shares_the_loop(loop: Loop) -> None:
    """One that always wants the next at once lets other tasks have theirs."""
    turns = Turns(lambda: AT_ONCE)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(loop.run, turns)
        with trio.fail_after(PATIENCE_S):
            for _ in range(50):
                await trio.lowlevel.checkpoint()
        await until(lambda: turns.taken > 20)
        nursery.cancel_scope.cancel()


@pytest.mark.trio
async def test_waking_one_that_does_not_run_is_in_vain(loop: Loop) -> None:
    """Before it and afterwards; and it leaves nothing open."""
    before = len(os.listdir("/proc/self/fd"))
    loop.wake()
    for _ in range(2):
        async with running(loop, Turns()):
            pass
        loop.wake()
        elsewhere(loop.wake)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.trio
async def test_what_a_socket_brings_is_followed_by_a_turn() -> None:
    """In the same step of the reactor's task, and without a wake-up of its own."""
    reactor, turns = Reactor(), Turns()
    near, far = socket.socketpair()
    with near, far:
        near.setblocking(False)
        read: list[int] = []

        def ready(mask: int) -> None:
            read.append(len(near.recv(10)))
            reactor.wake()  # as a message for an actor does

        reactor.add(near.fileno(), ready)
        async with running(reactor, turns):
            before, steps = turns.taken, Steps(lambda: turns.taken, "running")
            trio.lowlevel.add_instrument(steps)
            far.send(b"x")
            await until(lambda: bool(read))
            await trio.testing.wait_all_tasks_blocked(0.02)
            trio.lowlevel.remove_instrument(steps)
        assert read == [1]
        assert 1 <= turns.taken - before <= 3
        assert len([count for count in steps.counts if count]) == 1
