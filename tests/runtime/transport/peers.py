"""Vendors that misbehave, byte by byte: on a real socket, in the test's own loop."""

from __future__ import annotations

import os
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeAlias

import trio

from runtime.reactor import Reactor
from runtime.transport.reactor import ReactorTransport
from tests.runtime.transport.exchanges import PATIENCE_S, Exchanges, serving

GONE = (trio.BrokenResourceError, trio.ClosedResourceError)


class Caller:
    """The transport's end of a connection, as the peer sees it."""

    def __init__(self, stream: trio.SocketStream | trio.SSLStream[trio.SocketStream]) -> None:
        self.stream = stream
        self._read = b""

    async def request(self) -> bytes:
        """The body of the next request; empty when there is none."""
        while b"\r\n\r\n" not in self._read:
            if not await self._more():
                return b""
        head, _, rest = self._read.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        while len(rest) < length:
            self._read = b""
            if not await self._more():
                return b""
            rest += self._read
        self._read = rest[length:]
        return rest[:length]

    async def _more(self) -> bool:
        try:
            data = await self.stream.receive_some(1_000_000)
        except GONE:
            data = b""
        self._read += data
        return bool(data)

    async def say(self, *pieces: bytes) -> None:
        """Each by itself: the transport has read one before the next is sent."""
        for piece in pieces:
            await self.stream.send_all(piece)
            await trio.testing.wait_all_tasks_blocked()

    async def gone(self) -> None:
        """Waits until the transport has closed its end."""
        while await self._more():
            self._read = b""

    def reset(self) -> None:
        assert isinstance(self.stream, trio.SocketStream)
        self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.stream.socket.close()


Script: TypeAlias = Callable[[Caller], Awaitable[None]]


class Peer:
    """`scripts` are carried out for one connection after the other, the last for all further."""

    def __init__(self, *scripts: Script, context: ssl.SSLContext | None = None) -> None:
        self.connections = 0
        self.open = 0
        self._scripts = list(scripts)
        self._context = context
        self._left = trio.Event()
        self._port = 0

    @property
    def url(self) -> str:
        return f"{'https' if self._context else 'http'}://127.0.0.1:{self._port}/v1/chat"

    async def serve(self, *, task_status: trio.TaskStatus[None]) -> None:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1", backlog=1024)
        self._port = listener.socket.getsockname()[1]
        await trio.serve_listeners(self._serve, [listener], task_status=task_status)  # type: ignore[arg-type]

    async def _serve(self, stream: trio.SocketStream) -> None:
        script = self._scripts[min(self.connections, len(self._scripts) - 1)]
        self.connections += 1
        self.open += 1
        wrapped = stream if self._context is None else self._in_tls(stream, self._context)
        with suppress(*GONE):
            await script(Caller(wrapped))
        await trio.aclose_forcefully(stream)
        self.open -= 1
        self._left.set()
        self._left = trio.Event()

    def _in_tls(
        self, stream: trio.SocketStream, context: ssl.SSLContext
    ) -> trio.SSLStream[trio.SocketStream]:
        return trio.SSLStream(stream, context, server_side=True)

    async def abandoned(self) -> bool:
        """Waits until no connection is left."""
        with trio.move_on_after(PATIENCE_S):
            while self.open:
                await self._left.wait()
        return not self.open


@asynccontextmanager
async def met(peer: Peer, tls: ssl.SSLContext | None = None) -> AsyncIterator[Exchanges]:
    """A transport over the reactor, beside the peer; no descriptor stays when both are gone."""
    before = len(os.listdir("/proc/self/fd"))
    async with trio.open_nursery() as nursery:
        await nursery.start(peer.serve)
        reactor = Reactor()
        async with serving(ReactorTransport(reactor, tls), reactor) as exchanges:
            yield exchanges
        assert repr(reactor) == "<Reactor: 0 sockets, 0 timers>"
        nursery.cancel_scope.cancel()
    assert len(os.listdir("/proc/self/fd")) == before


def answering(*pieces: bytes) -> Script:
    """Answers every request so."""

    async def script(caller: Caller) -> None:
        while await caller.request():
            await caller.say(*pieces)

    return script


def answering_once(*pieces: bytes) -> Script:
    """Answers one request so, and hangs up."""

    async def script(caller: Caller) -> None:
        await caller.request()
        await caller.say(*pieces)

    return script


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
