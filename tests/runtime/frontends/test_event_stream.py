"""A run as server-sent events: what is written, and what a reader that does not read can cause."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from msgspec import Raw

from actors.errors import Draining
from actors.events import RunFinished, RunStarted
from runtime.frontends.http import create_app, streaming
from runtime.frontends.http.streaming import EventStream
from runtime.runs import RunView
from runtime.waking import AsyncioBell
from runtime.watching import EventLog, Feed
from tests.runtime.frontends.fake_hub import ANSWER, FakeHub, body

AT = 1_790_000_000.0
EVENTS = {"accept": "text/event-stream"}


def call(method: str, path: str, hub: FakeHub, **rest: Any) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(create_app(hub))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path, **rest)

    return asyncio.run(ask())


def log(*events: Any) -> EventLog:
    log = EventLog("r", clock=lambda: AT)
    for event in events:
        log.add(event)
    return log


class Wire:
    """What an ASGI server does with a stream: `sent` is what has been written."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.reads = asyncio.Event()
        self.reads.set()
        self.leaves = asyncio.Event()
        self.changed = asyncio.Event()

    async def send(self, message: Any) -> None:
        await self.reads.wait()
        self.sent.append(message)
        self.changed.set()

    async def receive(self) -> Any:
        await self.leaves.wait()
        return {"type": "http.disconnect"}

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    @property
    def text(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)


def over(wire_test: Callable[[Wire], Awaitable[None]]) -> None:
    async def run() -> None:
        await wire_test(Wire())

    asyncio.run(run())


def test_each_event_has_its_id_name_and_data() -> None:
    """A body that is written on several lines is data on several lines."""
    result = Raw(b'{"id":\n"r"}')
    written = log(RunStarted(run="r", mode="vote"), RunFinished(run="r", result=result))

    async def stream(wire: Wire) -> None:
        bell = AsyncioBell()
        await EventStream(Feed(written, news=bell.ring), bell)({}, wire.receive, wire.send)
        at = b'"at":"2026-09-21T14:13:20.000+00:00"'
        assert wire.text == (
            b'id: 1\nevent: run_started\ndata: {"event":"run_started","run":"r","seq":1,'
            + at
            + b',"mode":"vote","request_id":null}\n\n'
            b'id: 2\nevent: run_finished\ndata: {"event":"run_finished","run":"r","seq":2,'
            + at
            + b',"result":{"id":\ndata: "r"}}\n\n'
        )
        assert wire.sent[-1]["more_body"] is False

    over(stream)


def test_a_comment_comes_while_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "HEARTBEAT_S", 0.01)
    written = log(RunStarted(run="r", mode="vote"))

    async def stream(wire: Wire) -> None:
        bell = AsyncioBell()
        running = EventStream(Feed(written, news=bell.ring), bell)({}, wire.receive, wire.send)
        task = asyncio.ensure_future(running)
        await wire.until(lambda: wire.text.count(b":\n\n") == 2)
        written.end(body=b"{}", http_status=200)
        await task
        *_, last, _ = wire.text.split(b"\n\n")
        assert last.startswith(b"id: 2\nevent: run_finished\n")

    over(stream)


def test_a_reader_that_does_not_read_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """What he leaves is bounded, events go on, and after a time he is left."""
    monkeypatch.setattr(streaming, "SEND_WITHIN_S", 0.05)
    left: list[str] = []

    async def stream(wire: Wire) -> None:
        written = EventLog("r", most_bytes=20_000, clock=lambda: AT)
        bell = AsyncioBell()
        response = EventStream(
            Feed(written, news=bell.ring), bell, on_left=lambda: left.append("left")
        )
        task = asyncio.ensure_future(response({}, wire.receive, wire.send))
        await wire.until(lambda: wire.sent)
        wire.reads.clear()
        for _ in range(1_000):
            written.add(RunStarted(run="r", mode="vote"))
        assert written.size <= 20_000
        await task
        assert len(wire.sent) == 1
        assert left == ["left"]

    over(stream)


