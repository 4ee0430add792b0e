"""The life of a connection to a vendor: used, kept, watched, closed; and what was sent."""

from __future__ import annotations

import logging
import socket
from math import inf

import pytest
import trio

from runtime.reactor import Reactor
from runtime.transport.port import HttpResponse
from runtime.transport.reactor import ReactorTransport, transport
from tests.runtime.transport.exchanges import PATIENCE_S, Exchanges, request_to
from tests.runtime.transport.peers import OK, Caller, Peer, answering, met

LARGE = b"x" * 8 * 2**20
"""More than a socket takes at once."""


def idle(exchanges: Exchanges) -> str:
    return repr(exchanges.transport)


# --- kept ones ------------------------------------------------------------------------------------


@pytest.mark.trio
@pytest.mark.parametrize("how", ["close", "reset", "a word"])
async def test_an_idle_connection_is_watched(how: str) -> None:
    """One that the vendor closes, or says something on, is closed at once."""
    now = trio.Event()

    async def script(caller: Caller) -> None:
        await caller.request()
        await caller.say(OK)
        await now.wait()
        if how == "reset":
            caller.reset()
        elif how == "a word":
            await caller.say(b"HTTP/1.1 408 Too Late\r\n\r\n")
            await caller.gone()

    peer = Peer(script, answering(OK))
    async with met(peer) as exchanges:
        assert (await exchanges.ask("a", request_to(peer.url))).status == 200
        assert idle(exchanges) == "<ReactorTransport: 0 in flight, 1 idle>"
        now.set()
        assert await peer.abandoned()
        await trio.testing.wait_all_tasks_blocked()
        assert idle(exchanges) == "<ReactorTransport: 0 in flight, 0 idle>"
        assert (await exchanges.ask("b", request_to(peer.url))).status == 200
        assert peer.connections == 2


@pytest.mark.trio
async def test_what_a_vendor_closed_a_moment_ago_is_seen_before_it_is_used() -> None:
    """Though the reactor had no turn since: nothing is written to it."""
    peer = Peer(answering(OK))
    async with met(peer) as exchanges:
        await exchanges.ask("a", request_to(peer.url))
        (connection,) = exchanges.transport._connections  # type: ignore[attr-defined]
        connection._channel._sock.shutdown(socket.SHUT_RD)  # as if its end had come
        connection._reactor._looked_at = -inf
        assert (await exchanges.ask("b", request_to(peer.url))).status == 200
        assert peer.connections == 2


@pytest.mark.trio
async def test_the_connection_that_was_used_last_is_taken_first() -> None:
    """So those that are not needed grow old, and are closed."""
    ids: list[int] = []

    async def script(caller: Caller) -> None:
        own = peer.connections
        while await caller.request():
            ids.append(own)
            await caller.say(OK)

    peer = Peer(script)
    async with met(peer) as exchanges:
        for id in "abc":
            exchanges.start(id, request_to(peer.url))
        for id in "abc":
            await exchanges.ended(id)
        last = ids[-1]
        for id in "def":
            await exchanges.ask(id, request_to(peer.url))
        assert ids[3:] == [last] * 3


@pytest.mark.trio
async def test_not_all_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """In number, and in time."""
    monkeypatch.setattr(transport, "KEPT_PER_ORIGIN", 2)
    monkeypatch.setattr("runtime.transport.reactor.connection.KEPT_S", 0.05)
    most = 0

    def note(_: object) -> None:
        nonlocal most
        most = max(most, int(idle(exchanges).split(", ")[1].split()[0]))

    peer = Peer(answering(OK))
    async with met(peer) as exchanges:
        for id in "abcde":
            exchanges.transport.start(id, request_to(peer.url), note)
        await exchanges.ask("f", request_to(peer.url))
        assert await peer.abandoned()
        assert idle(exchanges) == "<ReactorTransport: 0 in flight, 0 idle>"
        assert most == 2


@pytest.mark.trio
async def test_a_connection_has_one_timer() -> None:
    """However many exchanges it has carried out, and however their deadlines lie."""
    peer = Peer(answering(OK))
    reactor = Reactor()
    async with trio.open_nursery() as nursery:
        await nursery.start(peer.serve)
        await nursery.start(reactor.serve)
        exchanges = Exchanges(ReactorTransport(reactor))
        await nursery.start(exchanges.transport.serve)
        for n in range(50):
            timeout_s = 5.0 + n % 7
            await exchanges.ask(str(n), request_to(peer.url, timeout_s=timeout_s))
        assert repr(reactor) == "<Reactor: 1 sockets, 1 timers>"
        assert len(reactor._timers._heap) < 20
        nursery.cancel_scope.cancel()


# --- what was sent --------------------------------------------------------------------------------


async def reads_a_bit_and_resets(caller: Caller) -> None:
    await caller.stream.receive_some(1000)
    caller.reset()


async def answers_one_and_resets_the_next(caller: Caller) -> None:
    await caller.request()
    await caller.say(OK)
    await reads_a_bit_and_resets(caller)


@pytest.mark.trio
async def test_what_a_kept_connection_did_not_take_whole_is_sent_once_more() -> None:
    """The vendor has a part of it, and cannot have acted on that."""
    peer = Peer(answers_one_and_resets_the_next, answering(OK))
    async with met(peer) as exchanges:
        await exchanges.ask("a", request_to(peer.url))
        assert (await exchanges.ask("b", request_to(peer.url, body=LARGE))).status == 200
        assert peer.connections == 2


