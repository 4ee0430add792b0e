"""Server-sent events: a run, watched over HTTP."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from actors.errors import BadRequest
from runtime.waking import Bell
from runtime.watching import Feed, WatchedEvent

__all__ = ["EventStream", "last_event_id", "wants_events"]

logger = logging.getLogger("planhub.http")

HEARTBEAT_S = 15.0
SEND_WITHIN_S = 60.0
"""How long a reader may leave what he was sent unread."""

HEARTBEAT = b":\n\n"
_LINE_END = re.compile(rb"\r\n|\r|\n")


def wants_events(headers: Mapping[str, str]) -> bool:
    """Whether events are accepted, and an answer in one piece is not."""
    accepted = headers.get("accept", "").lower()
    return "text/event-stream" in accepted and "json" not in accepted


def last_event_id(request: Request) -> int:
    """The number after which a client goes on; raises :class:`BadRequest`."""
    told = request.headers.get("last-event-id") or "0"
    if not re.fullmatch(r"[0-9]{1,18}", told):
        raise BadRequest(f"Last-Event-ID must be the id of an event, got {told[:40]}")
    return int(told)


class EventStream(Response):
    """What a feed brings, until its last event; `on_left` is called when the client goes first.

    A reader is sent more when he has read: what he leaves waits in the log, which is bounded.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        feed: Feed,
        bell: Bell,
        *,
        on_left: Callable[[], object] = lambda: None,
        on_end: Callable[[], object] = lambda: None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.status_code = 200
        self.background = None
        self._feed = feed
        self._bell = bell
        self._on_left = on_left
        self._on_end = on_end
        self.init_headers({"cache-control": "no-store", "x-accel-buffering": "no"})
        self.headers.update(headers or {})
        self.headers["content-type"] = "text/event-stream"

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.ensure_future(self._send_all(send))
        leaving = asyncio.ensure_future(_left(receive))
        try:
            await asyncio.wait((sending, leaving), return_when="FIRST_COMPLETED")
        finally:
            if not sending.done() or sending.cancelled() or sending.exception() is not None:
                self._on_left()
            sending.cancel()
            leaving.cancel()
            self._feed.close()
            self._on_end()
            await asyncio.gather(sending, leaving, return_exceptions=True)
        if sending.done() and not sending.cancelled() and (error := sending.exception()):
            logger.info("an event stream has ended early: %s", type(error).__name__)

    async def _send_all(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        pending = b"".join(_preface(self._feed))
        while not self._feed.ended or pending:
            events = self._feed.take()
            pending += b"".join((*_gap(self._feed, events), *map(_framed, events)))
            if pending:
                await _send(send, pending)
                pending = b""
            elif not self._feed.ended:
                pending = b"" if await self._bell.wait(HEARTBEAT_S) else HEARTBEAT
        await _send(send, b"", more=False)


async def _send(send: Send, body: bytes, *, more: bool = True) -> None:
    async with asyncio.timeout(SEND_WITHIN_S):
        await send({"type": "http.response.body", "body": body, "more_body": more})


def _framed(event: WatchedEvent) -> bytes:
    data = b"\ndata: ".join(_LINE_END.split(event.json))
    return b"id: %d\nevent: %s\ndata: %b\n\n" % (event.seq, event.name.encode(), data)


def _preface(feed: Feed) -> list[bytes]:
    if not feed.renumbered:
        return []
    return [b": another process began this run; its events are numbered anew\n\n"]


def _gap(feed: Feed, events: list[WatchedEvent]) -> list[bytes]:
    if not events or not feed.missed:
        return []
    return [b": %d events before this one are not kept any more\n\n" % feed.missed]


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
