"""An HTTP client that costs next to nothing: asyncio.Protocol on uvloop, httptools, one origin."""

from __future__ import annotations

import asyncio
from typing import TypeAlias, cast

import httptools

Answer: TypeAlias = tuple[int, bytes]
"""Status and body."""


class Connection(asyncio.Protocol):
    """Keep-alive: one request at a time."""

    def __init__(self, free: list[Connection]) -> None:
        self.free = free
        self.parts: list[bytes] = []
        self.parser = httptools.HttpResponseParser(self)
        self.answer: asyncio.Future[Answer] | None = None
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self in self.free:
            self.free.remove(self)
        elif self.answer is not None and not self.answer.done():
            self.answer.set_exception(error or ConnectionError("closed before the answer"))

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_body(self, part: bytes) -> None:
        self.parts.append(part)

    def on_message_complete(self) -> None:
        body = b"".join(self.parts)
        self.parts.clear()
        self.free.append(self)
        assert self.answer is not None
        self.answer.set_result((self.parser.get_status_code(), body))


class Client:
    """Posts JSON to `path` at the origin of `url`, over as many connections as it needs."""

    def __init__(self, url: str, path: str, loop: asyncio.AbstractEventLoop, key: str = "") -> None:
        host = url.split("/")[2]
        name, port = host.split(":")
        authorization = f"authorization: Bearer {key}\r\n" if key else ""
        self.address = (name, int(port))
        self.head = (
            f"POST {path} HTTP/1.1\r\nhost: {host}\r\n{authorization}"
            "content-type: application/json\r\ncontent-length: "
        ).encode()
        self.loop = loop
        self.free: list[Connection] = []

    async def post(self, content: bytes) -> asyncio.Future[Answer]:
        """Sends; the answer is to be awaited."""
        connection = self.free.pop() if self.free else await self._connected()
        answer: asyncio.Future[Answer] = self.loop.create_future()
        connection.answer = answer
        connection.transport.write(b"%b%d\r\n\r\n%b" % (self.head, len(content), content))
        return answer

    async def _connected(self) -> Connection:
        _, connection = await self.loop.create_connection(
            lambda: Connection(self.free), *self.address
        )
        return connection
