"""The transport by itself, without an engine: what the programs about it have in common."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from bench.workload import KEY
from runtime.reactor import Reactor
from runtime.transport.port import HttpFailure, HttpRequest, HttpResponse, Transport
from runtime.transport.reactor import ReactorTransport

HEADERS = (
    ("accept", "application/json"),
    ("accept-encoding", "identity"),
    ("content-type", "application/json"),
    ("user-agent", "planhub"),
    ("authorization", f"Bearer {KEY}"),
)
BODY = b'{"model":"bench","messages":[{"role":"user","content":"' + b"x" * 2_000 + b'"}]}'


@asynccontextmanager
async def transports(count: int) -> AsyncIterator[list[ReactorTransport]]:
    """So many, as for so many vendors, over one reactor."""
    reactor = Reactor()
    made = [ReactorTransport(reactor) for _ in range(count)]
    async with trio.open_nursery() as nursery:
        await nursery.start(reactor.serve)
        for transport in made:
            await nursery.start(transport.serve)
        yield made
        nursery.cancel_scope.cancel()


class Calls:
    """Calls to a vendor, so many at a time; each answered call begins the next.

    `seconds` has how long each took.  A call that fails ends it all.
    """

    def __init__(self, transport: Transport, url: str, concurrency: int) -> None:
        self.seconds: list[float] = []
        self._transport = transport
        self._url = f"{url}/chat/completions"
        self._concurrency = concurrency
        self._left = self._begun = 0
        self._failed: HttpFailure | None = None
        self._ended = trio.Event()

    async def make(self, calls: int) -> None:
        self._ended, self._left = trio.Event(), calls
        for _ in range(min(calls, self._concurrency)):
            self._begin()
        await self._ended.wait()
        if self._failed is not None:
            raise RuntimeError(repr(self._failed))

    async def make_for_ever(self) -> None:
        await self.make(2**60)

    def _begin(self) -> None:
        self._begun += 1
        began = time.perf_counter()

        def done(result: HttpResponse | HttpFailure) -> None:
            self.seconds.append(time.perf_counter() - began)
            self._left -= 1
            if isinstance(result, HttpFailure):
                if self._failed is None:
                    self._failed = result
                self._ended.set()
            elif self._left >= self._concurrency:
                self._begin()
            elif not self._left:
                self._ended.set()

        self._transport.start(str(self._begun), HttpRequest(self._url, HEADERS, BODY), done)
