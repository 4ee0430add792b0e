"""A connection to a vendor: carries out one exchange at a time, and waits for the next between.

It has one timer, which is set anew only to go off sooner.  Going off too early it finds that the
deadline has moved on: in a busy connection that is once in a while, not once an exchange.
"""

from __future__ import annotations

from math import inf
from typing import Protocol

import trio

from runtime.reactor import READ, WRITE, Reactor, Timer
from runtime.transport.failures import BROKE, CLOSED, FailureKind, too_large
from runtime.transport.port import HttpFailure, HttpResponse
from runtime.transport.reactor.answer import Answer
from runtime.transport.reactor.channel import Bytes, Channel
from runtime.transport.reactor.exchange import Exchange
from runtime.transport.reactor.requests import Address

KEPT_S = 20.0
"""How long an idle connection is kept."""


class Owner(Protocol):
    """Who gives a connection its exchanges, and hears what became of them."""

    def ended(self, exchange: Exchange, result: HttpResponse | HttpFailure) -> None: ...

    def unsent(self, exchange: Exchange) -> None:
        """On a kept connection, it surely did not reach the vendor whole."""

    def idle(self, connection: Connection) -> bool:
        """Whether it is kept."""

    def closed(self, connection: Connection) -> None: ...


class Connection:
    __slots__ = (
        "_answer", "_channel", "_due", "_exchange", "_fd", "_out", "_owner", "_reactor", "_timer",
        "_timer_at", "_was_used", "address",
    )  # fmt: skip

    def __init__(self, address: Address, channel: Channel, reactor: Reactor, owner: Owner) -> None:
        self.address = address
        self._channel = channel
        self._reactor = reactor
        self._owner = owner
        self._answer = Answer()
        self._exchange: Exchange | None = None
        self._out: Bytes = b""
        self._due = self._timer_at = inf
        self._timer: Timer | None = None
        self._was_used = False
        self._fd = channel.fileno()
        reactor.add(self._fd, self._ready, READ, failed=self._crashed)

    def __repr__(self) -> str:
        state = "closed" if self._fd < 0 else "idle" if self._exchange is None else "busy"
        return f"<Connection {self.address.name}: {state}>"

    def is_silent(self) -> bool:
        """Whether a kept one can be used: the vendor has neither closed it nor said anything."""
        try:
            return self._channel.receive() is None
        except OSError:
            return False

    def carry_out(self, exchange: Exchange, now: float) -> None:
        self._exchange = exchange
        exchange.connection = self
        exchange.phase = "sending"
        self._answer.expect(exchange.most)
        try:
            data = self._channel.sealed(exchange.data())
        except OSError:
            self._reactor.at(now, lambda _: self._lost(BROKE))
        else:
            self._send(data, now)

    def close(self) -> None:
        """At once, whatever it was doing; the exchange on it hears nothing of it here."""
        if self._fd < 0:
            return
        self._reactor.remove(self._fd)
        self._fd = -1
        if self._timer is not None:
            self._reactor.cancel(self._timer)
        self._exchange = None
        self._out = b""
        self._channel.close()
        self._answer.release()
        self._owner.closed(self)

    # --- events ---

    def _ready(self, mask: int) -> None:
        if mask & WRITE and self._out:
            self._send(self._out, trio.current_time())
        if mask & READ and self._fd >= 0:
            self._receive()

    def _crashed(self, error: Exception) -> None:
        """Our own mistake, or that of whoever heard of a part or of the end."""
        self._fail("protocol", f"a fault of our own ({type(error).__name__})")

    def _rung(self, _: Timer) -> None:
        self._timer, self._timer_at = None, inf
        if trio.current_time() < self._due:
            self._end_by(self._due)
        elif self._exchange is None:
            self.close()
        else:
            self._finish(self._exchange.too_slow())

    def _end_by(self, when: float) -> None:
        """What is going on must have ended by then."""
        self._due = when
        if when < self._timer_at:
            if self._timer is not None:
                self._reactor.cancel(self._timer)
            self._timer, self._timer_at = self._reactor.at(when, self._rung), when

    # --- the request ---

    def _send(self, data: Bytes, now: float) -> None:
        exchange = self._exchange
        assert exchange is not None
        try:
            sent = self._channel.send(data)
        except OSError:  # what the vendor said before it hung up, or that it did, is read next
            self._out = b""
            self._reactor.watch(self._fd, READ)
            self._end_by(exchange.end)
            return
        if sent < len(data):
            if not self._out:
                self._reactor.watch(self._fd, READ | WRITE)
                self._end_by(exchange.end)
            self._out = memoryview(data)[sent:]
            return
        if self._out:
            self._out = b""
            self._reactor.watch(self._fd, READ)
        exchange.body = b""
        if exchange.phase == "sending":
            exchange.phase = "waiting"
            self._end_by(min(exchange.end, now + exchange.first_byte_timeout_s))

    # --- the answer ---

    def _receive(self) -> None:
        while True:
            try:
                data = self._channel.receive()
            except OSError:
                self._lost(BROKE)
                return
            if data is None:
                return
            if self._exchange is None:
                self.close()  # the vendor has closed it, or says what nobody asked
            elif not data:
                self._lost(CLOSED)
            else:
                self._hear(self._exchange, data)
            if self._fd < 0 or not self._channel.more:
                return

    def _hear(self, exchange: Exchange, data: Bytes) -> None:
        answer = self._answer
        shown = len(answer.pieces)
        answer.feed(data)
        exchange.received = answer.received
        if exchange.part is not None and answer.status == 200 and len(answer.pieces) > shown:
            for piece in answer.pieces[shown:]:
                exchange.part(piece)
                if self._exchange is not exchange:
                    return  # it was given up on the way
        if answer.complete:
            self._answered()
        elif answer.too_large:
            self._fail("too_large", too_large(exchange.most))
        elif answer.fault is not None:
            self._fail("protocol", answer.fault)
        elif answer.begun and exchange.phase != "reading":
            exchange.phase = "reading"
            self._end_by(exchange.end)

    def _answered(self) -> None:
        exchange, answer = self._exchange, self._answer
        assert exchange is not None
        reusable = answer.keep and not exchange.body and not self._out
        response = answer.take()
        self._exchange = exchange.connection = None
        if reusable and self._owner.idle(self):
            self._was_used = True
            self._end_by(trio.current_time() + KEPT_S)
        else:
            self.close()
        self._owner.ended(exchange, response)

    def _lost(self, how: str) -> None:
        """The connection is no more: CLOSED by the vendor, or it BROKE."""
        exchange = self._exchange
        if exchange is None:
            self.close()
            return
        if how == CLOSED:
            self._answer.end()
            if self._answer.complete:
                self._answered()
                return
        exchange.unsent = exchange.phase == "sending" and self._answer.is_untouched
        if exchange.unsent and self._was_used and not exchange.is_resent:
            self.close()
            self._owner.unsent(exchange)
        else:
            self._fail("closed", how)

    def _fail(self, kind: FailureKind, detail: str) -> None:
        if self._exchange is not None:
            self._finish(self._exchange.failure(kind, detail))
        else:
            self.close()

    def _finish(self, failure: HttpFailure) -> None:
        exchange = self._exchange
        assert exchange is not None
        exchange.connection = None
        self.close()
        self._owner.ended(exchange, failure)
