"""What a client asks for and waits for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from actors.errors import BadRequest, PlanError
from runtime.frontends.socket.frames import MAX_FRAME_BYTES, FrameTooLong, frame
from runtime.frontends.socket.messages import Cancel, Id, Plan
from runtime.frontends.wire import PlanRequest, PlanResult, checked, plan_request
from runtime.kernel import Future
from runtime.kernel.future import Home
from runtime.runs import OnEvent

_encode = msgspec.msgpack.Encoder().encode


class Unreachable(PlanError):
    """The server could not be reached for as long as was tried; what it did meanwhile is unknown.

    The same request under the same `idempotency_key` finds out.
    """

    code = "unreachable"
    http_status = 503


class RemotePlan(Future[PlanResult]):
    """The answer to be: `result(timeout)`, `cancel()`, `add_done_callback(fn)`, or await it.

    `id` is what `Client.cancel` takes.  `key` is the idempotency key under which it is sent again
    when the connection is lost; `named` says that the caller chose it.  `reads` is what its answer
    is read as.
    """

    def __init__(
        self,
        id: Id,
        home: Home,
        give_up: Callable[[RemotePlan], None],
        *,
        key: str,
        named: bool,
        on_event: OnEvent | None,
        reads: type[Any] = PlanResult,
    ) -> None:
        super().__init__(home)
        self.reads = reads
        self.id = id
        self.key = key
        self.named = named
        self.on_event = on_event
        self.frame = b""
        self.sent = False
        self.given_up = False
        self.put_off: PlanError | None = None
        """What a server that was shutting down said: the next one may carry the run on."""
        self._give_up = give_up

    def __repr__(self) -> str:
        return f"<RemotePlan {self.id}: {'done' if self.done() else 'waiting'}>"

    def result(self, timeout: float | None = None) -> PlanResult:
        """The answer, waited for.  Raises PlanError, or `pykka.Timeout` after `timeout` seconds."""
        return self.get(timeout)

    def cancel(self) -> bool:
        """Has the run cancelled; it then ends in `Cancelled`.  False when it had ended before."""
        if self.done():
            return False
        self._give_up(self)
        return True

    def leave(self) -> None:
        """Nobody waits here any more: cancelled, unless it will be asked for by name."""
        if not self.named:
            self.cancel()

    @property
    def cancel_frame(self) -> bytes:
        return frame(Cancel(id=self.id), MAX_FRAME_BYTES)


def body_of(request: PlanRequest | dict[str, Any] | Any, fields: dict[str, Any]) -> bytes:
    """The body of a request as msgpack; raises BadRequest for what no frame can hold."""
    if isinstance(request, PlanRequest | dict):
        if fields:
            raise TypeError(f"a whole request is complete: {', '.join(fields)} cannot be added")
        body = request
    else:
        body = plan_request(request, **fields)
    try:
        return _encode(body)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        checked(body)  # says what is wrong
        raise BadRequest(f"the request must be data that JSON can hold: {error}") from error


def plan_frame(plan: RemotePlan, body: bytes, most: int) -> bytes:
    """Raises BadRequest when it is too long."""
    said = Plan(
        id=plan.id,
        body=msgspec.Raw(body),
        idempotency_key=plan.key,
        events=plan.on_event is not None,
    )
    try:
        return frame(said, most)
    except FrameTooLong as error:
        raise BadRequest("request too large", code="too_large", http_status=413) from error
