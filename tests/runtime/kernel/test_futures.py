"""The future, by itself and awaited."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError

import pykka
import pytest
import trio

from runtime.kernel import Future, WaitTimeout, WrongThread
from runtime.kernel.future import Home
from tests.runtime.kernel.rig import PATIENCE_S


def elsewhere(function: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=function)
    thread.start()
    return thread


def test_one_future_for_trio_asyncio_and_threads() -> None:
    """Settled on one thread, awaited in both libraries, waited for in a thread, called back."""

    async def awaited(future: Future[int]) -> int:
        elsewhere(lambda: future.set(7)).join(PATIENCE_S)
        return await future

    async def awaited_first(future: Future[int]) -> int:
        thread = threading.Timer(0.0, future.set, (7,))
        thread.start()
        value = await future
        thread.join(PATIENCE_S)
        return value

    for waiting in (awaited, awaited_first):
        assert trio.run(waiting, Future[int]()) == 7
        assert asyncio.run(waiting(Future[int]())) == 7
        assert asyncio.run(waiting(Future[int](Home()))) == 7
    future = Future[int]()
    called: list[Future[int]] = []
    future.add_done_callback(called.append)
    thread = elsewhere(lambda: future.set(7))
    assert future.get(timeout=PATIENCE_S) == 7
    thread.join(PATIENCE_S)
    future.add_done_callback(called.append)
    assert called == [future, future]


def test_waiting_on_the_engines_thread_raises() -> None:
    """It would wait for itself; what is settled can be had."""
    future = Future[int](Home())
    with pytest.raises(WrongThread):
        future.get()
    with pytest.raises(WrongThread):
        future.map(lambda value: value).get(timeout=1)
    future.set(1)
    assert future.get() == 1


def test_settling_again_changes_nothing() -> None:
    """Nor does it raise: that would kill a thread which still looks alive."""
    future = Future[int]()
    future.set(1)
    future.set(2)
    future.set_exception((ValueError, ValueError(), None))
    assert not future.cancel()
    assert future.get() == 1
    future.set_get_hook(lambda _: 3)
    assert future.get() == 1
    derived = future.map(lambda value: value + 1)
    derived.set(5)
    assert derived.get() == 2


def test_exceptions_are_raised() -> None:
    """As they are, as a class alone, or as the one being handled."""
    given, bare, handled = Future[int](), Future[int](), Future[int]()
    given.set_exception((ValueError, ValueError("x"), None))
    bare.set_exception((KeyError, None, None))
    try:
        raise OSError("y")
    except OSError:
        handled.set_exception()
    for future, error in ((given, ValueError), (bare, KeyError), (handled, OSError)):
        with pytest.raises(error):
            future.get(timeout=0)
    assert repr(given) == "<Future ValueError>"


def test_cancelling() -> None:
    """Whoever waits hears of it, and `cancelled` says so."""
    future = Future[int]()
    assert future.cancel()
    assert future.cancelled
    assert future.done()
    with pytest.raises(CancelledError):
        future.get()


def test_get_has_its_own_timeout() -> None:
    """A timeout for pykka's users and for everybody's; the future may still be settled later."""
    future = Future[int]()
    assert issubclass(WaitTimeout, pykka.Timeout)
    assert issubclass(WaitTimeout, TimeoutError)
    with pytest.raises(WaitTimeout):
        future.get(0.001)
    future.set(1)
    assert future.get() == 1
    assert repr(future) == "<Future answered>"


def test_derived_futures() -> None:
    """pykka's map, filter, join and reduce, also awaited before what they derive from is there."""
    one, two = Future[Iterable[int]](), Future[Iterable[int]]()
    mapped = one.map(lambda items: len([*items]))
    filtered = one.filter(lambda item: item > 1)
    reduced = one.reduce(lambda total, item: total + item, 0)
    joined = one.join(two).map(lambda lists: [*itertools.chain(*lists)])

    async def all_of_them() -> list[object]:
        assert not mapped.done()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, one.set, [1, 2, 3])
            nursery.start_soon(trio.to_thread.run_sync, two.set, [4])
            return [await mapped, await filtered, await reduced, await joined]
        raise AssertionError

    assert trio.run(all_of_them) == [3, [2, 3], 6, [1, 2, 3, 4]]
    assert joined.done()
    assert repr(mapped) == "<Future derived>"
    with pytest.raises(TypeError, match="no end of its own"):
        mapped.add_done_callback(print)
    assert pykka.get_all([filtered, filtered]) == [[2, 3], [2, 3]]


def test_a_failing_callback_hinders_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the next is called."""
    future = Future[int]()
    called: list[Future[int]] = []
    future.add_done_callback(lambda _: 1 / 0)  # type: ignore[arg-type]
    future.add_done_callback(called.append)
    future.set(1)
    assert called == [future]
    assert "callback failed" in caplog.text


def test_a_waiter_that_gave_up_leaves_nothing() -> None:
    """Its callback goes with it, in every library."""
    future = Future[int]()

    async def in_trio() -> None:
        with trio.move_on_after(0):
            await future

    async def in_asyncio() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(wrapped(), 0.001)

    async def wrapped() -> int:
        return await future

    trio.run(in_trio)
    asyncio.run(in_asyncio())
    assert future._callbacks == []


def test_asyncio_is_woken_once_for_many() -> None:
    """Futures settled together cost the loop one wake-up."""
    home, count = Home(), 50
    futures = [Future[int](home) for _ in range(count)]

    async def main() -> tuple[list[int], int]:
        loop = asyncio.get_running_loop()
        wakes = 0
        call_soon_threadsafe = loop.call_soon_threadsafe

        def counted(*args: object) -> object:
            nonlocal wakes
            wakes += 1
            return call_soon_threadsafe(*args)  # type: ignore[arg-type]

        loop.call_soon_threadsafe = counted  # type: ignore[method-assign,assignment]
        gathered = asyncio.gather(*map(wrapped, futures))
        await asyncio.sleep(0)
        elsewhere(lambda: deque(map(settle, futures))).join(PATIENCE_S)
        return await gathered, wakes

    async def wrapped(future: Future[int]) -> int:
        return await future

    def settle(future: Future[int]) -> None:
        future.set(1)

    values, wakes = asyncio.run(main())
    assert values == [1] * count
    assert wakes == 1


def test_settling_after_the_loop_has_gone() -> None:
    """The waiters are gone with it: nothing is raised."""
    futures: list[Future[int]] = []

    async def waiting() -> None:
        future = Future[int](Home())
        futures.append(future)
        task = asyncio.ensure_future(wrapped(future))
        await asyncio.sleep(0)
        futures[0]._callbacks.extend(list(future._callbacks))
        task.cancel()

    async def wrapped(future: Future[int]) -> int:
        return await future

    asyncio.run(waiting())
    futures[0].set(1)
    assert futures[0].get() == 1
