"""A deadline for what is mostly done without waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from types import coroutine
from typing import Any, TypeVar, cast

T = TypeVar("T")


async def within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """What `work` returns; raises TimeoutError when that takes too long.

    As `asyncio.timeout`, whose timer is only set when `work` has to wait at all.
    """
    try:
        awaited = work.send(None)
    except StopIteration as end:
        return cast("T", end.value)
    async with asyncio.timeout(seconds):
        return await _resumed(work, awaited)


@coroutine
def _resumed(work: Coroutine[Any, Any, T], awaited: Any) -> Generator[Any, Any, T]:
    """Goes on with what has been begun, and waits for `awaited`."""
    try:
        while True:
            try:
                sent = yield awaited
            except BaseException as error:  # noqa: BLE001 - it is for `work`, which waits
                awaited = work.throw(error)
            else:
                awaited = work.send(sent)
    except StopIteration as end:
        return cast("T", end.value)
