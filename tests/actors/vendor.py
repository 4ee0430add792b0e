"""A vendor's pool with its surroundings, its time moved on by the test alone."""

from __future__ import annotations

from typing import Any

from actors.base import Message
from actors.domain.model import Usage
from actors.protocol import (
    Answer,
    CallAnswered,
    CallErrored,
    CancelCall,
    Complete,
    GetPoolStatus,
    HealthChanged,
    PoolStatus,
    PoolTick,
    VendorSettings,
)
from actors.provider_pool import ProviderPool
from tests.fakes import FakeContext

HELLO = Answer("hello", Usage(input=3, output=2))


class Vendor:
    """A pool with its surroundings: orders go in, what its askers hear comes out."""

    def __init__(self, ctx: FakeContext | None = None, **settings: Any) -> None:
        self.ctx = ctx or FakeContext("pool:openai")
        self.settings = VendorSettings("openai", **settings)
        self.begin()

    def begin(self) -> None:
        """A new incarnation; the mailbox is the context's own `told`."""
        self.pool = ProviderPool(self.ctx, self.settings)
        self.pool.started()

    def order(self, ticket: str, asker: str = "run:1", **fields: Any) -> list[Message]:
        fields.setdefault("deadline", self.ctx.time + 100.0)
        fields.setdefault("announced", True)
        order = Complete(
            asker, ticket, "gpt", "gpt", b"[]", fields.pop("max_tokens", 100), **fields
        )
        self.pool.receive(order)
        return self.ctx.take(asker)

    def answer(self, ticket: str, asker: str = "run:1") -> list[Message]:
        self.pool.receive(CallAnswered(ticket, HELLO))
        return self.ctx.take(asker)

    def error(self, ticket: str, kind: Any, **fields: Any) -> list[Message]:
        self.pool.receive(CallErrored(ticket, kind, "detail", **fields))
        return self.ctx.take("run:1")

    def cancel(self, ticket: str) -> list[Message]:
        self.pool.receive(CancelCall(ticket))
        return self.ctx.take("run:1")

    def wait(self, seconds: float) -> list[Message]:
        for message in self.ctx.advance(seconds):
            assert isinstance(message, PoolTick)
            self.pool.receive(message)
        return self.ctx.take("run:1")

    def restart(self) -> list[Message]:
        """The supervisor's part: a new incarnation gets what lies in the mailbox."""
        self.begin()
        for message in self.ctx.take(self.ctx.address):
            assert isinstance(message, Complete)
            self.pool.receive(message)
        return self.ctx.take("run:1")

    def fail(self, times: int) -> None:
        for n in range(times):
            self.order(f"fail{n}")
            self.error(f"fail{n}", "transient")

    @property
    def on_the_wire(self) -> list[str]:
        return [work.id for work in self.ctx.started]

    def health(self) -> list[HealthChanged]:
        return [m for m in self.ctx.take("router") if isinstance(m, HealthChanged)]

    def status(self) -> PoolStatus:
        self.pool.receive(GetPoolStatus("http", "s1"))
        (status,) = self.ctx.take("http")
        assert isinstance(status, PoolStatus)
        return status
