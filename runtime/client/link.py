"""The one thread of a client: it connects, sends and reads, and connects again."""

from __future__ import annotations

import logging
import math
import random
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from actors.errors import Cancelled, Internal, PlanError
from runtime.client.plans import Unreachable
from runtime.client.talk import RETRIED, Lost, Talk
from runtime.frontends.socket.frames import FrameTooLong
from runtime.kernel.future import Home
from runtime.kernel.handover import Handover

logger = logging.getLogger("planhub.client")

CONNECT_S = 5.0
HEARTBEAT_S = 15.0
"""After that silence while somebody waits the server is pinged; after twice that it is gone."""

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 2.0
CLOSE_S = 1.0
READ_BYTES = 262_144

Place = tuple[str, int] | Path


class Link:
    """Any thread may have something done by the link's; `talk` is that thread's alone.

    Nobody is connected to before somebody wants an answer.  A connection that is lost is made
    anew while somebody waits, for `retry_s` at most.
    """

    def __init__(
        self,
        place: Place,
        talk: Talk,
        retry_s: float,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self.home = Home()
        self.talk = talk
        self._place = place
        self._retry_s = retry_s
        self._tls = ssl_context
        self._asked = Handover(self._wake)
        self._bell, self._ear = socket.socketpair()
        self._bell.setblocking(False)
        self._ear.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._ear, selectors.EVENT_READ)
        self._closing = False
        self._closed = False
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def __repr__(self) -> str:
        state = "closed" if self._closed else repr(self.talk)
        return f"<Link to {self._place}: {state}>"

    # --- any thread ---

    def do(self, action: Callable[[], None]) -> None:
        """Has `action` done on the link's thread; raises Cancelled when the link is closed."""
        with self._lock:
            if self._closed:
                raise Cancelled("the client is closed")
            self._asked.put(action)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="planhub client", daemon=True
                )
                self._thread.start()

    def close(self) -> None:
        """Cancels what nobody can ask for by name, tells whoever waits, and disconnects."""
        with self._lock:
            if self._thread is None:
                self._end()
                return
        with suppress(Cancelled):
            self.do(self._begin_to_close)
        if self._thread is not threading.current_thread():
            self._thread.join(CONNECT_S + CLOSE_S)

    def _wake(self) -> None:
        with suppress(BlockingIOError):  # it is awake when there is so much to hear
            self._bell.send(b"!")

    # --- the thread ---

    def _run(self) -> None:
        self.home.thread = threading.get_ident()
        why: PlanError = Cancelled("the client was closed")
        try:
            while self._wait_until_wanted():
                self._serve_while_wanted()
        except Exception as error:
            logger.exception("a client failed")
            why = Internal(f"the client failed: {type(error).__name__}; its log says where")
        finally:
            with self._lock:
                self._end()
            self._asked.make(len(self._asked))
            self.talk.give_up(why)
            self.home.thread = 0

    def _end(self) -> None:
        if not self._closed:
            self._closed = True
            self._selector.close()
            self._bell.close()
            self._ear.close()

    def _begin_to_close(self) -> None:
        self._closing = True
        for plan in list(self.talk.plans.values()):
            if not plan.named:
                self.talk.cancel(plan)

    def _wait_until_wanted(self) -> bool:
        """False when the client is closed."""
        while not self._closing and not self.talk.is_wanted:
            self._listen(None)
        return not self._closing

    def _serve_while_wanted(self) -> None:
        """Connects again and again; only what is spent without a connection is counted."""
        left_s, pause = self._retry_s, FIRST_PAUSE_S
        while self.talk.is_wanted and not self._closing:
            answered, began = self.talk.answered, time.monotonic()
            error, again = self._try()
            if self.talk.answered > answered:
                left_s, pause = self._retry_s, FIRST_PAUSE_S
            elif not self.talk.welcomed:
                left_s -= time.monotonic() - began
            self.talk.end()
            if not again or left_s <= 0:
                self.talk.give_up(error)
                return
            self._pause(pause * random.uniform(0.5, 1.0))
            left_s -= pause
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def _try(self) -> tuple[PlanError, bool]:
        """A connection from its begin to its end; why it ended, and whether to try another."""
        try:
            self._converse()
        except Lost as lost:
            if lost.error is not None:
                return lost.error, lost.error.http_status in RETRIED
            return self._unreachable(lost), True
        except (OSError, FrameTooLong) as error:
            return self._unreachable(error), not isinstance(error, ssl.SSLCertVerificationError)
        return self._unreachable("the connection was closed"), True

    def _unreachable(self, why: object) -> Unreachable:
        logger.info("%r: %s", self, why)
        where = self._place if isinstance(self._place, Path) else "{}:{}".format(*self._place)
        return Unreachable(f"the server at {where} cannot be reached: {why}")

    def _pause(self, for_s: float) -> None:
        until = time.monotonic() + for_s
        while (left_s := until - time.monotonic()) > 0 and not self._closing:
            self._listen(left_s)

    def _listen(self, within_s: float | None) -> None:
        """Does what is asked meanwhile; returns at the first of it, or in time."""
        if self._selector.select(within_s):
            self._obey()

    def _obey(self) -> None:
        with suppress(BlockingIOError):
            self._ear.recv(4_096)
        self._asked.begin()
        self._asked.make(len(self._asked))

    # --- a connection ---

    def _converse(self) -> None:
        """Returns when the server ends the connection, or nobody wants it any more."""
        with self._connect() as sock:
            self.talk.begin()
            self._selector.register(sock, selectors.EVENT_READ)
            try:
                self._exchange(sock)
            finally:
                self._selector.unregister(sock)

    def _connect(self) -> socket.socket:
        if isinstance(self._place, Path):
            sock = socket.socket(socket.AF_UNIX)
            host = None
        else:
            host = self._place[0]
            sock = socket.create_connection(self._place, CONNECT_S)
        try:
            sock.settimeout(CONNECT_S)
            if isinstance(self._place, Path):
                sock.connect(str(self._place))
            else:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_hostname=host)
            sock.setblocking(False)
        except BaseException:
            sock.close()
            raise
        return sock

    def _exchange(self, sock: socket.socket) -> None:
        pulse = _Pulse()
        end = math.inf
        while time.monotonic() < end:
            if self._closing:
                end = min(end, time.monotonic() + CLOSE_S)
                if not (self.talk.output or self.talk.owed):
                    return
            self._send(sock)
            if self._await(sock, CLOSE_S if self._closing else HEARTBEAT_S):
                pulse.heard()
                if not self._read(sock):
                    return
            elif self.talk.is_wanted and pulse.is_due():
                self.talk.beat()

    def _await(self, sock: socket.socket, within_s: float) -> bool:
        """Waits for the server, or for what is asked, which is done; whether the server has said
        something.
        """
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self.talk.output else 0)
        if self._selector.get_key(sock).events != wanted:
            self._selector.modify(sock, wanted)
        said = False
        for key, mask in self._selector.select(within_s):
            if key.fileobj is not sock:
                self._obey()
            elif mask & selectors.EVENT_READ:
                said = True
        return said

    def _send(self, sock: socket.socket) -> None:
        output = self.talk.output
        try:
            while output:
                with memoryview(output) as view, view[:READ_BYTES] as part:
                    sent = sock.send(part)
                del output[:sent]
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            pass

    def _read(self, sock: socket.socket) -> bool:
        """All there is, a socket of TLS having more than is seen from outside; False at its end."""
        while True:
            try:
                data = sock.recv(READ_BYTES)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return True
            if not data:
                return False
            self.talk.receive(data)
            if not isinstance(sock, ssl.SSLSocket):
                return True


class _Pulse:
    """Whether a server that somebody waits for is still there."""

    def __init__(self) -> None:
        self.heard()

    def heard(self) -> None:
        self._at = time.monotonic()
        self._asked = False

    def is_due(self) -> bool:
        """True once, when it is to be asked; raises TimeoutError when it has not answered."""
        silent_s = time.monotonic() - self._at
        if silent_s >= 2 * HEARTBEAT_S:
            raise TimeoutError("it does not answer")
        due = silent_s >= HEARTBEAT_S and not self._asked
        self._asked = self._asked or due
        return due
