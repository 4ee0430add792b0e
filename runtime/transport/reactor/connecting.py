"""Opening connections: names, addresses of either family, TLS.  Ordinary tasks, once a connection.

However many are opened at once, only a few of them work in any turn of the loop: five hundred
handshakes that are ready together must not hold it up.
"""

from __future__ import annotations

import socket
import ssl
from math import inf
from typing import Any, TypeAlias

import trio

from runtime.transport.reactor.channel import Buffer, Channel, PlainChannel, TlsChannel
from runtime.transport.reactor.requests import Address

HEAD_START_S = 0.25
"""How long an address has before the next one is tried beside it (RFC 8305)."""

LOOKED_UP_S = 1.0
"""How long what a name leads to is used again: connections opened together look it up once."""

OPENING_A_TURN = 16
SHAKING_A_TURN = 2
READ_BYTES = 16_384

Place: TypeAlias = tuple[int, Any]
"""A family of addresses, and an address of it."""


def certificates() -> ssl.SSLContext:
    """Trusts what certifi does; vouches for the host's name.  Takes a while to load."""
    import certifi

    context = ssl.create_default_context(cafile=certifi.where())
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    return context


class Connector:
    """Opens connections to the origins of one vendor; without `tls` only plain ones."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self._tls = tls
        self._buffer = Buffer()
        self._places: dict[Address, tuple[float, list[Place]]] = {}
        self._looking_up = trio.Lock()
        self._opening = trio.CapacityLimiter(OPENING_A_TURN)
        self._shaking = trio.CapacityLimiter(SHAKING_A_TURN)

    async def open(self, address: Address) -> Channel:
        """Raises OSError, of which the errors of TLS and of name lookup are kinds."""
        if address.secure and self._tls is None:
            raise ssl.SSLError("no certificates are loaded")
        places = self._known(address) or await self._look_up(address)
        async with self._opening:
            await trio.lowlevel.checkpoint()
        sock = await _first_of(places)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None and address.secure:
                return await self._in_tls(sock, self._tls, address.host)
        except BaseException:
            sock.close()
            raise
        return PlainChannel(sock, self._buffer)

    def _known(self, address: Address) -> list[Place]:
        """Where it leads to, if that was looked up lately: nobody need wait in line for that."""
        until, places = self._places.get(address, (-inf, []))
        return places if trio.current_time() <= until else []

    async def _look_up(self, address: Address) -> list[Place]:
        async with self._looking_up:
            if not (places := self._known(address)):
                found = await trio.socket.getaddrinfo(
                    address.host, address.port, type=socket.SOCK_STREAM
                )
                places = [(family, place) for family, _, _, _, place in found]
                self._places[address] = trio.current_time() + LOOKED_UP_S, places
            return places

    async def _in_tls(self, sock: socket.socket, context: ssl.SSLContext, host: str) -> TlsChannel:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_hostname=host)
        wire = trio.socket.from_stdlib_socket(sock)
        while True:
            done = await self._shake_hands(tls)
            rest = memoryview(outgoing.read())
            while rest:
                rest = rest[await wire.send(rest) :]
            if done:
                return TlsChannel(sock, self._buffer, tls, incoming, outgoing)
            if data := await wire.recv(READ_BYTES):
                incoming.write(data)
            else:
                incoming.write_eof()

    async def _shake_hands(self, tls: ssl.SSLObject) -> bool:
        """One step, of up to a millisecond of arithmetic; whether it was the last."""
        async with self._shaking:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                return False
            finally:
                await trio.lowlevel.checkpoint()
            return True


async def _first_of(places: list[Place]) -> socket.socket:
    """A socket connected to whichever answers first; later ones get a chance only in turn."""
    if len(places) == 1:
        return await _connected(places[0])
    won: list[socket.socket] = []
    errors: list[OSError] = []

    async def attempt(place: Place, failed: trio.Event) -> None:
        try:
            sock = await _connected(place)
        except OSError as error:
            errors.append(error)
            failed.set()
        else:
            won.append(sock)
            nursery.cancel_scope.cancel()

    try:
        async with trio.open_nursery() as nursery:
            for place in places:
                failed = trio.Event()
                nursery.start_soon(attempt, place, failed)
                with trio.move_on_after(HEAD_START_S):
                    await failed.wait()
        if not won:
            raise errors[0] if errors else OSError("the name leads to no address")
        return won.pop()
    finally:
        for sock in won:
            sock.close()


async def _connected(place: Place) -> socket.socket:
    family, address = place
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        await trio.socket.from_stdlib_socket(sock).connect(address)
    except BaseException:
        sock.close()
        raise
    return sock
