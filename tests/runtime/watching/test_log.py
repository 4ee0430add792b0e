"""The events of a run, as every front end takes them: numbered, bounded, from any number on."""

from __future__ import annotations

import logging

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.events import AnswerKnown, CallStarted, RunFinished, RunStarted
from runtime.watching import EventLog, Feed, WatchedEvent

AT = 1_790_000_000.25


def log(events: int = 0, *, ended: bool = False, most_bytes: int = 1_000_000) -> EventLog:
    log = EventLog("r", most_bytes=most_bytes, clock=lambda: AT)
    for number in range(events):
        log.add(RunStarted(run="r", mode=f"{number}"))
    if ended:
        log.end(body=b'{"id":"r"}', http_status=200)
    return log


def rest(feed: Feed) -> list[int]:
    """The numbers of all that is left."""
    found: list[int] = []
    while events := feed.take(2):
        found += [event.seq for event in events]
    return found


def test_an_event_is_a_map_with_its_place_and_time() -> None:
    written = log()
    written.add(CallStarted(run="r", role="answer", model="m", provider="p", attempt=1))
    (event,) = Feed(written).take()
    assert event.as_map() == {
        "event": "call_started",
        "run": "r",
        "seq": 1,
        "at": "2026-09-21T14:13:20.250+00:00",
        "role": "answer",
        "model": "m",
        "provider": "p",
        "attempt": 1,
    }
    assert event.json is event.json, "it is encoded once"
    assert event.as_map() is not event.as_map(), "each reader has a map of his own"


@given(st.integers(0, 9), st.booleans())
def test_from_every_number_on_there_is_exactly_the_rest(events: int, ended: bool) -> None:
    written = log(events, ended=ended)
    for after in range(written.last_seq + 1):
        feed = Feed(written, after)
        assert rest(feed) == list(range(after + 1, written.last_seq + 1))
        assert feed.ended is ended
        assert not feed.renumbered


def test_a_number_of_another_process_is_shown_everything() -> None:
    feed = Feed(log(2), after=7)
    assert feed.renumbered
    assert rest(feed) == [1, 2]


def test_nothing_comes_after_the_last_event() -> None:
    """And there is one, whoever tells of the end."""
    written = log(1, ended=True)
    written.add(RunStarted(run="r", mode="late"))
    written.add(AnswerKnown(run="r", text="late"))
    written.add(RunFinished(run="r", result=msgspec.Raw(b"{}")))
    written.end(body=b"{}", http_status=500)
    feed = Feed(written)
    assert [event.name for event in feed.take()] == ["run_started", "run_finished"]
    assert feed.ended
    assert feed.take() == []


def test_the_text_of_a_run_that_fails_is_void() -> None:
    written = log()
    written.text_begins("r.1")
    written.text("r.1", "an answer that broke its schema")
    written.end(body=b"{}", http_status=502)
    assert [event.name for event in Feed(written).take()] == ["text", "text_reset", "run_failed"]


def test_what_is_kept_is_bounded_and_a_slow_reader_learns_what_he_missed() -> None:
    """The last event stays, however large it is."""
    written = log(most_bytes=10_000)
    slow, quick = Feed(written), Feed(written)
    seen = 0
    for _ in range(200):
        written.add(AnswerKnown(run="r", text="x"))
        written.add(RunStarted(run="r", mode="m"))
        assert written.size <= 10_000
        seen += len(quick.take())
        assert quick.missed == 0
    written.end(body=b'"' + b"x" * 20_000 + b'"', http_status=200)
    seen += len(quick.take())
    assert seen == written.last_seq
    first, *_ = slow.take()
    assert slow.missed == first.seq - 1 > 0
    while not slow.ended:
        slow.take()
        assert slow.missed == 0


def test_news_come_once_until_the_reader_takes() -> None:
    heard: list[str] = []
    written = log()
    feed = Feed(written, news=lambda: heard.append("news"))
    log_of = [RunStarted(run="r", mode="m")] * 3
    for event in log_of:
        written.add(event)
    assert heard == ["news"]
    feed.take()
    written.add(log_of[0])
    assert heard == ["news", "news"]
    feed.take()
    feed.close()
    written.add(log_of[0])
    assert heard == ["news", "news"]


def test_a_listener_that_raises_hears_no_more(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[int] = []

    def listener(event: WatchedEvent) -> None:
        heard.append(event.seq)
        raise ZeroDivisionError

    written = log()
    written.listen(listener)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            written.add(RunStarted(run="r", mode="m"))
    assert heard == [1]
    assert "what watched run r failed" in caplog.text
