"""A client written by hand on asyncio.Protocol, uvloop, httptools and msgspec."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import httptools
import msgspec
import uvloop

from bench.subject import be_measured, in_turn, serve
from bench.workload import ASKED, JUDGE, KEY, VOTERS, body, to_judge


class Connection(asyncio.Protocol):
    """One keep-alive connection: one request at a time."""

    def __init__(self, free: list[Connection]) -> None:
        self.free = free
        self.parts: list[bytes] = []
        self.parser = httptools.HttpResponseParser(self)
        self.answer: asyncio.Future[str]
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_body(self, part: bytes) -> None:
        self.parts.append(part)

    def on_message_complete(self) -> None:
        answer = msgspec.json.decode(b"".join(self.parts))
        self.parts.clear()
        self.free.append(self)
        self.answer.set_result(answer["choices"][0]["message"]["content"])


class Client:
    def __init__(self, url: str, loop: asyncio.AbstractEventLoop) -> None:
        host = url.split("/")[2]
        name, port = host.split(":")
        self.address = (name, int(port))
        self.head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {KEY}\r\n"
            "content-type: application/json\r\ncontent-length: "
        ).encode()
        self.loop = loop
        self.free: list[Connection] = []

    async def vote(self) -> None:
        answers = [await self.sent(body(model, ASKED)) for model in VOTERS]
        texts = await asyncio.gather(*answers)
        await (await self.sent(body(JUDGE, to_judge(texts))))

    async def sent(self, what: dict[str, Any]) -> asyncio.Future[str]:
        connection = self.free.pop() if self.free else await self.connected()
        connection.answer = self.loop.create_future()
        content = msgspec.json.encode(what)
        connection.transport.write(b"%b%d\r\n\r\n%b" % (self.head, len(content), content))
        return connection.answer

    async def connected(self) -> Connection:
        _, connection = await self.loop.create_connection(
            lambda: Connection(self.free), *self.address
        )
        return connection


def main() -> None:
    url, loop = be_measured(), uvloop.new_event_loop()
    serve(in_turn(Client(url, loop).vote, loop))


if __name__ == "__main__":
    main()
