"""The reactor over real sockets: who hears of what, in which turn, and who does not."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from functools import partial

import pytest
import trio
from trio.lowlevel import Task

from runtime.reactor import READ, WRITE, Reactor, Timer

PATIENCE_S = 10.0


class Pairs:
    """Connected pairs of sockets; `near` belongs to the reactor, `far` to the test."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def make(self) -> tuple[socket.socket, socket.socket]:
        near, far = socket.socketpair()
        for end in (near, far):
            end.setblocking(False)
            self._stack.enter_context(end)
        return near, far


@pytest.fixture
def pairs() -> Iterator[Pairs]:
    with ExitStack() as stack:
        yield Pairs(stack)


@asynccontextmanager
async def serving(reactor: Reactor) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        await nursery.start(reactor.serve)
        yield
        nursery.cancel_scope.cancel()


async def until(condition: Callable[[], bool]) -> None:
    with trio.fail_after(PATIENCE_S):
        while not condition():
            await trio.lowlevel.checkpoint()


@pytest.mark.trio
async def test_a_readable_socket_is_heard_of(pairs: Pairs) -> None:
    """With what it was ready for; and again, until what came is read."""
    near, far = pairs.make()
    heard: list[int] = []
    reactor = Reactor()
    async with serving(reactor):
        reactor.add(near.fileno(), heard.append)
        far.send(b"x")
        await until(lambda: len(heard) >= 3)
        reactor.remove(near.fileno())
        assert set(heard) == {READ}
        assert repr(reactor) == "<Reactor: 0 sockets, 0 timers>"


@pytest.mark.trio
async def test_a_socket_hears_of_what_it_is_watched_for(pairs: Pairs) -> None:
    """Reading, writing, both or nothing; a hang-up counts as what is watched for."""
    near, far = pairs.make()
    heard: list[int] = []
    reactor = Reactor()
    reactor.add(near.fileno(), heard.append, WRITE)
    far.send(b"x")
    async with serving(reactor):
        await until(lambda: heard == [WRITE] * len(heard) and len(heard) > 2)
        heard.clear()
        reactor.watch(near.fileno(), READ | WRITE)
        await until(lambda: READ | WRITE in heard)
        reactor.watch(near.fileno(), 0)
        far.close()
        heard.clear()
        for _ in range(5):
            await trio.testing.wait_all_tasks_blocked()
        assert heard == []
        reactor.watch(near.fileno(), WRITE)
        await until(lambda: WRITE in heard)
        assert set(heard) == {WRITE}
        reactor.remove(near.fileno())
        reactor.remove(near.fileno())


@pytest.mark.trio
async def test_nothing_runs_while_nothing_happens(pairs: Pairs) -> None:
    """With sockets and a distant timer, the one task sleeps."""
    reactor = Reactor()
    for _ in range(10):
        near, _far = pairs.make()
        reactor.add(near.fileno(), _unexpected)
    reactor.at(trio.current_time() + 1000, lambda _: None)
    async with serving(reactor):
        await trio.testing.wait_all_tasks_blocked()
        steps = Steps(lambda: 0)
        trio.lowlevel.add_instrument(steps)
        await trio.testing.wait_all_tasks_blocked(0.05)
        trio.lowlevel.remove_instrument(steps)
    assert steps.counts == []


def _unexpected(mask: int) -> None:
    raise AssertionError(f"heard of {mask}")


# --- batches ---


@pytest.mark.trio
async def test_what_is_removed_within_a_batch_hears_nothing_more(pairs: Pairs) -> None:
    """Two sockets are ready at once; whoever is first removes the other."""
    ends = [pairs.make() for _ in range(2)]
    reactor = Reactor()
    heard: list[int] = []

    def hear(own: int, other: int, mask: int) -> None:
        heard.append(own)
        reactor.remove(own)
        reactor.remove(other)

    fds = [near.fileno() for near, _ in ends]
    for own, other in (fds, fds[::-1]):
        reactor.add(own, partial(hear, own, other))
    for _, far in ends:
        far.send(b"x")
    async with serving(reactor):
        await until(lambda: bool(heard))
        await trio.testing.wait_all_tasks_blocked()
    assert len(heard) == 1


@pytest.mark.trio
async def test_a_stale_event_never_reaches_the_next_owner_of_a_number(pairs: Pairs) -> None:
    """A descriptor that is closed and opened again within the batch begins afresh."""
    ends = [pairs.make() for _ in range(2)]
    (quiet, other_end), reactor = pairs.make(), Reactor()
    heard: list[str] = []
    numbers = [near.fileno() for near, _ in ends]
    replaced: list[int] = []

    def replace(own: int, mask: int) -> None:
        """Closes the other socket, and puts a quiet one under its number."""
        (taken,) = (fd for fd in numbers if fd != own)
        reactor.remove(own)
        reactor.remove(taken)
        os.dup2(quiet.fileno(), taken)
        replaced.append(taken)
        reactor.add(taken, lambda _: heard.append("new owner"))

    for fd in numbers:
        reactor.add(fd, partial(replace, fd))
    for _, far in ends:
        far.send(b"x")
    async with serving(reactor):
        await until(lambda: bool(replaced))
        await trio.testing.wait_all_tasks_blocked()
        assert heard == []
        other_end.send(b"x")  # but of its own events it hears
        await until(lambda: bool(heard))
        reactor.remove(replaced[0])


