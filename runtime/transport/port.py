"""The port to the network: one HTTP exchange at a time, by callback.

A callback and not a coroutine, so that a reactor can serve ten thousand exchanges from one task.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol, TypeAlias

import trio
from msgspec import Struct


class HttpRequest(Struct, frozen=True, gc=False):
    """A POST with a JSON body.  `headers` includes all but Host and Content-Length.

    Times are seconds: to connect, from the request's last byte to the answer's first, and from
    the start to the answer's last byte.
    """

    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    connect_timeout_s: float = 10.0
    first_byte_timeout_s: float = 60.0
    timeout_s: float = 60.0
    max_response_bytes: int = 33_554_432

    def __repr__(self) -> str:
        return f"<HttpRequest POST {self.url} {len(self.body)} bytes>"


class HttpResponse(Struct, frozen=True, gc=False):
    """A complete answer; header names in lower case, the last of a repeated name."""

    status: int
    headers: dict[str, str]
    body: bytes


class HttpFailure(Struct, frozen=True, gc=False):
    """No complete answer.

    `written` says that the vendor may have seen the request; `received_bytes` how much of the
    body had come.
    """

    kind: Literal["connect", "timeout", "closed", "too_large", "protocol", "cancelled"]
    detail: str
    written: bool
    received_bytes: int = 0


Done: TypeAlias = Callable[[HttpResponse | HttpFailure], None]
Part: TypeAlias = Callable[[bytes], None]


class Transport(Protocol):
    """Moves bytes to vendors.  All methods are called on the engine's thread and never block."""

    def start(self, id: str, request: HttpRequest, done: Done, part: Part | None = None) -> None:
        """Begins an exchange; `done` is called once, later, on the engine's thread.

        `part` is shown the body of an answer of status 200 piece by piece, as it comes; `done` then
        has it whole all the same.
        """

    def abort(self, id: str) -> None:
        """Closes the exchange's socket; `done` then hears `cancelled`.  Unknown ids are ignored."""

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Runs until cancelled; exchanges live only while this does.

        `await nursery.start(transport.serve)` returns when exchanges can begin; one that is
        started outside of that time fails as `connect`.
        """


def not_serving(done: Done) -> None:
    """Lets `done` hear, later, that its exchange could not begin."""
    failure = HttpFailure("connect", "the transport is not running", written=False)
    trio.lowlevel.current_trio_token().run_sync_soon(done, failure)
