"""One connection's talk, without the connection: bytes in, orders out; answers in, bytes out.

Shaped like `h11.Connection`: `receive` takes bytes, `next` gives what the client wants one by one,
the rest of the methods answer it, and `take` gives the bytes to send.  Rules:

1. `hello` comes first, and once.
2. Every plan is answered exactly once, with its result or an error, whatever came before it.
3. An error without an id is the last thing that is said.
4. A cancel of what is not under way says nothing: the answer has been sent.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Any, NamedTuple, TypeAlias

import msgspec

from actors.errors import BadRequest, PlanError, RateLimited
from runtime.frontends.socket.frames import MAX_FRAME_BYTES, Frames, FrameTooLong, frame
from runtime.frontends.socket.messages import (
    VERSION,
    BadFrame,
    Cancel,
    Event,
    Failure,
    Hello,
    Id,
    Ping,
    Plan,
    Pong,
    Result,
    Welcome,
    read_said,
)
from runtime.frontends.wire import told

Order: TypeAlias = Hello | Plan | Cancel

HELLO_BYTES = 65_536
"""As long as nobody knows who is there, a frame is not longer than this."""

_from_json = msgspec.json.Decoder().decode


class Limits(NamedTuple):
    """Of one connection; bytes of a frame either way, of a request, runs at a time."""

    max_frame_bytes: int = MAX_FRAME_BYTES
    max_request_bytes: int = MAX_FRAME_BYTES
    max_in_flight: int = 1_024


class State(Enum):
    SILENT = auto()
    """Nothing was heard yet."""
    GREETED = auto()
    """The hello is being looked at."""
    OPEN = auto()
    OVER = auto()
    """What was said last is still sent, nothing is heard."""


class Conversation:
    """See the module's text.  `live` are the ids of the plans that are not answered yet."""

    def __init__(self, limits: Limits, server: str) -> None:
        self.state = State.SILENT
        self.live: set[str | int] = set()
        self._limits = limits
        self._server = server
        self._frames = Frames(min(HELLO_BYTES, limits.max_frame_bytes))
        self._said: list[bytes] = []

    def __repr__(self) -> str:
        return f"<Conversation {self.state.name.lower()}: {len(self.live)} in flight>"

    @property
    def unread(self) -> int:
        """Bytes that were received and not yet worked on."""
        return len(self._frames)

    # --- what the client says ---

    def receive(self, data: bytes | memoryview) -> None:
        if self.state is not State.OVER:
            self._frames.feed(data)

    def next(self) -> Order | None:
        """What the client wants next; None until more is received.  Answers what is not for you."""
        while self.state not in (State.OVER, State.GREETED):
            try:
                payload = self._frames.next()
                if payload is None:
                    return None
                if (order := self._order(read_said(payload))) is not None:
                    return order
            except FrameTooLong as error:
                self.end(BadRequest(str(error), code="too_large", http_status=413))
            except BadFrame as bad:
                self._complain(bad)
        return None

    def _order(self, said: Hello | Plan | Cancel | Ping) -> Order | None:
        if (self.state is State.SILENT) != isinstance(said, Hello):
            self.end(BadRequest("hello must come first, and once"))
            return None
        match said:
            case Hello():
                return self._greeting(said)
            case Plan():
                return self._plan(said)
            case Cancel():
                return said if said.id in self.live else None
            case Ping():
                self._say(Pong(id=said.id))
                return None

    def _greeting(self, hello: Hello) -> Hello | None:
        if hello.version != VERSION:
            self.end(BadRequest(f"version must be {VERSION}, got {hello.version}"))
            return None
        self.state = State.GREETED
        return hello

    def _plan(self, plan: Plan) -> Plan | None:
        refused = self._objection(plan)
        if refused is None:
            self.live.add(plan.id)
            return plan
        self._fail(plan.id, refused)
        return None

    def _objection(self, plan: Plan) -> PlanError | None:
        if plan.id in self.live:
            return BadRequest("id must be another than those in flight")
        if len(self.live) >= self._limits.max_in_flight:
            most = self._limits.max_in_flight
            return RateLimited(f"rate limited: {most} runs are in flight on this connection")
        if len(memoryview(plan.body)) > self._limits.max_request_bytes:
            return BadRequest("request too large", code="too_large", http_status=413)
        return None

    def _complain(self, bad: BadFrame) -> None:
        """One that is about a request leaves the rest of the connection as it is."""
        if bad.about is None or self.state is State.SILENT:
            self.end(bad.error)
        else:
            self._fail(bad.about, bad.error)

    # --- what it is told ---

    def welcome(self) -> None:
        self.state = State.OPEN
        self._frames.most = self._limits.max_frame_bytes
        self._say(Welcome(version=VERSION, server=self._server))

    def answer(self, id: Id, body: bytes) -> None:
        """The answer to a plan, as JSON."""
        self.live.discard(id)
        result = _from_json(body)
        try:
            self._say(Result(id=id, body=result))
        except FrameTooLong:
            self._fail(id, self._unsendable(result.get("id")))

    def fail(self, id: Id, error: PlanError) -> None:
        """The end of a plan without an answer."""
        self.live.discard(id)
        self._fail(id, error)

    def show(self, id: Id, event: Any) -> None:
        """An event of a plan's run, if that is not answered yet.

        One that is longer than a frame is left out, the last one told as the error it leads to.
        """
        if id not in self.live:
            return
        try:
            self._say(Event(id=id, body=event))
        except FrameTooLong:
            if "result" in event:
                failed = self._unsendable(event["run"])
                instead = {"event": "run_failed", "error": told(failed), "status": 413}
                common = {name: event[name] for name in ("run", "seq", "at")}
                self._say(Event(id=id, body={**common, **instead}))

    def end(self, error: PlanError) -> None:
        """Says why the connection ends; nothing is said or heard afterwards."""
        if self.state is not State.OVER:
            self._fail(None, error)
            self.state = State.OVER

    def take(self) -> list[bytes]:
        """What is to be sent, in order, since the last time."""
        said, self._said = self._said, []
        return said

    @property
    def has_said(self) -> bool:
        """Whether there is something to take."""
        return bool(self._said)

    def _fail(self, id: Id | None, error: PlanError) -> None:
        failure = Failure(id=id, status=error.http_status, body=told(error))
        try:
            self._say(failure)
        except FrameTooLong:
            bare = PlanError(error.text[:200], code=error.code, run=error.run)
            self._say(Failure(id=id, status=error.http_status, body=told(bare)))

    def _unsendable(self, run: str | None) -> PlanError:
        """The answer is there, but does not fit; whoever asks for it over HTTP gets it."""
        most = self._limits.max_frame_bytes
        text = f"the answer is longer than a frame of {most} bytes"
        return PlanError(text, code="too_large", http_status=413, run=run)

    def _say(self, message: Any) -> None:
        if self.state is not State.OVER:
            self._said.append(frame(message, self._limits.max_frame_bytes))
