"""TLS on the socket: the server's certificate, and the handshake with a client."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import trio

from runtime.frontends.admission import CannotServe
from runtime.transport.reactor.channel import Buffer, TlsChannel

READ_BYTES = 16_384


def server_context(cert: Path, key: Path | None = None) -> ssl.SSLContext:
    """For a certificate with its chain, and its key where that is in another file, both as PEM.

    Raises CannotServe.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    try:
        context.load_cert_chain(cert, key, password=_no_password)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        files = f"{cert}" if key is None else f"{cert} and {key}"
        raise CannotServe(
            f"cannot use the certificate in {files}: {why}; both must be PEM, without a password"
        ) from error
    return context


def _no_password() -> str:
    """Instead of asking for it on the terminal."""
    return ""


async def shake_hands(sock: socket.socket, context: ssl.SSLContext, buffer: Buffer) -> TlsChannel:
    """The channel of a client that has connected; raises OSError.

    What the client sent right behind the handshake may have come already: then there is `more`.
    """
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_side=True)
    wire = trio.socket.from_stdlib_socket(sock)
    while True:
        try:
            tls.do_handshake()
            done = True
        except ssl.SSLWantReadError:
            done = False
        finally:  # an alert as well
            rest = memoryview(outgoing.read())
            while rest:
                rest = rest[await wire.send(rest) :]
        if done:
            channel = TlsChannel(sock, buffer, tls, incoming, outgoing)
            channel.more = bool(incoming.pending)
            return channel
        if data := await wire.recv(READ_BYTES):
            incoming.write(data)
        else:
            incoming.write_eof()
