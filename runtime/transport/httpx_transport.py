"""HTTP to the vendors through httpx, with the proxies and certificates of the environment.

httpx's own pool looks at every connection for every request, so it collapses when many are in
flight.  Here each connection is a client of its own whose pool holds that one connection, and the
idle ones wait in a list per origin: the last one used is the first taken.

How many connections are open at once is bounded by who orders the exchanges (a pool leases them);
how many stay open idle is bounded here, in number and in time.

A request is sent a second time, once, only when writing it to a kept connection failed: then the
vendor has at most a part of it, and cannot have acted on it.  When a kept connection ends after
the request was written whole, nobody can tell a vendor that never read it from one that bills for
it, so the exchange ends as `closed`, `written`, and whoever ordered it decides.  That is rare:
before a kept connection is used again httpcore looks whether the vendor has closed it.
"""

from __future__ import annotations

import ssl
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal
from urllib.parse import urlsplit

import httpcore
import httpx
import trio

from runtime.transport.failures import (
    BROKE,
    CLOSED,
    GIVEN_UP,
    STOPPED,
    TOO_SLOW,
    FailureKind,
    Phase,
    not_http,
    too_large,
    unsendable,
)
from runtime.transport.port import Done, HttpFailure, HttpRequest, HttpResponse, Part, not_serving

KEPT_S = 20.0
"""How long an idle connection is kept."""

KEPT_PER_ORIGIN = 256


class HttpxTransport:
    """One task per exchange, under one nursery; see :class:`runtime.transport.port.Transport`.

    Without `certificates`, which take a while to load, only `http://` origins can be reached.
    """

    def __init__(self, *, certificates: bool = True, trust_env: bool = True) -> None:
        self._trust_env = trust_env
        self._tls = (
            httpx.create_ssl_context(trust_env=trust_env)
            if certificates
            else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody
        )
        self._idle: dict[str, deque[tuple[float, httpx.AsyncClient]]] = {}
        self._exchanges: dict[str, _Exchange] = {}
        self._nursery: trio.Nursery | None = None

    def __repr__(self) -> str:
        idle = sum(map(len, self._idle.values()))
        return f"<HttpxTransport: {len(self._exchanges)} in flight, {idle} idle>"

    def start(self, id: str, request: HttpRequest, done: Done, part: Part | None = None) -> None:
        if self._nursery is None:
            not_serving(done)
            return
        exchange = _Exchange(request, part)
        self._exchanges[id] = exchange
        self._nursery.start_soon(self._carry_out, id, exchange, done)

    def abort(self, id: str) -> None:
        if exchange := self._exchanges.get(id):
            exchange.abort()

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        try:
            async with trio.open_nursery() as self._nursery:
                task_status.started()
                while True:
                    await trio.sleep(KEPT_S / 2)
                    await self._close_idle(since=trio.current_time() - KEPT_S)
        finally:
            self._nursery = None
            with trio.CancelScope(shield=True):
                await self._close_idle(since=float("inf"))

    async def _carry_out(self, id: str, exchange: _Exchange, done: Done) -> None:
        result: HttpResponse | HttpFailure | None = None
        try:
            result = await self._exchange(exchange)
        finally:
            self._exchanges.pop(id, None)
            done(result or exchange.failure("cancelled", STOPPED))

    async def _exchange(self, exchange: _Exchange) -> HttpResponse | HttpFailure:
        with exchange.scope:
            result = await self._attempt(exchange)
            if exchange.may_be_sent_again:
                result = await self._attempt(exchange, fresh=True)
            return result
        return exchange.ended_early()

    async def _attempt(
        self, exchange: _Exchange, *, fresh: bool = False
    ) -> HttpResponse | HttpFailure:
        exchange.begin()
        try:
            async with self._client(exchange.request.url, fresh=fresh) as client:
                return await exchange.carry_out(client)
        except httpx.HTTPError as error:
            return exchange.broken(error)
        except (httpx.InvalidURL, ValueError) as error:
            return exchange.failure("connect", unsendable(error))

    @asynccontextmanager
    async def _client(self, url: str, *, fresh: bool) -> AsyncIterator[httpx.AsyncClient]:
        """A client with at most one connection, kept afterwards unless something went wrong."""
        origin = _origin(url)
        idle = self._idle.get(origin)
        client = idle.pop()[1] if idle and not fresh else self._new_client()
        try:
            yield client
        except BaseException:
            with trio.CancelScope(shield=True):
                await client.aclose()
            raise
        kept = self._idle.setdefault(origin, deque())
        if self._nursery is None or len(kept) >= KEPT_PER_ORIGIN:
            await client.aclose()
        else:
            kept.append((trio.current_time(), client))

    def _new_client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            verify=self._tls,
            trust_env=self._trust_env,
            timeout=None,
            limits=httpx.Limits(
                max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEPT_S
            ),
        )

    async def _close_idle(self, since: float) -> None:
        """Closes what has been idle since then or longer."""
        for origin in list(self._idle):
            kept = self._idle[origin]
            while kept and kept[0][0] <= since:
                await kept.popleft()[1].aclose()
            if not kept:
                del self._idle[origin]


