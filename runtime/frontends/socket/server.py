"""The server: all connections of one address, on the engine's thread and its reactor.

No task runs for a connection or a request.  One attends to all of them: whatever happens to a
connection within a turn of the loop, it is worked on and its answers are written once.
"""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from time import perf_counter
from typing import Any, TypeVar

import trio

from actors.errors import RateLimited
from runtime.frontends.admission import Admission, Ring
from runtime.frontends.hub import Hub
from runtime.frontends.socket.addresses import Listener
from runtime.frontends.socket.conversation import Conversation, Limits
from runtime.frontends.socket.peer import Patience, Peer
from runtime.frontends.socket.tls import shake_hands
from runtime.kernel import Future
from runtime.reactor import READ, Reactor, Timer
from runtime.transport.reactor.channel import Buffer, PlainChannel

logger = logging.getLogger("planhub.socket")

MAX_CONNECTIONS = 1_000
ACCEPTS_A_TURN = 16
WORK_S = 0.001
FULL_PAUSE_S = 0.1
LIMITS = Limits()
PATIENCE = Patience()

T = TypeVar("T")
Later = tuple[Callable[[], Any], Callable[[Any], None]]


class SocketServer:
    """A service of the engine's host; see :meth:`runtime.kernel.Host.serve_beside`.

    It owns its listener.  `drained`, `leave` and `stop` are for any thread, the rest for the
    engine's.
    """

    def __init__(
        self,
        hub: Hub,
        listener: Listener,
        reactor: Reactor,
        *,
        keys: Ring | None = None,
        limits: Limits = LIMITS,
        patience: Patience = PATIENCE,
        ssl_context: ssl.SSLContext | None = None,
        max_connections: int = MAX_CONNECTIONS,
    ) -> None:
        self.hub = hub
        self.reactor = reactor
        self.admission = Admission(hub, keys)
        self.limits = limits
        self.patience = patience
        self.name = listener.name
        self._listener = listener
        self._tls = ssl_context
        self._buffer = Buffer()
        self._nursery: trio.Nursery | None = None
        self._shaking = 0
        self._most = max_connections
        self._peers: set[Peer] = set()
        self._stirred: dict[Peer, None] = {}
        self._attending = trio.Event()
        self._later: deque[Later] = deque()
        self._has_later = trio.Event()
        self._scope = trio.CancelScope()
        self._token: trio.lowlevel.TrioToken | None = None
        self._home = 0
        self._ended = False
        self._waiting: list[Future[None]] = []
        self._server = _version()
        self._too_many = _refusal(limits, self._server)

    def __repr__(self) -> str:
        owed = sum(len(peer.session) for peer in self._peers)
        return f"<SocketServer {self.name}: {len(self._peers)} connections, {owed} runs>"

    # --- life ---

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serves until it is stopped or cancelled; closes its connections and its listener."""
        self._home = threading.get_ident()
        self._token = trio.lowlevel.current_trio_token()
        listening = self._listener.socket.fileno()
        try:
            self.reactor.add(listening, self._accept)
            with self._scope:
                async with trio.open_nursery() as self._nursery:
                    nursery = self._nursery
                    nursery.start_soon(self._attend)
                    nursery.start_soon(self._work_later)
                    task_status.started()
        finally:
            self.reactor.remove(listening)
            self._listener.close()
            self._end()

    def stop(self) -> None:
        """Closes every connection and the address."""
        self._post(self._scope.cancel)

    def leave(self) -> None:
        """Has every run that a client waits for end as the engine's end does."""

        def leave() -> None:
            for peer in list(self._peers):
                peer.session.leave()

        self._post(leave)

    def drained(self) -> Future[None]:
        """Settled once every plan is answered, and every answer sent."""
        future: Future[None] = Future()

        def wait() -> None:
            self._waiting.append(future)
            self._tell_if_idle()

        self._post(wait)
        if self._ended:
            future.set()
        return future

    def _post(self, action: Callable[[], object]) -> None:
        if self._token is not None:
            with suppress(trio.RunFinishedError):  # it has ended, and all with it
                self._token.run_sync_soon(action)

    def _end(self) -> None:
        self._ended = True
        for peer in list(self._peers):
            peer.close()
        self._tell_if_idle()

    def _tell_if_idle(self) -> None:
        if self._waiting and not any(peer.owes for peer in self._peers):
            waiting, self._waiting = self._waiting, []
            for future in waiting:
                future.set()

    # --- connections ---

    def _accept(self, _: int) -> None:
        for _ in range(ACCEPTS_A_TURN):
            try:
                sock, _ = self._listener.socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                logger.error("no connection can be accepted: %s", error.strerror)
                self._pause()
                return
            self._take_in(sock)

    def _take_in(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        if len(self._peers) + self._shaking >= self._most:
            with sock, suppress(OSError):
                if self._tls is None:
                    sock.send(self._too_many)
            return
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is None:
            self._peers.add(Peer(self, sock, PlainChannel(sock, self._buffer), self._server))
        elif self._nursery is not None:
            self._shaking += 1
            self._nursery.start_soon(self._take_in_by_tls, sock, self._tls)

    async def _take_in_by_tls(self, sock: socket.socket, tls: ssl.SSLContext) -> None:
        try:
            with trio.fail_after(self.patience.hello_s):
                channel = await shake_hands(sock, tls, self._buffer)
        except (OSError, trio.TooSlowError) as error:
            logger.info("no connection could be made safe: %s", error)
            sock.close()
        except BaseException:
            sock.close()
            raise
        else:
            peer = Peer(self, sock, channel, self._server)
            self._peers.add(peer)
            if channel.more:
                _guarded(peer, peer.read)
        finally:
            self._shaking -= 1

    def _pause(self) -> None:
        """Descriptors have run out: those in use may end meanwhile."""
        listening = self._listener.socket.fileno()
        self.reactor.watch(listening, 0)

        def go_on(_: Timer) -> None:
            if not self._ended:
                self.reactor.watch(listening, READ)

        self.reactor.at(trio.current_time() + FULL_PAUSE_S, go_on)

    def gone(self, peer: Peer) -> None:
        self._peers.discard(peer)
        self._stirred.pop(peer, None)
        self._tell_if_idle()

    def stir(self, peer: Peer) -> None:
        """Has the peer's `turn` called soon, once for all that happens until then."""
        self._stirred[peer] = None
        self._attending.set()

    async def _attend(self) -> None:
        while True:
            await self._attending.wait()
            self._attending = trio.Event()
            until = perf_counter() + WORK_S
            for peer in list(self._stirred):
                if self._stirred.pop(peer, peer) is None:
                    _guarded(peer, peer.turn)
                if perf_counter() >= until:
                    await trio.lowlevel.checkpoint()
                    until = perf_counter() + WORK_S
            self._tell_if_idle()

    # --- what may block ---

    def here(self, action: Callable[[], None]) -> None:
        """Does `action` now on the engine's thread, else has it done there soon."""
        if threading.get_ident() == self._home:
            action()
        else:
            self._post(action)

    def in_thread(self, work: Callable[[], T], then: Callable[[T | Exception], None]) -> None:
        """Has `work` done on another thread, one after the other: they would wait for each other
        anyway.  How many there are is bounded by what may be in flight.
        """
        self._later.append((work, then))
        self._has_later.set()

    async def _work_later(self) -> None:
        while True:
            await self._has_later.wait()
            self._has_later = trio.Event()
            while self._later:
                work, then = self._later.popleft()
                try:
                    came: Any = await trio.to_thread.run_sync(work)
                except Exception as error:  # noqa: BLE001 - told to the client, whatever it is
                    came = error
                then(came)


def _guarded(peer: Peer, action: Callable[[], None]) -> None:
    """One connection's failure is not the others'."""
    try:
        action()
    except Exception:
        logger.exception("a connection failed")
        peer.close()


def _version() -> str:
    from importlib.metadata import version

    return f"planhub {version('planhub')}"


def _refusal(limits: Limits, server: str) -> bytes:
    conversation = Conversation(limits, server)
    conversation.end(RateLimited("rate limited: too many connections"))
    return b"".join(conversation.take())
