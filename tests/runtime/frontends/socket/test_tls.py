"""The socket in TLS: safe connections, unsafe ones, and those that never get so far."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import trustme

from runtime import Client, Planhub
from runtime.client import Unreachable
from runtime.frontends.admission import CannotServe
from runtime.frontends.socket.peer import Patience
from runtime.frontends.socket.server import SocketServer
from runtime.frontends.socket.tls import server_context
from tests.end_to_end.rig import PROMPT, until
from tests.runtime.frontends.socket.rig import Caller, serving, simulated
from tests.runtime.frontends.socket.talk import HELLO, body, heard, plan, said

AUTHORITY = trustme.CA()


def context_of(folder: Path, *names: str) -> ssl.SSLContext:
    """A server's, for a certificate on these names, in files as `planhub serve` takes them."""
    issued = AUTHORITY.issue_cert(*names)
    cert, key = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    return server_context(cert, key)


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    return context


@pytest.fixture
def hub() -> Iterator[Planhub]:
    with Planhub.open(simulated()) as hub:
        yield hub


@pytest.fixture
def server(hub: Planhub, tmp_path: Path) -> Iterator[SocketServer]:
    context = context_of(tmp_path, "127.0.0.1")
    with serving(hub, ssl_context=context) as server:
        yield server


def test_a_client_that_trusts_it(server: SocketServer) -> None:
    """However many the requests, and however long."""
    with Client(server.name, ssl_context=trusting()) as client:
        plans = [client.submit(PROMPT) for _ in range(100)]
        assert len({plan.result(10).id for plan in plans}) == 100
        assert client.plan(PROMPT, meta={"long": "x" * 3_000_000}).text
        assert client.ping() > 0


def test_a_hello_right_behind_the_handshake(hub: Planhub, tmp_path: Path) -> None:
    """In the same bytes as its end."""
    context = context_of(tmp_path, "127.0.0.1")
    with serving(hub, ssl_context=context) as server:
        host, _, port = server.name.rpartition(":")
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = trusting().wrap_bio(incoming, outgoing, server_hostname=host)
        with socket.create_connection((host, int(port)), 10) as plain:
            with pytest.raises(ssl.SSLWantReadError):
                tls.do_handshake()
            plain.sendall(outgoing.read())
            while True:
                incoming.write(plain.recv(65_536))
                with suppress(ssl.SSLWantReadError):
                    tls.do_handshake()
                    break
            tls.write(said(HELLO))
            plain.sendall(outgoing.read())
            told = b""
            while not told:
                incoming.write(plain.recv(65_536))
                with suppress(ssl.SSLWantReadError):
                    told = tls.read(65_536)
    assert heard(told)[0]["type"] == "welcome"


def test_one_that_does_not_is_told_at_once(server: SocketServer) -> None:
    with (
        Client(server.name, ssl_context=ssl.create_default_context()) as client,
        pytest.raises(Unreachable, match="certificate verify failed"),
    ):
        client.plan(PROMPT)


def test_a_certificate_for_another_name(hub: Planhub, tmp_path: Path) -> None:
    with (
        serving(hub, ssl_context=context_of(tmp_path, "elsewhere.example")) as server,
        Client(server.name, ssl_context=trusting()) as client,
        pytest.raises(Unreachable, match="certificate verify failed"),
    ):
        client.plan(PROMPT)


def test_a_client_in_the_clear_gets_nowhere(server: SocketServer) -> None:
    """Nor does it hold up others."""
    with Caller(server.name, hello=False) as caller:
        caller.say(HELLO, plan(1))
        with Client(server.name, ssl_context=trusting()) as client:
            assert client.plan(PROMPT).text
        with pytest.raises((ValueError, EOFError, OSError)):
            caller.hear()
    until(lambda: not server._peers and not server._shaking)


def test_a_handshake_that_does_not_come(hub: Planhub, tmp_path: Path) -> None:
    context = context_of(tmp_path, "127.0.0.1")
    with (
        serving(hub, ssl_context=context, patience=Patience(hello_s=0.05)) as server,
        Caller(server.name, hello=False) as silent,
    ):
        with pytest.raises(EOFError):
            silent.hear()
        until(lambda: not server._shaking)


def test_a_connection_that_is_cut(hub: Planhub, tmp_path: Path) -> None:
    """Without a word, as a program that dies does it: its runs are gone with it."""
    context = context_of(tmp_path, "127.0.0.1")
    with (
        Planhub.open(simulated(3_600_000.0)) as slow,
        serving(slow, ssl_context=context) as server,
    ):
        host, _, port = server.name.rpartition(":")
        plain = socket.create_connection((host, int(port)), 10)
        with trusting().wrap_socket(plain, server_hostname=host) as safe:
            safe.sendall(said(HELLO, plan(1), plan(2, body=body("two"))))
            until(lambda: len(slow.engine.runs) == 2)
        until(lambda: len(slow.engine.runs) == 0)
        assert not server._peers


def test_a_certificate_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("no certificate")
    for cert in ("cert.pem", "none.pem"):
        with pytest.raises(CannotServe, match="cannot use the certificate in"):
            server_context(tmp_path / cert)
