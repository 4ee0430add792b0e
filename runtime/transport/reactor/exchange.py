"""One request on its way: what is needed to carry it out, and what is known to have been sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from runtime.transport.failures import TOO_SLOW, FailureKind, Phase
from runtime.transport.port import Done, HttpFailure, HttpRequest, Part
from runtime.transport.reactor.requests import Head

if TYPE_CHECKING:
    from runtime.transport.reactor.connection import Connection


class Exchange:
    """`end` is when all of the answer must be there; the body is let go of once it was sent."""

    __slots__ = (
        "body", "connect_timeout_s", "connection", "done", "end", "first_byte_timeout_s", "head",
        "id", "is_over", "is_resent", "most", "part", "phase", "received", "scope", "unsent",
    )  # fmt: skip

    def __init__(
        self, id: str, request: HttpRequest, head: Head, done: Done, part: Part | None, now: float
    ) -> None:
        self.id = id
        self.head = head
        self.body = request.body
        self.done = done
        self.part = part
        self.connect_timeout_s = request.connect_timeout_s
        self.first_byte_timeout_s = request.first_byte_timeout_s
        self.end = now + request.timeout_s
        self.most = request.max_response_bytes
        self.phase: Phase = "connecting"
        self.received = 0
        self.connection: Connection | None = None
        self.scope: trio.CancelScope | None = None
        self.is_over = self.is_resent = self.unsent = False

    def __repr__(self) -> str:
        return f"<Exchange {self.id} {self.phase}>"

    def begin_again(self) -> None:
        self.is_resent = True
        self.unsent = False
        self.phase = "connecting"

    def data(self) -> bytes:
        return b"%b%d\r\n\r\n%b" % (self.head.data, len(self.body), self.body)

    def failure(self, kind: FailureKind, detail: str) -> HttpFailure:
        written = self.phase != "connecting" and not self.unsent
        return HttpFailure(kind, detail, written, self.received)

    def too_slow(self) -> HttpFailure:
        return self.failure("timeout", TOO_SLOW[self.phase])
