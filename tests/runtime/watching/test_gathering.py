"""Deltas become events of some 30 ms, whatever the vendor's pace; nothing is lost at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from runtime.watching import EventLog, Feed
from runtime.watching.gathering import Gathering


@asynccontextmanager
async def gathering(
    log_of: Callable[[str], EventLog | None],
) -> AsyncIterator[Gathering]:
    texts = Gathering(log_of)
    async with trio.open_nursery() as nursery:
        await nursery.start(texts.serve)
        yield texts
        nursery.cancel_scope.cancel()


def told(feed: Feed) -> list[str]:
    """Texts, and the names of what is none."""
    return [event.as_map().get("text", event.name) for event in feed.take()]


@pytest.mark.trio
async def test_what_comes_close_together_is_one_event(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Two runs are gathered side by side."""
    logs = {"a": EventLog("a"), "b": EventLog("b")}
    feeds = {run: Feed(log) for run, log in logs.items()}
    async with gathering(logs.get) as texts:
        for run in logs:
            assert texts.begins(f"{run}.1")
        for _ in range(10):
            texts.grows("a.1", "x")
            texts.grows("b.1", "y")
            await trio.sleep(0.007)
        await trio.sleep(0.1)
    assert {run: told(feed) for run, feed in feeds.items()} == {
        "a": ["xxxxx"] * 2,
        "b": ["yyyyy"] * 2,
    }


@pytest.mark.trio
async def test_the_end_waits_for_nothing(autojump_clock: trio.testing.MockClock) -> None:
    """What is left is shown before anybody hears that the vendor has answered."""
    log = EventLog("a")
    feed = Feed(log)
    async with gathering({"a": log}.get) as texts:
        texts.begins("a.1")
        texts.grows("a.1", "all of it")
        texts.ends("a.1", answered=True)
        assert told(feed) == ["all of it"]
        await trio.sleep(1)
        assert told(feed) == []


@pytest.mark.trio
async def test_what_fails_is_void(autojump_clock: trio.testing.MockClock) -> None:
    log = EventLog("a")
    feed = Feed(log)
    async with gathering({"a": log}.get) as texts:
        texts.begins("a.1")
        texts.grows("a.1", "half")
        texts.ends("a.1", answered=False)
        texts.begins("a.2")
        texts.grows("a.1", "late")
        texts.grows("a.2", "anew")
        await trio.sleep(0.1)
    assert told(feed) == ["half", "text_reset", "anew"]


@pytest.mark.trio
async def test_nobody_is_shown_what_nobody_watches(autojump_clock: trio.testing.MockClock) -> None:
    """A run whose events are kept for later is not one whose text is wanted now."""
    kept = EventLog("kept")
    async with gathering({"kept": kept}.get) as texts:
        assert not texts.begins("kept.1")
        assert not texts.begins("unknown.1")
        texts.grows("unknown.1", "x")
        await trio.sleep(0.1)
        texts.ends("unknown.1", answered=False)
    assert kept.last_seq == 0
