"""What moves bytes: a connected socket, plain or with TLS records around what it carries."""

from __future__ import annotations

import socket
import ssl
from typing import Protocol, TypeAlias

READ_BYTES = 65_536

Bytes: TypeAlias = bytes | memoryview


class Buffer:
    """Where a transport's channels read into, one at a time: what was read is used at once."""

    __slots__ = ("room", "view")

    def __init__(self) -> None:
        self.room = bytearray(READ_BYTES)
        self.view = memoryview(self.room)


class Channel(Protocol):
    """A connected socket that never blocks; each method may raise OSError when it broke.

    `more` says that `receive` has more to tell, though the socket may be silent.
    """

    more: bool

    def fileno(self) -> int: ...

    def sealed(self, data: bytes) -> bytes:
        """`data` as it goes over the wire; what is sealed must be sent, in order."""

    def send(self, sealed: Bytes) -> int:
        """How much was taken, 0 included."""

    def receive(self) -> Bytes | None:
        """What came: nothing yet (None), or its end (empty).  Holds until the next `receive`."""

    def close(self) -> None: ...


class PlainChannel:
    __slots__ = ("_buffer", "_sock", "more")

    def __init__(self, sock: socket.socket, buffer: Buffer) -> None:
        self._sock = sock
        self._buffer = buffer
        self.more = False

    def fileno(self) -> int:
        return self._sock.fileno()

    def sealed(self, data: bytes) -> bytes:
        return data

    def send(self, sealed: Bytes) -> int:
        try:
            return self._sock.send(sealed)
        except BlockingIOError:
            return 0

    def receive(self) -> Bytes | None:
        buffer = self._buffer
        try:
            return buffer.view[: self._sock.recv_into(buffer.room)]
        except BlockingIOError:
            return None

    def close(self) -> None:
        self._sock.close()


class TlsChannel:
    """TLS over a socket whose handshake is done.

    What the peer wants answered (new keys) is answered with the next request: it need not be
    sooner.  Only an end that the peer has announced is an end; any other is a broken connection.
    """

    __slots__ = ("_buffer", "_incoming", "_outgoing", "_sock", "_tls", "more")

    def __init__(
        self,
        sock: socket.socket,
        buffer: Buffer,
        tls: ssl.SSLObject,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
    ) -> None:
        self._sock = sock
        self._buffer = buffer
        self._tls = tls
        self._incoming = incoming
        self._outgoing = outgoing
        self.more = False

    def fileno(self) -> int:
        return self._sock.fileno()

    def sealed(self, data: bytes) -> bytes:
        rest = memoryview(data)
        while rest:
            rest = rest[self._tls.write(rest) :]
        return self._outgoing.read()

    def send(self, sealed: Bytes) -> int:
        try:
            return self._sock.send(sealed)
        except BlockingIOError:
            return 0

    def receive(self) -> Bytes | None:
        if not self.more:
            try:
                size = self._sock.recv_into(self._buffer.room)
            except BlockingIOError:
                return None
            if size:
                self._incoming.write(self._buffer.view[:size])
            else:
                self._incoming.write_eof()
        return self._opened()

    def _opened(self) -> bytes | None:
        parts: list[bytes] = []
        self.more = False
        try:
            while part := self._tls.read(READ_BYTES):
                parts.append(part)
        except ssl.SSLWantReadError:
            return b"".join(parts) or None
        except ssl.SSLZeroReturnError:
            pass
        except ssl.SSLError:
            if not parts:
                raise
        self.more = bool(parts)  # its end, or its failure, is told next
        return b"".join(parts)

    def close(self) -> None:
        self._sock.close()
