"""The transport over the reactor: a vendor's connections, and the exchanges on them.

How many connections are open at once is bounded by who orders the exchanges (a pool leases them):
an exchange takes the connection that was idle last, and opens one when none is.  How many stay
open idle is bounded here, in number and in time.  Idle ones are watched: one that the vendor
closes, or says anything on, is closed.

A request is sent a second time, once, only when a kept connection did not take it whole: then the
vendor has at most a part of it, and cannot have acted on it.  When a kept connection ends after
the request was written whole, nobody can tell a vendor that never read it from one that bills for
it, so the exchange ends as `closed`, `written`, and whoever ordered it decides.
"""

from __future__ import annotations

import ssl
from collections import deque

import trio

from runtime.reactor import Reactor
from runtime.transport.failures import GIVEN_UP, STOPPED, unsendable
from runtime.transport.port import Done, HttpFailure, HttpRequest, HttpResponse, Part, not_serving
from runtime.transport.reactor.channel import Channel
from runtime.transport.reactor.connecting import Connector
from runtime.transport.reactor.connection import Connection
from runtime.transport.reactor.exchange import Exchange
from runtime.transport.reactor.requests import Address, Heads

KEPT_PER_ORIGIN = 1_024

MOST_OPENERS = 256
"""Tasks that open connections: one for each would keep more than the connection does."""


class ReactorTransport:
    """No task per exchange; see :class:`runtime.transport.port.Transport`.

    Serve `reactor` beside it, begun before.  Without `tls` only `http://` origins can be reached.
    """

    def __init__(self, reactor: Reactor, tls: ssl.SSLContext | None = None) -> None:
        self._reactor = reactor
        self._connector = Connector(tls)
        self._heads = Heads()
        self._exchanges: dict[str, Exchange] = {}
        self._unconnected: deque[tuple[Exchange, float]] = deque()  # until when each may wait
        self._openers = 0
        self._connections: set[Connection] = set()
        self._idle: dict[str, dict[Connection, None]] = {}  # by origin; the last was idle last
        self._nursery: trio.Nursery | None = None

    def __repr__(self) -> str:
        idle = sum(map(len, self._idle.values()))
        return f"<ReactorTransport: {len(self._exchanges)} in flight, {idle} idle>"

    def start(self, id: str, request: HttpRequest, done: Done, part: Part | None = None) -> None:
        if self._nursery is None:
            not_serving(done)
            return
        try:
            head = self._heads.of(request)
        except ValueError as error:
            _later(done, HttpFailure("connect", unsendable(error), written=False))
            return
        now = trio.current_time()
        exchange = self._exchanges[id] = Exchange(id, request, head, done, part, now)
        connection = self._idle_one(head.address, now)
        if connection is None:
            self._connect_soon(exchange, self._nursery, now)
        else:
            connection.carry_out(exchange, now)

    def abort(self, id: str) -> None:
        exchange = self._exchanges.pop(id, None)
        if exchange is None:
            return
        exchange.is_over = True
        if exchange.scope is not None:
            exchange.scope.cancel()
        if exchange.connection is not None:
            exchange.connection.close()
        _later(exchange.done, exchange.failure("cancelled", GIVEN_UP))

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        try:
            async with trio.open_nursery() as self._nursery:
                task_status.started()
                await trio.sleep_forever()
        finally:
            self._nursery = None
            self._unconnected.clear()
            for connection in tuple(self._connections):
                connection.close()
            for exchange in tuple(self._exchanges.values()):
                self.ended(exchange, exchange.failure("cancelled", STOPPED))

    def _idle_one(self, address: Address, now: float) -> Connection | None:
        """One that is asked whether it still stands, unless the reactor would have heard."""
        idle = self._idle.get(address.origin)
        while idle:
            connection = idle.popitem()[0]
            if self._reactor.has_just_looked(now) or connection.is_silent():
                return connection
            connection.close()
        return None

    def _connect_soon(self, exchange: Exchange, nursery: trio.Nursery, now: float) -> None:
        self._unconnected.append((exchange, min(exchange.end, now + exchange.connect_timeout_s)))
        if self._openers < MOST_OPENERS:
            self._openers += 1
            nursery.start_soon(self._open_connections)

    async def _open_connections(self) -> None:
        try:
            while self._unconnected:
                await self._connect(*self._unconnected.popleft())
        finally:
            self._openers -= 1

    async def _connect(self, exchange: Exchange, until: float) -> None:
        if exchange.is_over:
            return
        address, channel = exchange.head.address, None
        try:
            with trio.CancelScope(deadline=until) as exchange.scope:
                channel = await self._connector.open(address)
        except (OSError, UnicodeError) as error:
            self.ended(exchange, exchange.failure("connect", str(error) or "no connection"))
            return
        exchange.scope = None
        if channel is None:
            self.ended(exchange, exchange.too_slow())
        elif exchange.is_over:
            channel.close()
        else:
            self._begin(exchange, channel)

    def _begin(self, exchange: Exchange, channel: Channel) -> None:
        try:
            connection = Connection(exchange.head.address, channel, self._reactor, self)
        except OSError as error:
            channel.close()
            self.ended(exchange, exchange.failure("connect", str(error)))
            return
        self._connections.add(connection)
        connection.carry_out(exchange, trio.current_time())

    # --- told by connections ---

    def ended(self, exchange: Exchange, result: HttpResponse | HttpFailure) -> None:
        if not exchange.is_over:
            exchange.is_over = True
            del self._exchanges[exchange.id]
            exchange.done(result)

    def unsent(self, exchange: Exchange) -> None:
        if self._nursery is None:
            self.ended(exchange, exchange.failure("cancelled", STOPPED))
            return
        exchange.begin_again()
        self._connect_soon(exchange, self._nursery, trio.current_time())

    def idle(self, connection: Connection) -> bool:
        idle = self._idle.setdefault(connection.address.origin, {})
        if self._nursery is None or len(idle) >= KEPT_PER_ORIGIN:
            return False
        idle[connection] = None
        return True

    def closed(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._idle.get(connection.address.origin, {}).pop(connection, None)


def _later(done: Done, failure: HttpFailure) -> None:
    trio.lowlevel.current_trio_token().run_sync_soon(done, failure)
