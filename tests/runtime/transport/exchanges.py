"""A transport that is served, whichever it is, and what its exchanges ended in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio

from runtime.reactor import Reactor
from runtime.testing import ScriptedVendor
from runtime.transport.port import HttpFailure, HttpRequest, HttpResponse, Part, Transport

PATIENCE_S = 10.0


class Exchanges:
    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self._ended: dict[str, HttpResponse | HttpFailure] = {}
        self._changed = trio.Event()

    def start(self, id: str, request: HttpRequest, part: Part | None = None) -> None:
        self.transport.start(id, request, lambda result: self._end(id, result), part)

    def _end(self, id: str, result: HttpResponse | HttpFailure) -> None:
        assert id not in self._ended, "an exchange ends once"
        self._ended[id] = result
        self._changed.set()
        self._changed = trio.Event()

    async def ended(self, id: str) -> Any:
        with trio.fail_after(PATIENCE_S):
            while id not in self._ended:
                await self._changed.wait()
        return self._ended[id]

    async def ask(self, id: str, request: HttpRequest, part: Part | None = None) -> Any:
        self.start(id, request, part)
        return await self.ended(id)


@asynccontextmanager
async def serving(transport: Transport, reactor: Reactor | None = None) -> AsyncIterator[Exchanges]:
    exchanges = Exchanges(transport)
    async with trio.open_nursery() as nursery:
        if reactor is not None:
            await nursery.start(reactor.serve)
        await nursery.start(transport.serve)
        yield exchanges
        nursery.cancel_scope.cancel()


def request(vendor: ScriptedVendor, **limits: Any) -> HttpRequest:
    return request_to(f"{vendor.url}/chat/completions", **limits)


def request_to(url: str, **limits: Any) -> HttpRequest:
    headers = (("content-type", "application/json"), ("authorization", "Bearer test-key"))
    body = limits.pop("body", b'{"model": "m", "messages": [{"role": "user", "content": "hi"}]}')
    return HttpRequest(url, headers, body, **limits)


async def reached(vendor: ScriptedVendor, **state: Any) -> bool:
    """Waits for the server's side without holding up the client's."""
    return await trio.to_thread.run_sync(lambda: vendor.wait_for(**state, timeout=PATIENCE_S))
