"""The msgpack socket from a client's side, written by hand so that it costs next to nothing.

Each connection carries as many runs as it is given, and answers come in any order.
"""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Any, cast

import msgspec

PIPELINES = 4
WELCOME_S = 10.0

encode = msgspec.msgpack.encode
decode = msgspec.msgpack.decode


class Pipeline(asyncio.Protocol):
    """One connection."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.read = bytearray()
        self.ids = count()
        self.waiting: dict[int | None, asyncio.Future[dict[str, Any]]] = {}
        self.transport: asyncio.Transport

    @classmethod
    async def several(cls, path: str, loop: asyncio.AbstractEventLoop) -> list[Pipeline]:
        return [await cls.opened(path, loop) for _ in range(PIPELINES)]

    @classmethod
    async def opened(cls, path: str, loop: asyncio.AbstractEventLoop) -> Pipeline:
        _, pipeline = await loop.create_unix_connection(lambda: cls(loop), path)
        welcome = pipeline.send(None, {"type": "hello", "version": 1})
        await asyncio.wait_for(welcome, WELCOME_S)
        return pipeline

    async def plan(self, body: dict[str, Any]) -> dict[str, Any]:
        """The answer's body.  Raises RuntimeError for an error."""
        number = next(self.ids)
        frame = await self.send(number, {"type": "plan", "id": number, "body": body})
        if frame["type"] != "result":
            raise RuntimeError(f"{frame}")
        answer: dict[str, Any] = frame["body"]
        return answer

    def send(self, number: int | None, frame: dict[str, Any]) -> asyncio.Future[dict[str, Any]]:
        answer: asyncio.Future[dict[str, Any]] = self.loop.create_future()
        self.waiting[number] = answer
        content = encode(frame)
        self.transport.write(len(content).to_bytes(4, "big") + content)
        return answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, error: Exception | None) -> None:
        for answer in self.waiting.values():
            answer.set_exception(error or ConnectionError("the server closed the connection"))
        self.waiting.clear()

    def data_received(self, data: bytes) -> None:
        self.read += data
        at = 0
        while len(self.read) >= (begin := at + 4):
            end = begin + int.from_bytes(self.read[at:begin], "big")
            if len(self.read) < end:
                break
            frame = decode(self.read[begin:end])
            self.waiting.pop(frame.get("id")).set_result(frame)
            at = end
        del self.read[:at]
