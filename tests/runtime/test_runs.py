"""Whose events are kept, and for how long."""

from __future__ import annotations

from typing import Any

import pytest

from actors.addresses import run_address
from actors.errors import Cancelled
from actors.events import RunStarted
from actors.protocol import Order
from runtime import runs as module
from runtime.runs import RunFuture, Runs, RunView, ended_log
from runtime.watching import Feed

STARTED = RunStarted(run="r", mode="vote")


def begun(runs: Runs, run: str = "r", **how: Any) -> RunFuture:
    order = Order(run, "vote", b"[]", 0, 60.0, 0, wanted=how.pop("wanted", False))
    future = RunFuture(run, None, lambda _: True)
    runs.begin(future, order, how.pop("on_event", None), **how)
    return future


def names(feed: Feed | None) -> list[str]:
    assert feed is not None
    return [event.name for event in feed.take()]


@pytest.mark.parametrize(
    ("how", "kept", "text"),
    [
        ({}, False, False),
        ({"wanted": True}, True, False),
        ({"watched": True}, True, True),
        ({"on_event": lambda _: None}, True, True),
    ],
    ids=["nobody", "who comes back", "who reads", "who is called"],
)
def test_whose_events_are_kept_and_who_would_see_the_text_come(
    how: dict[str, Any], kept: bool, text: bool
) -> None:
    runs = Runs()
    begun(runs, **how)
    assert (runs.is_watched(run_address("r")), runs.wants_text("r")) == (kept, text)
    feed = runs.feed("r")
    assert runs.wants_text("r"), "somebody has come"
    runs.happened(run_address("r"), STARTED)
    assert names(feed) == ["run_started"]


def test_a_run_that_nobody_watched_begins_where_somebody_does() -> None:
    runs = Runs()
    begun(runs)
    runs.happened(run_address("r"), STARTED)
    feed = runs.feed("r")
    runs.happened(run_address("r"), STARTED)
    runs.answered("r", b"{}", "complete")
    assert feed is not None
    assert [(event.seq, event.name) for event in feed.take()] == [
        (1, "run_started"), (2, "run_finished")
    ]  # fmt: skip


def test_a_run_that_is_lost_has_a_last_event_too() -> None:
    """And its watchers have it before its asker hears."""
    runs = Runs()
    future = begun(runs, watched=True)
    feed = runs.feed("r")
    heard: list[str] = []
    future.add_done_callback(lambda _: heard.extend(names(feed)))
    runs.failed("r", Cancelled("cancelled", run="r"))
    assert heard == ["run_failed"]
    assert names(runs.feed("r")) == ["run_failed"]


def test_ended_runs_are_kept_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their events count; what is forgotten is forgotten whole."""
    monkeypatch.setattr(module, "KEPT_BYTES", 100_000)
    runs = Runs()
    for number in range(300):
        run = f"r{number}"
        begun(runs, run, watched=True)
        for _ in range(10):
            runs.happened(run_address(run), RunStarted(run=run, mode="vote"))
        runs.answered(run, b"{}", "complete")
    assert runs.feed("r0") is None
    assert runs.view("r0") is None
    assert len(names(runs.feed("r299"))) == 11
    assert 10 < len(runs._ended) < 30
    assert 0 < runs._kept_bytes <= 100_000


@pytest.mark.parametrize(
    ("view", "name", "said"),
    [
        (RunView("r", None, "complete", b'{"a":1}'), "run_finished", {"result": {"a": 1}}),
        (RunView("r", None, "degraded"), "run_finished",
         {"result": {"id": "r", "status": "degraded"}}),
        (RunView("r", None, "failed", None, b'{"error":"no"}', 502), "run_failed",
         {"error": {"error": "no"}, "status": 502}),
    ],
)  # fmt: skip
def test_of_a_run_of_long_ago_the_last_event_is_known(
    view: RunView, name: str, said: dict[str, Any]
) -> None:
    """Also where no content is kept."""
    (event,) = Feed(ended_log(view, 4), 4).take()
    told = event.as_map()
    assert (event.name, event.seq) == (name, 5)
    assert told.items() >= said.items()