def test_a_slow_reader_is_told_what_he_missed() -> None:
    """In a comment: the number of what comes next says it too."""

    async def stream(wire: Wire) -> None:
        written = EventLog("r", most_bytes=20_000, clock=lambda: AT)
        feed = Feed(written)
        for _ in range(100):
            written.add(RunStarted(run="r", mode="vote"))
        written.end(body=b"{}", http_status=200)
        await EventStream(feed, AsyncioBell())({}, wire.receive, wire.send)
        comment, first, *_ = wire.text.split(b"\n\n")
        missed = int(first.splitlines()[0].removeprefix(b"id: ")) - 1
        assert comment == b": %d events before this one are not kept any more" % missed

    over(stream)


def test_who_leaves_is_noticed() -> None:
    left: list[str] = []

    async def stream(wire: Wire) -> None:
        bell = AsyncioBell()
        response = EventStream(
            Feed(log(RunStarted(run="r", mode="vote")), news=bell.ring),
            bell,
            on_left=lambda: left.append("left"),
            on_end=lambda: left.append("ended"),
        )
        task = asyncio.ensure_future(response({}, wire.receive, wire.send))
        await wire.until(lambda: wire.text)
        wire.leaves.set()
        await task

    over(stream)
    assert left == ["left", "ended"]


@pytest.mark.parametrize(
    "asked", [{"json": body(stream=True)}, {"json": body(), "headers": EVENTS}]
)
def test_a_stream_is_asked_for_in_the_body_or_by_header(asked: dict[str, Any]) -> None:
    hub = FakeHub()
    response = call("POST", "/v1/plan", hub, **asked)
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/event-stream"
    assert response.headers["cache-control"] == "no-store"
    assert b"event: run_finished" in response.content
    assert ANSWER in response.content
    assert hub.cancelled == []


def test_what_is_wrong_before_a_run_is_an_ordinary_error() -> None:
    hub = FakeHub()
    response = call("POST", "/v1/plan", hub, json=body(stream=True, modle=1))
    assert (response.status_code, response.json()["code"]) == (400, "unknown_field")
    hub.draining = True
    response = call("POST", "/v1/plan", hub, json=body(stream=True))
    assert (response.status_code, response.json()["code"]) == (503, "draining")


def test_what_goes_wrong_in_a_run_is_its_last_event() -> None:
    error = Draining("shutting down", retry_after_s=1.0)
    response = call("POST", "/v1/plan", FakeHub(error), json=body(), headers=EVENTS)
    assert response.status_code == 200
    assert b"event: run_failed" in response.content
    assert b'"status":503' in response.content


def test_a_run_is_watched_from_a_number_on() -> None:
    hub = FakeHub(None)
    call("POST", "/v1/plan", hub, json=body(), headers={"prefer": "respond-async"})
    for mode in ("a", "b", "c"):
        hub.logs["run1"].add(RunStarted(run="run1", mode=mode))
    hub.finish("run1")
    found = {}
    for told in ("", "0", "1", "2", "3", "4", "9"):
        headers = {"last-event-id": told}
        response = call("GET", "/v1/plan/run1/events", hub, headers=headers)
        found[told] = response.status_code, response.content.count(b"\nevent: ")
    whole = (200, 4)
    assert found == {
        "": whole, "0": whole, "1": (200, 3), "2": (200, 2), "3": (200, 1), "4": (204, 0),
        "9": whole,  # a number of another process
    }  # fmt: skip


@pytest.mark.parametrize("told", ["x", "-1", "1.5", "1" * 19, "\xb2"])
def test_an_id_of_no_event_is_refused(told: str) -> None:
    hub = FakeHub()
    call("POST", "/v1/plan", hub, json=body())
    headers = {"last-event-id": told.encode("latin-1")}
    response = call("GET", "/v1/plan/run1/events", hub, headers=headers)
    assert (response.status_code, response.json()["code"]) == (400, "bad_request")


def test_a_run_that_nobody_knows_has_no_events() -> None:
    hub = FakeHub()
    assert call("GET", "/v1/plan/nobody/events", hub).json()["code"] == "unknown_run"
    hub.views["gone"] = RunView("gone", None, "running")
    assert call("GET", "/v1/plan/gone/events", hub).json()["code"] == "unknown_run"


def test_the_head_of_a_stream_is_not_waited_for() -> None:
    hub = FakeHub(None)
    call("POST", "/v1/plan", hub, json=body(), headers={"prefer": "respond-async"})
    response = call("HEAD", "/v1/plan/run1/events", hub)
    assert (response.status_code, response.content) == (200, b"")
