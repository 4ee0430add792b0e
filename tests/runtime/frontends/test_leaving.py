"""Clients that leave: who waits long enough is watched, and who was answered is not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from starlette.types import Message

from runtime.frontends.http import leaving
from runtime.frontends.http.leaving import Leaving

WITHIN_S = 10.0


@pytest.fixture(autouse=True)
def _look_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaving, "LOOK_EVERY_S", 0.0)


class Client:
    """`receive` as a server gives it."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.gone = asyncio.Event()
        self.noticed = asyncio.Event()
        self.rest: list[Message] = [{"type": "http.request", "body": b"more"}]

    async def receive(self) -> Message:
        self.asked.set()
        if self.rest:
            return self.rest.pop()
        await self.gone.wait()
        return {"type": "http.disconnect"}


def run(story: Callable[[], Awaitable[None]]) -> None:
    async def within() -> None:
        await asyncio.wait_for(story(), WITHIN_S)

    asyncio.run(within())


def test_who_leaves_is_noticed_once_looked_at_twice() -> None:
    async def story() -> None:
        client, watched = Client(), Leaving()
        watch = watched.watch(client.receive, client.noticed.set)
        await client.asked.wait()
        assert not client.noticed.is_set()
        client.gone.set()
        await client.noticed.wait()
        watch.end()

    run(story)


def test_who_was_answered_costs_no_task_and_is_not_noticed() -> None:
    async def story() -> None:
        soon, late, watched = Client(), Client(), Leaving()
        watched.watch(soon.receive, soon.noticed.set).end()
        watched.watch(late.receive, late.noticed.set)
        late.gone.set()
        soon.gone.set()
        await late.noticed.wait()
        assert not soon.asked.is_set()
        assert not soon.noticed.is_set()

    run(story)


def test_who_was_answered_while_watched_is_not_noticed() -> None:
    """And it looks no more while nobody waits."""

    async def story() -> None:
        first, second, watched = Client(), Client(), Leaving()
        watch = watched.watch(first.receive, first.noticed.set)
        await first.asked.wait()
        watch.end()
        first.gone.set()
        watched.watch(second.receive, second.noticed.set)
        second.gone.set()
        await second.noticed.wait()
        assert not first.noticed.is_set()
        assert repr(watched) == "<Leaving: 0 not watched yet>"

    run(story)
