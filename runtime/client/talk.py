"""The client's side of a conversation, without the connection: what to send, what was heard."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import msgspec

from actors.errors import Cancelled, Internal, PlanError
from runtime.client.plans import RemotePlan
from runtime.frontends.socket.frames import Frames, frame
from runtime.frontends.socket.messages import (
    VERSION,
    Event,
    Failure,
    Hello,
    Ping,
    Pong,
    ResultRead,
    Told,
    Welcome,
)
from runtime.frontends.wire import error_from
from runtime.kernel import Future
from runtime.secret import Secret

logger = logging.getLogger("planhub.client")

MAX_ANSWER_BYTES = 2**30
SMALL = 65_536
RETRIED = (429, 503)
"""What a server refuses a connection with that may pass."""

_TOLD: msgspec.msgpack.Decoder[Told] = msgspec.msgpack.Decoder(Told)


class Lost(Exception):
    """The connection is of no more use; `error` is what the server said, if it did."""

    def __init__(self, text: str, error: PlanError | None = None) -> None:
        super().__init__(text)
        self.error = error


class Talk:
    """Plans survive connections: each new one is told again of what is not answered."""

    def __init__(self, api_key: Secret | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.plans: dict[str | int, RemotePlan] = {}
        self.output = bytearray()
        self.welcomed = False
        self.answered = 0
        self._api_key = api_key
        self._clock = clock
        self._pings: dict[str | int, tuple[Future[float], float]] = {}
        self._pinged = 0
        self._frames = Frames(MAX_ANSWER_BYTES)

    def __repr__(self) -> str:
        state = "welcome" if self.welcomed else "not connected"
        return f"<Talk {state}: {len(self.plans)} plans>"

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits for an answer."""
        return bool(self.plans or self._pings)

    @property
    def owed(self) -> bool:
        """Whether something was cancelled and has not ended."""
        return self.welcomed and any(plan.given_up for plan in self.plans.values())

    # --- the connection ---

    def begin(self) -> None:
        """There is a connection, which has heard nothing yet."""
        self._frames = Frames(MAX_ANSWER_BYTES)
        self.welcomed = False
        key = None if self._api_key is None else self._api_key.reveal()
        self.output[:] = frame(Hello(version=VERSION, api_key=key), SMALL)

    def end(self) -> None:
        """The connection is gone."""
        self.welcomed = False
        self.output.clear()

    def give_up(self, error: PlanError) -> None:
        """Everybody who waits is told."""
        plans, self.plans = self.plans, {}
        pings, self._pings = self._pings, {}
        for plan in plans.values():
            plan.fail(plan.put_off or error)
        for waiting, _ in pings.values():
            waiting.fail(error)

    # --- what is asked ---

    def ask(self, plan: RemotePlan) -> None:
        self.plans[plan.id] = plan
        if self.welcomed:
            self._send(plan)

    def cancel(self, plan: RemotePlan) -> None:
        """One that no server has heard of ends here."""
        if self.plans.get(plan.id) is not plan:
            return
        plan.given_up = True
        if not plan.sent:
            del self.plans[plan.id]
            plan.fail(Cancelled("cancelled"))
        elif self.welcomed:
            self.output += plan.cancel_frame

    def ping(self, waiting: Future[float]) -> None:
        self._pinged += 1
        self._pings[self._pinged] = waiting, self._clock()
        if self.welcomed:
            self.output += frame(Ping(id=self._pinged), SMALL)

    def beat(self) -> None:
        """Asks whether the server is there, for nobody in particular."""
        if self.welcomed:
            self.output += frame(Ping(id=0), SMALL)

    def _send(self, plan: RemotePlan) -> None:
        plan.sent = True
        self.output += plan.frame
        if plan.given_up:
            self.output += plan.cancel_frame

    # --- what is heard ---

    def receive(self, data: bytes) -> None:
        """Raises Lost when nothing more is to be expected."""
        self._frames.feed(data)
        while (payload := self._frames.next()) is not None:
            try:
                told = _TOLD.decode(payload)
            except (msgspec.MsgspecError, ValueError) as error:
                raise Lost("the server cannot be understood") from error
            self._hear(told)

    def _hear(self, told: Told) -> None:
        match told:
            case Welcome():
                self._welcome()
            case Pong(id=id):
                if id in self._pings:
                    waiting, since = self._pings.pop(id)
                    waiting.set(self._clock() - since)
                    self.answered += 1
            case Event(id=id, body=event):
                self._show(self.plans.get(id), event)
            case ResultRead(id=id, body=body):
                if (plan := self.plans.pop(id, None)) is not None:
                    self.answered += 1
                    _settle(plan, body)
            case Failure():
                self._fail(told)

    def _welcome(self) -> None:
        self.welcomed = True
        for plan in self.plans.values():
            self._send(plan)
        for number in self._pings:
            self.output += frame(Ping(id=number), SMALL)

    def _show(self, plan: RemotePlan | None, event: Any) -> None:
        if plan is None or plan.on_event is None:
            return
        try:
            plan.on_event(event)
        except Exception:
            logger.exception("what watched plan %s failed", plan.id)
            plan.on_event = None

    def _fail(self, told: Failure) -> None:
        error = error_from(told.body, told.status)
        if told.id is None:
            raise Lost("the server ends the connection", error)
        plan = self.plans.get(told.id)
        if plan is None:
            return
        if error.code == "draining" and error.run is not None and not plan.given_up:
            plan.put_off = error
            return
        del self.plans[told.id]
        self.answered += 1
        plan.fail(error)


def _settle(plan: RemotePlan, body: bytes | msgspec.Raw) -> None:
    try:
        plan.set(msgspec.msgpack.decode(body, type=plan.reads))
    except (msgspec.MsgspecError, ValueError) as error:
        plan.fail(Internal(f"an answer that cannot be read: {error}"))
