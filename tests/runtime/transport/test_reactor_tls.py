"""TLS: who is trusted, and what an end of the connection means."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime

import pytest
import trio
import trustme

from runtime.transport.reactor.channel import TlsChannel
from tests.runtime.transport.exchanges import request_to
from tests.runtime.transport.peers import OK, Caller, Peer, answering, met


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def presenting(
    certificate: trustme.LeafCert, version: ssl.TLSVersion | None = None
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    if version is not None:
        context.maximum_version = version
    return context


@pytest.mark.trio
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_calls_are_carried_in_tls(authority: trustme.CA, version: ssl.TLSVersion) -> None:
    """One connection for all; the tickets that a vendor sends unasked are no stray answer."""
    context = presenting(authority.issue_cert("127.0.0.1"), version)
    peer = Peer(answering(OK[:10], OK[10:]), context=context)
    async with met(peer, trusting(authority)) as exchanges:
        for id in "abc":
            assert (await exchanges.ask(id, request_to(peer.url))).body == b"ok"
        assert peer.connections == 1


@pytest.mark.trio
async def test_eight_mebibytes_go_both_ways_in_tls(authority: trustme.CA) -> None:
    size = 8 * 2**20
    head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size

    async def echo(caller: Caller) -> None:
        while body := await caller.request():
            await caller.stream.send_all(head + body)

    peer = Peer(echo, context=presenting(authority.issue_cert("127.0.0.1")))
    body = bytes(range(256)) * (size // 256)
    async with met(peer, trusting(authority)) as exchanges:
        assert (await exchanges.ask("a", request_to(peer.url, body=body))).body == body


@pytest.mark.trio
@pytest.mark.parametrize("wrong", ["authority", "host", "date", "none trusted", "no TLS"])
async def test_who_cannot_be_trusted_gets_nothing(authority: trustme.CA, wrong: str) -> None:
    """The certificate is checked, with the host's name, before a byte of the request is sent."""
    certificate = authority.issue_cert("127.0.0.1")
    if wrong == "authority":
        certificate = trustme.CA().issue_cert("127.0.0.1")
    elif wrong == "host":
        certificate = authority.issue_cert("vendor.test")
    elif wrong == "date":
        certificate = authority.issue_cert("127.0.0.1", not_after=datetime(2001, 1, 1, tzinfo=UTC))
    requests: list[bytes] = []

    async def script(caller: Caller) -> None:
        requests.append(await caller.request())

    plain = wrong == "no TLS"
    peer = Peer(script, context=None if plain else presenting(certificate))
    trusted = None if wrong == "none trusted" else trusting(authority)
    async with met(peer, trusted) as exchanges:
        url = peer.url.replace("http:", "https:")
        if plain:
            peer._scripts = [answering_noise]
        failure = await exchanges.ask("a", request_to(url))
        assert await peer.abandoned()
    assert (failure.kind, failure.written) == ("connect", False)
    assert not any(requests)


async def answering_noise(caller: Caller) -> None:
    await caller.stream.receive_some(1000)
    await caller.stream.send_all(OK)


@pytest.mark.trio
async def test_a_handshake_that_does_not_end_is_too_slow(authority: trustme.CA) -> None:
    peer = Peer(lambda _: trio.sleep_forever())
    async with met(peer, trusting(authority)) as exchanges:
        url = peer.url.replace("http:", "https:")
        failure = await exchanges.ask("a", request_to(url, connect_timeout_s=0.05))
    assert (failure.kind, failure.written) == ("timeout", False)
    assert failure.detail == "no connection in time"


@pytest.mark.trio
async def test_a_handshake_that_is_broken_off_is_a_connect_failure(authority: trustme.CA) -> None:
    async def script(caller: Caller) -> None:
        await caller.stream.receive_some(10)

    peer = Peer(script)
    async with met(peer, trusting(authority)) as exchanges:
        failure = await exchanges.ask("a", request_to(peer.url.replace("http:", "https:")))
    assert (failure.kind, failure.written) == ("connect", False)


@pytest.mark.trio
@pytest.mark.parametrize("announced", [True, False])
async def test_only_an_announced_end_ends_a_body(authority: trustme.CA, announced: bool) -> None:
    """Anyone on the way can cut a connection; only the vendor can say that it is done."""

    async def announcing(caller: Caller) -> None:
        await caller.request()
        await caller.stream.send_all(b"HTTP/1.1 200 OK\r\n\r\nall of it")
        await caller.stream.aclose()

    async def cutting(caller: Caller) -> None:
        await caller.request()
        await caller.stream.send_all(b"HTTP/1.1 200 OK\r\n\r\nall of it")

    context = presenting(authority.issue_cert("127.0.0.1"))
    peer = Peer(announcing if announced else cutting, context=context)
    async with met(peer, trusting(authority)) as exchanges:
        result = await exchanges.ask("a", request_to(peer.url))
    if announced:
        assert result.body == b"all of it"
    else:
        assert (result.kind, result.written, result.received_bytes) == ("closed", True, 9)


@pytest.mark.trio
async def test_what_cannot_be_sealed_is_sent_on_another_connection(
    authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that has come to its end: nothing of the request was sent."""
    real = TlsChannel.sealed
    failures: list[ssl.SSLError] = []

    def failing(self: TlsChannel, data: bytes) -> bytes:
        if failures:
            raise failures.pop()
        return real(self, data)

    peer = Peer(answering(OK), context=presenting(authority.issue_cert("127.0.0.1")))
    async with met(peer, trusting(authority)) as exchanges:
        await exchanges.ask("a", request_to(peer.url))
        monkeypatch.setattr(TlsChannel, "sealed", failing)
        failures.append(ssl.SSLError("protocol is shutdown"))
        assert (await exchanges.ask("b", request_to(peer.url))).body == b"ok"
        assert peer.connections == 2