class Steps(trio.abc.Instrument):
    """How much `count` grew in each step of the tasks called `name`."""

    def __init__(self, count: Callable[[], int], name: str = "Reactor.serve") -> None:
        self.counts: list[int] = []
        self._count = count
        self._name = name
        self._before = 0

    def before_task_step(self, task: Task) -> None:
        self._before = self._count()

    def after_task_step(self, task: Task) -> None:
        if self._name in task.name:
            self.counts.append(self._count() - self._before)


async def deliveries_per_step(pairs: Pairs, sockets: int, each_s: float) -> tuple[list[int], int]:
    """Of a reactor at which `sockets` are ready, and whose callbacks each take so long.

    And how many different sockets were heard in as many deliveries.
    """
    now = 0.0
    heard: list[int] = []
    reactor = Reactor(clock=lambda: now)

    def hear(fd: int, mask: int) -> None:
        nonlocal now
        now += each_s
        heard.append(fd)

    for _ in range(sockets):
        near, far = pairs.make()
        far.send(b"x")
        reactor.add(near.fileno(), partial(hear, near.fileno()))
    steps = Steps(lambda: len(heard))
    trio.lowlevel.add_instrument(steps)
    async with serving(reactor):
        await until(lambda: len(heard) >= 4 * sockets)
    trio.lowlevel.remove_instrument(steps)
    return [count for count in steps.counts if count], len(set(heard[:sockets]))


@pytest.mark.trio
async def test_a_turn_delivers_at_most_32_events(pairs: Pairs) -> None:
    """However little they cost; and all are served before any is served again."""
    counts, different = await deliveries_per_step(pairs, sockets=96, each_s=0.0)
    assert set(counts) == {32}
    assert different == 96


@pytest.mark.trio
@pytest.mark.parametrize(("each_s", "most"), [(0.0004, 3), (0.002, 1)])
async def test_a_turn_ends_after_a_millisecond_of_work(
    pairs: Pairs, each_s: float, most: int
) -> None:
    """Other tasks then run; the rest of what was fetched comes next, so nobody starves."""
    counts, different = await deliveries_per_step(pairs, sockets=40, each_s=each_s)
    assert max(counts) == most
    assert different == 40


@pytest.mark.trio
async def test_timers_share_the_millisecond(pairs: Pairs) -> None:
    """A thousand deadlines at once do not hold the loop."""
    now = 0.0
    fired: list[int] = []
    reactor = Reactor(clock=lambda: now)

    def fire(_: Timer) -> None:
        nonlocal now
        now += 0.0004
        fired.append(1)

    for _ in range(30):
        reactor.at(trio.current_time(), fire)
    steps = Steps(lambda: len(fired))
    trio.lowlevel.add_instrument(steps)
    async with serving(reactor):
        await until(lambda: len(fired) == 30)
    trio.lowlevel.remove_instrument(steps)
    assert max(steps.counts) == 3


# --- timers ---


@pytest.mark.trio
async def test_timers_go_off_in_time(autojump_clock: trio.testing.MockClock) -> None:
    """Each at its time, whichever was set first; a cancelled one never."""
    reactor = Reactor()
    fired: list[tuple[str, float]] = []
    begun = trio.current_time()

    def note(name: str) -> Callable[[Timer], None]:
        return lambda _: fired.append((name, round(trio.current_time() - begun, 3)))

    async with serving(reactor):
        reactor.at(begun + 5, note("late"))
        cancelled = reactor.at(begun + 2, note("cancelled"))
        await trio.testing.wait_all_tasks_blocked()
        reactor.at(begun + 1, note("early"))
        reactor.at(begun + 3, lambda _: reactor.cancel(cancelled))
        reactor.cancel(cancelled)
        await trio.sleep(6)
        reactor.at(begun, note("overdue"))
        assert fired == [("early", 1.0), ("late", 5.0)]  # never at once
        await trio.testing.wait_all_tasks_blocked()
    assert fired[2:] == [("overdue", 6.0)]


# --- failures ---


@pytest.mark.trio
async def test_a_callback_that_raises_is_that_sockets_failure_alone(
    pairs: Pairs, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged without its words, removed, and its owner is told; the others go on."""
    reactor = Reactor()
    failures: list[Exception] = []
    heard: list[int] = []

    def broken(mask: int) -> None:
        raise ValueError("sk-secret")

    def broken_too(error: Exception) -> None:
        failures.append(error)
        raise error

    for ready in (broken, heard.append):
        near, far = pairs.make()
        far.send(b"x")
        reactor.add(near.fileno(), ready, failed=broken_too)
    reactor.at(trio.current_time(), broken)
    with caplog.at_level(logging.ERROR, "planhub.reactor"):
        async with serving(reactor):
            await until(lambda: bool(failures) and len(heard) > 3)
    assert [str(error) for error in failures] == ["sk-secret"]
    assert len(caplog.records) == 3
    assert "ValueError" in caplog.text
    assert "sk-secret" not in caplog.text
    assert repr(reactor) == "<Reactor: 1 sockets, 0 timers>"


@pytest.mark.trio
async def test_it_can_be_served_again_and_leaves_nothing_open(pairs: Pairs) -> None:
    """Nothing is delivered in between; what is registered is heard of afterwards."""
    near, far = pairs.make()
    heard: list[int] = []
    reactor = Reactor()
    before = len(os.listdir("/proc/self/fd"))
    async with serving(reactor):
        reactor.add(near.fileno(), heard.append)
    far.send(b"x")
    await trio.testing.wait_all_tasks_blocked()
    assert heard == []
    assert len(os.listdir("/proc/self/fd")) == before
    async with serving(reactor):
        await until(lambda: bool(heard))
        reactor.remove(near.fileno())
    assert Reactor.available()