@pytest.mark.trio
async def test_it_is_sent_once_more_and_not_again() -> None:
    """Nor is it counted as written."""
    peer = Peer(answers_one_and_resets_the_next, reads_a_bit_and_resets)
    async with met(peer) as exchanges:
        await exchanges.ask("a", request_to(peer.url))
        failure = await exchanges.ask("b", request_to(peer.url, body=LARGE))
        assert (failure.kind, failure.written) == ("closed", False)
        assert peer.connections == 2


@pytest.mark.trio
async def test_what_a_new_connection_did_not_take_is_not_sent_again() -> None:
    peer = Peer(reads_a_bit_and_resets)
    async with met(peer) as exchanges:
        failure = await exchanges.ask("a", request_to(peer.url, body=LARGE))
        assert (failure.kind, failure.written) == ("closed", False)
        assert peer.connections == 1


@pytest.mark.trio
async def test_what_was_written_whole_is_never_sent_again() -> None:
    """On a kept connection that is reset before a byte of the answer: it may be billed."""
    requests: list[bytes] = []

    async def script(caller: Caller) -> None:
        await caller.request()
        await caller.say(OK)
        requests.append(await caller.request())
        caller.reset()

    peer = Peer(script)
    async with met(peer) as exchanges:
        await exchanges.ask("a", request_to(peer.url))
        failure = await exchanges.ask("b", request_to(peer.url))
        assert (failure.kind, failure.written) == ("closed", True)
        assert failure.detail == "the connection broke"
        assert (len(requests), peer.connections) == (1, 1)


@pytest.mark.trio
@pytest.mark.parametrize("then", ["waits", "resets"])
async def test_a_vendor_may_answer_before_it_has_read(then: str) -> None:
    """Its answer counts, and the connection is closed with the rest of the request unsent."""
    refusal = b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno"

    async def script(caller: Caller) -> None:
        await caller.stream.receive_some(1000)
        await caller.say(refusal)
        if then == "waits":
            await caller.gone()

    peer = Peer(script)
    async with met(peer) as exchanges:
        response = await exchanges.ask("a", request_to(peer.url, body=LARGE))
        assert (response.status, response.body) == (413, b"no")
        assert await peer.abandoned()
        assert idle(exchanges) == "<ReactorTransport: 0 in flight, 0 idle>"


@pytest.mark.trio
async def test_a_vendor_that_does_not_read_is_too_slow() -> None:
    """The request counts as written: a part of it was."""
    peer = Peer(lambda _: trio.sleep_forever())
    async with met(peer) as exchanges:
        failure = await exchanges.ask("a", request_to(peer.url, body=LARGE, timeout_s=0.05))
    assert (failure.kind, failure.written) == ("timeout", True)
    assert failure.detail == "the request could not be sent in time"


@pytest.mark.trio
async def test_an_answer_that_has_begun_has_the_whole_time() -> None:
    """The patience for the first byte ends with the header block; an interim one is no answer."""
    begun, go_on = trio.Event(), trio.Event()

    async def script(caller: Caller) -> None:
        await caller.request()
        await caller.say(b"HTTP/1.1 100 Continue\r\n\r\n")
        if peer.connections == 2:
            await caller.gone()
        await caller.say(OK[:-1])
        begun.set()
        await go_on.wait()
        await caller.say(OK[-1:])

    peer = Peer(script)
    async with met(peer) as exchanges:
        patient = request_to(peer.url, first_byte_timeout_s=0.2, timeout_s=PATIENCE_S)
        exchanges.start("a", patient)
        await begun.wait()
        failure = await exchanges.ask("b", patient)
        assert (failure.kind, failure.detail) == ("timeout", "no answer in time")
        go_on.set()
        assert (await exchanges.ended("a")).body == b"ok"


# --- our own mistakes -----------------------------------------------------------------------------


@pytest.mark.trio
async def test_who_fails_at_a_piece_fails_alone(caplog: pytest.LogCaptureFixture) -> None:
    """The exchange ends, its socket is closed, others go on; the words are not logged."""

    def broken(piece: bytes) -> None:
        raise ValueError(f"cannot take {piece!r}")

    peer = Peer(answering(OK))
    with caplog.at_level(logging.ERROR):
        async with met(peer) as exchanges:
            failure = await exchanges.ask("a", request_to(peer.url), broken)
            assert failure.kind == "protocol"
            assert "ValueError" in failure.detail
            assert (await exchanges.ask("b", request_to(peer.url))).status == 200
    assert "ValueError" in caplog.text
    assert "cannot take" not in caplog.text


@pytest.mark.trio
async def test_who_fails_at_an_end_fails_alone(caplog: pytest.LogCaptureFixture) -> None:
    peer = Peer(answering(OK))
    failed = trio.Event()

    def broken(_: object) -> None:
        failed.set()
        raise ValueError

    async with met(peer) as exchanges:
        exchanges.transport.start("a", request_to(peer.url), broken)
        with trio.fail_after(PATIENCE_S):
            await failed.wait()
        assert await peer.abandoned()
        response = await exchanges.ask("b", request_to(peer.url))
        assert isinstance(response, HttpResponse)