class _Exchange:
    """One request on its way: its phase, its deadlines, and what is known to have been sent.

    httpcore tells of each step through its `trace` hook, which moves the one deadline from phase
    to phase: a scope for each would cost more than the rest of this.
    """

    def __init__(self, request: HttpRequest, part: Part | None) -> None:
        self.request = request
        self._part = part
        self.scope = trio.CancelScope()
        self._end = trio.current_time() + request.timeout_s
        self._phase: Phase = "connecting"
        self._received = 0
        self._stopped: Literal["cancelled", "too_large"] | None = None
        self._ours = False  # whether the present step is of our request, or of a proxy's CONNECT
        self._reused = False
        self._send_failed = False

    def begin(self) -> None:
        self._reused = True
        self._send_failed = False
        self._enter("connecting", self.request.connect_timeout_s)

    async def carry_out(self, client: httpx.AsyncClient) -> HttpResponse | HttpFailure:
        request = client.build_request(
            "POST",
            self.request.url,
            headers=list(self.request.headers),
            content=self.request.body,
            extensions={"trace": self._trace},
        )
        response = await client.send(request, stream=True)
        try:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                self._received = len(body)
                if self._received > self.request.max_response_bytes:
                    self._stop("too_large")
                elif self._part is not None and response.status_code == 200:
                    self._part(chunk)
        finally:
            await response.aclose()
        if self._stopped == "too_large":
            return self.ended_early()
        headers = dict(response.headers.multi_items())
        return HttpResponse(response.status_code, headers, bytes(body))

    def abort(self) -> None:
        self._stop("cancelled")

    def _stop(self, why: Literal["cancelled", "too_large"]) -> None:
        """By cancelling: an exception is the one way out of httpx's generators that closes them."""
        self._stopped = why
        self.scope.cancel()

    @property
    def may_be_sent_again(self) -> bool:
        """A kept connection turned out dead before it took the request."""
        return self._send_failed and self._reused and self._phase == "sending"

    @property
    def written(self) -> bool:
        return self._phase != "connecting" and not self._send_failed

    def ended_early(self) -> HttpFailure:
        match self._stopped:
            case "cancelled":
                return self.failure("cancelled", GIVEN_UP)
            case "too_large":
                return self.failure("too_large", too_large(self.request.max_response_bytes))
        return self.failure("timeout", TOO_SLOW[self._phase])

    def broken(self, error: httpx.HTTPError) -> HttpFailure:
        """What one of httpx's errors amounts to."""
        text = str(error)
        match error:
            case httpx.ConnectError() | httpx.ProxyError() | httpx.UnsupportedProtocol():
                return self.failure("connect", text or type(error).__name__)
            case httpx.RemoteProtocolError() if "clos" in text or "disconnected" in text:
                return self.failure("closed", CLOSED)
            case httpx.NetworkError():
                return self.failure("closed", BROKE)
        return self.failure("protocol", not_http(type(error).__name__))

    def failure(self, kind: FailureKind, detail: str) -> HttpFailure:
        return HttpFailure(kind, detail, self.written, self._received)

    def _enter(self, phase: Phase, patience_s: float = float("inf")) -> None:
        self._phase = phase
        self.scope.deadline = min(self._end, trio.current_time() + patience_s)

    async def _trace(self, step: str, info: dict[str, Any]) -> None:
        match step:
            case "connection.connect_tcp.started" | "socks.connect_tcp.started":
                self._reused = False
            case "http11.send_request_headers.started":
                self._ours = info["request"].method == b"POST"
                if self._ours:
                    self._enter("sending")
            case "http11.send_request_headers.failed" | "http11.send_request_body.failed":
                self._send_failed = self._ours and isinstance(info["exception"], _UNSENT)
            case "http11.send_request_body.complete" if self._ours:
                self._enter("waiting", self.request.first_byte_timeout_s)
            case "http11.receive_response_headers.complete" if self._ours:
                self._enter("reading")


_UNSENT = (httpcore.WriteError, httpcore.LocalProtocolError)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
