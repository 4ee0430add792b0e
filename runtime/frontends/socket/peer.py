"""One connection: its bytes in and out, and how long it is waited for."""

from __future__ import annotations

import logging
import socket
from contextlib import suppress
from math import inf
from typing import NamedTuple, Protocol

import trio

from actors.errors import BadRequest, PlanError
from runtime.frontends.socket.conversation import Conversation, Limits, State
from runtime.frontends.socket.session import Session, Yard
from runtime.reactor import READ, WRITE, Reactor, Timer
from runtime.transport.reactor.channel import Channel

logger = logging.getLogger("planhub.socket")

WRITE_BYTES = 262_144
ORDERS_A_TURN = 16


class Patience(NamedTuple):
    """How long a client is waited for, in seconds, and how much is kept for it, in bytes.

    Above `high_water` its requests are not read until it has read its answers; above `most_output`,
    which only what already runs for it can reach, the connection ends.
    """

    hello_s: float = 10.0
    frame_s: float = 60.0
    output_s: float = 30.0
    linger_s: float = 2.0
    high_water: int = 2**20
    most_output: int = 64 * 2**20


class Hall(Yard, Protocol):
    """What a peer needs of its server."""

    reactor: Reactor
    limits: Limits
    patience: Patience

    def stir(self, peer: Peer) -> None:
        """Has the peer's `turn` called soon, once for all that happens until then."""

    def gone(self, peer: Peer) -> None: ...


class Peer:
    """Used on the engine's thread."""

    def __init__(self, hall: Hall, sock: socket.socket, channel: Channel, server: str) -> None:
        self._hall = hall
        self._socket = sock
        self._channel = channel
        self.conversation = Conversation(hall.limits, server)
        self.session = Session(hall, self.conversation, self._stir)
        self._out = bytearray()
        self._backlog = False
        self._closed = False
        self._lingering = False
        self._due: dict[str, float] = {}
        self._timer: Timer | None = None
        self._armed_at = inf
        self._watched = READ
        hall.reactor.add(sock.fileno(), self._ready, READ, failed=lambda _: self.close())
        self._expect("hello", hall.patience.hello_s)

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{len(self._out)} bytes to send"
        return f"<Peer {state}: {self.conversation!r}>"

    @property
    def owes(self) -> bool:
        """Whether an answer is still to be given, or to be sent."""
        return not self._closed and bool(self.session or self._out or self.conversation.has_said)

    def turn(self) -> None:
        """Goes on with what was received, and sends what there is to say."""
        if self._closed:
            return
        if self._backlog:
            self._work()
        self._send()

    def close(self) -> None:
        """At once; what was not sent is lost."""
        if self._closed:
            return
        self._closed = True
        if self._timer is not None:
            self._hall.reactor.cancel(self._timer)
        self._hall.reactor.remove(self._socket.fileno())
        self._socket.close()
        self._out.clear()
        self.session.close()
        self._hall.gone(self)

    # --- in ---

    def _ready(self, mask: int) -> None:
        if mask & WRITE:
            self._stir()
        if mask & READ and not self._closed:
            self.read()

    def read(self) -> None:
        """There is something to receive."""
        try:
            data = self._channel.receive()
        except OSError:
            data = b""
        if data is None:
            return
        if not data:
            self.close()
        elif not self._lingering:
            self.conversation.receive(data)
            self._work()
            if self.conversation.unread < len(data):
                self._met("frame")
            if self.conversation.unread and not self._backlog:
                self._expect("frame", self._hall.patience.frame_s)
            if self._channel.more:
                self.read()

    def _work(self) -> None:
        self._backlog = self.session.work(ORDERS_A_TURN)
        if self.conversation.state is State.OPEN:
            self._met("hello")
        self._stir()

    # --- out ---

    def _stir(self) -> None:
        self._hall.stir(self)

    def _send(self) -> None:
        for said in self.conversation.take():
            self._out += self._channel.sealed(said)
        if self._out:
            self._write()
        if self._closed:
            return
        if len(self._out) > self._hall.patience.most_output:
            logger.warning("a client does not read its answers: its connection is closed")
            self.close()
        elif self.conversation.state is State.OVER and not self._out:
            self._linger()
        else:
            self._watch()
        if self._backlog:
            self._stir()

    def _write(self) -> None:
        try:
            while self._out:
                with memoryview(self._out) as view, view[:WRITE_BYTES] as part:
                    sent = self._channel.send(part)
                if not sent:
                    self._expect("output", self._hall.patience.output_s)
                    return
                del self._out[:sent]
                self._met("output")
        except OSError:
            self.close()

    def _watch(self) -> None:
        """A client is not read while it does not read, or is ahead of what can be begun."""
        full = len(self._out) > self._hall.patience.high_water
        events = (WRITE if self._out else 0) | (0 if full or self._backlog else READ)
        if events != self._watched:
            self._watched = events
            self._hall.reactor.watch(self._socket.fileno(), events)

    def _linger(self) -> None:
        """All was said.  What the client still sends is read and dropped, for a moment: a socket
        closed on unread bytes takes back what was said last.
        """
        if self._lingering:
            return
        self._lingering = True
        self._backlog = False
        self._due.clear()
        self.session.close()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        self._expect("end", self._hall.patience.linger_s)
        self._watch()

    # --- patience ---

    def _expect(self, what: str, within_s: float) -> None:
        if what not in self._due:
            self._due[what] = trio.current_time() + within_s
            self._arm()

    def _met(self, what: str) -> None:
        self._due.pop(what, None)

    def _arm(self) -> None:
        """One timer for all; it looks again when it goes off, and is seldom cancelled."""
        at = min(self._due.values())
        if self._timer is None:
            self._timer = self._hall.reactor.at(at, self._look)
            self._armed_at = at
        elif at < self._armed_at:
            self._hall.reactor.cancel(self._timer)
            self._timer = None
            self._arm()

    def _look(self, _: Timer) -> None:
        self._timer = None
        now = trio.current_time()
        late = [what for what, at in self._due.items() if at <= now]
        if "output" in late or "end" in late:
            self.close()
        elif late:
            self._due.clear()
            text = f"a {late[0]} must arrive in time"
            self.say_last(BadRequest(text, http_status=408))
        elif self._due:
            self._arm()

    def say_last(self, error: PlanError) -> None:
        """Ends the connection, and says why."""
        self.conversation.end(error)
        self.session.close()
        self._send()
