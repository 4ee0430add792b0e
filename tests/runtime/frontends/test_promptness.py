"""A deadline for what is mostly done without waiting: nothing of `asyncio.timeout` is lost."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from runtime.frontends.http.promptness import within

WITHIN_S = 10.0


async def _value(*waits: asyncio.Future[int]) -> int:
    return sum([await wait for wait in waits])


def test_what_need_not_wait_sets_no_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_timer(_: float) -> Any:
        raise AssertionError("a timer was set")

    monkeypatch.setattr(asyncio, "timeout", no_timer)
    assert asyncio.run(within(WITHIN_S, _value())) == 0


def test_what_waits_goes_on() -> None:
    """Through as many waits as it has."""

    async def story() -> int:
        loop = asyncio.get_running_loop()
        first, second = loop.create_future(), loop.create_future()
        loop.call_soon(first.set_result, 1)
        first.add_done_callback(lambda _: loop.call_soon(second.set_result, 2))
        return await within(WITHIN_S, _value(first, second))

    assert asyncio.run(story()) == 3


@pytest.mark.parametrize("waits", [0, 1])
def test_what_it_raises_is_raised(waits: int) -> None:
    async def fails() -> None:
        for _ in range(waits):
            await asyncio.sleep(0)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(within(WITHIN_S, fails()))


def test_what_takes_too_long_is_ended() -> None:
    """And may tidy up first, waiting for that too."""
    tidied = []

    async def slow() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await asyncio.sleep(0)
            tidied.append("tidied")

    with pytest.raises(TimeoutError):
        asyncio.run(within(0.0, slow()))
    assert tidied


def test_a_cancelled_waiter_cancels_it() -> None:
    async def story() -> None:
        wait: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        waiter = asyncio.ensure_future(within(WITHIN_S, _value(wait)))
        await asyncio.sleep(0)
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        assert wait.cancelled()

    asyncio.run(story())
