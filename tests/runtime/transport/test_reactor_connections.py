"""The life of a connection to a vendor: opened, used, kept, watched, closed; and what was sent."""

from __future__ import annotations

import errno
import logging
import socket
from math import inf
from typing import Any

import pytest
import trio

from runtime.reactor import Reactor
from runtime.transport.port import HttpRequest, HttpResponse
from runtime.transport.reactor import ReactorTransport, connecting, transport
from runtime.transport.reactor.channel import PlainChannel
from runtime.transport.reactor.connecting import Connector, _first_of
from tests.runtime.transport.exchanges import PATIENCE_S, Exchanges, request_to, serving
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


# --- opened ones ----------------------------------------------------------------------------------


@pytest.mark.trio
async def test_opening_many_at_once_does_not_hold_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few in each turn of the loop; none is opened twice."""
    opened: list[int] = [0]
    real = connecting._connected

    async def counted(place: connecting.Place) -> socket.socket:
        opened[-1] += 1
        return await real(place)

    class Turns(trio.abc.Instrument):
        def before_io_wait(self, timeout: float) -> None:
            opened.append(0)

    monkeypatch.setattr(connecting, "_connected", counted)
    ids = [str(n) for n in range(200)]
    peer = Peer(answering(OK))
    async with met(peer) as exchanges:
        trio.lowlevel.add_instrument(turns := Turns())
        for id in ids:
            exchanges.start(id, request_to(peer.url))
        assert {(await exchanges.ended(id)).status for id in ids} == {200}
        trio.lowlevel.remove_instrument(turns)
        assert peer.connections == sum(opened) <= 200
    assert max(opened) <= connecting.OPENING_A_TURN


@pytest.mark.trio
async def test_many_are_opened_by_few_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other; who is given up meanwhile has none opened."""
    opening: list[int] = [0]
    real = connecting._connected

    async def counted(place: connecting.Place) -> socket.socket:
        opening.append(opening[-1] + 1)
        try:
            return await real(place)
        finally:
            opening.append(opening[-1] - 1)

    monkeypatch.setattr(connecting, "_connected", counted)
    monkeypatch.setattr(transport, "MOST_OPENERS", 2)
    ids = [str(n) for n in range(20)]
    peer = Peer(answering(OK))
    async with met(peer) as exchanges:
        for id in ids:
            exchanges.start(id, request_to(peer.url))
        exchanges.transport.abort(ids[-1])
        assert {(await exchanges.ended(id)).status for id in ids[:-1]} == {200}
        assert (await exchanges.ended(ids[-1])).kind == "cancelled"
        await exchanges.ask("one more", request_to(peer.url))
        assert peer.connections == len(ids) - 1
    assert max(opening) == 2


@pytest.mark.trio
async def test_a_turn_to_be_connected_is_waited_for_no_longer_than_a_connection(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    """Behind those that a silent vendor keeps: all are told at the same time."""

    async def silent(place: connecting.Place) -> socket.socket:
        await trio.sleep_forever()
        raise AssertionError

    monkeypatch.setattr(connecting, "_connected", silent)
    monkeypatch.setattr(transport, "MOST_OPENERS", 1)
    reactor = Reactor()
    async with serving(ReactorTransport(reactor), reactor) as exchanges:
        begun = trio.current_time()
        for id in "abc":
            exchanges.start(id, request_to("http://127.0.0.1:9/", connect_timeout_s=3.0))
        kinds = [(await exchanges.ended(id)).kind for id in "abc"]
        assert kinds == ["timeout"] * 3
        assert trio.current_time() - begun == pytest.approx(3.0)


@pytest.mark.trio
@pytest.mark.parametrize(("remembered_s", "lookups"), [(1.0, 1), (-1.0, 3)])
async def test_connections_opened_together_look_the_name_up_once(
    remembered_s: float, lookups: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was found is used again while it is fresh, and no longer."""
    asked: list[str] = []
    real = trio.socket.getaddrinfo

    async def counted(host: str, *args: Any, **kwargs: Any) -> Any:
        asked.append(host)
        return await real("127.0.0.1", *args, **kwargs)

    monkeypatch.setattr(connecting, "LOOKED_UP_S", remembered_s)
    peer = Peer(answering(OK))
    async with met(peer) as exchanges:
        monkeypatch.setattr("trio.socket.getaddrinfo", counted)
        url = peer.url.replace("127.0.0.1", "vendor.test")
        for id in "abc":
            exchanges.start(id, request_to(url))
        for id in "abc":
            assert (await exchanges.ended(id)).status == 200
    assert asked == ["vendor.test"] * lookups


@pytest.mark.trio
async def test_a_name_that_leads_nowhere_is_a_connect_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def unknown(*_: object, **__: object) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    async with met(Peer(answering(OK))) as exchanges:
        monkeypatch.setattr("trio.socket.getaddrinfo", unknown)
        failure = await exchanges.ask("a", request_to("http://vendor.test/v1"))
    assert (failure.kind, failure.written) == ("connect", False)
    assert "not known" in failure.detail


@pytest.mark.trio
async def test_a_dead_address_is_passed_over(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next is tried beside it after a quarter of a second; at once when it refuses."""
    sockets: list[socket.socket] = []

    async def connected(place: connecting.Place) -> socket.socket:
        if place[1] == "dead":
            await trio.sleep_forever()
        if place[1] == "refusing":
            raise ConnectionRefusedError("refused")
        sockets.append(socket.socket())
        return sockets[-1]

    monkeypatch.setattr(connecting, "_connected", connected)
    for names, waited in (("refusing live", 0.0), ("dead refusing live", 0.25)):
        begun = trio.current_time()
        sock = await _first_of([(socket.AF_INET, name) for name in names.split()])
        assert sock is sockets[-1]
        assert trio.current_time() - begun == pytest.approx(waited)
        sock.close()
    with pytest.raises(ConnectionRefusedError):
        await _first_of([(socket.AF_INET, "refusing")] * 2)


@pytest.mark.trio
async def test_addresses_of_either_family_are_reached() -> None:
    """The name of this machine may lead to both."""
    try:
        (listener,) = await trio.open_tcp_listeners(0, host="::1")
    except OSError:
        pytest.skip("no IPv6 here")
    port = listener.socket.getsockname()[1]
    reactor = Reactor()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, Peer(answering(OK))._serve, [listener])
        await nursery.start(reactor.serve)
        exchanges = Exchanges(ReactorTransport(reactor))
        await nursery.start(exchanges.transport.serve)
        assert (await exchanges.ask("a", request_to(f"http://[::1]:{port}/v1"))).status == 200
        nursery.cancel_scope.cancel()


@pytest.mark.trio
async def test_giving_up_while_connecting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was written, and nothing is opened any more."""
    begun = trio.Event()

    async def never(*_: object) -> PlainChannel:
        begun.set()
        await trio.sleep_forever()
        raise AssertionError

    monkeypatch.setattr(Connector, "open", never)
    async with met(Peer(answering(OK))) as exchanges:
        exchanges.start("a", request_to("http://vendor.test"))
        exchanges.start("slow", request_to("http://vendor.test", connect_timeout_s=0.01))
        exchanges.start("at once", request_to("http://vendor.test"))
        exchanges.transport.abort("at once")
        await begun.wait()
        exchanges.transport.abort("a")
        for id in ("a", "at once"):
            failure = await exchanges.ended(id)
            assert (failure.kind, failure.written) == ("cancelled", False)
        failure = await exchanges.ended("slow")
        assert (failure.kind, failure.detail) == ("timeout", "no connection in time")
        exchanges.start("last", request_to("http://vendor.test"))
    failure = await exchanges.ended("last")
    assert (failure.kind, failure.detail) == ("cancelled", "the engine stopped")


@pytest.mark.trio
async def test_a_socket_that_cannot_be_watched_is_a_connect_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The system watches only so many."""

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    peer = Peer(answering(OK))
    async with met(peer) as exchanges:
        monkeypatch.setattr(Reactor, "add", full)
        failure = await exchanges.ask("a", request_to(peer.url))
        assert await peer.abandoned()
    assert (failure.kind, failure.written) == ("connect", False)


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


@pytest.mark.trio
async def test_the_key_is_in_no_repr() -> None:
    """Though the header block that holds it is kept."""
    peer = Peer(answering(OK))
    async with met(peer) as exchanges:
        await exchanges.ask("a", request_to(peer.url))
        reached: Any = exchanges.transport
        shown = [reached, reached._heads, *reached._heads._known.values(), *reached._connections]
        assert "test-key" in repr(reached._heads._known)
        assert not any("test-key" in repr(thing) for thing in shown)


@pytest.mark.trio
async def test_a_header_block_is_remembered_within_bounds() -> None:
    """By address and headers; what differs is not mixed up."""
    heads = transport.Heads()
    for n in range(500):
        request = HttpRequest(f"http://v/{n % 100}?q={n}", (("x", str(n)),), b"")
        data = heads.of(request).data
        assert heads.of(request).data is data
        assert data.startswith(b"POST /%d?q=%d HTTP/1.1\r\nhost: v\r\nx: %d\r\n" % (n % 100, n, n))
        assert data.endswith(b"\r\naccept-encoding: identity\r\ncontent-length: ")
    assert len(heads._known) <= 64


@pytest.mark.parametrize(
    ("url", "head"),
    [
        ("http://Vendor.Test", b"POST / HTTP/1.1\r\nhost: vendor.test\r\n"),
        ("http://v:80/a b", b"POST /a%20b HTTP/1.1\r\nhost: v\r\n"),
        ("https://v:80/%20?x=ä#frag", b"POST /%20?x=%C3%A4 HTTP/1.1\r\nhost: v:80\r\n"),
        ("https://v:443/", b"POST / HTTP/1.1\r\nhost: v\r\n"),
        ("http://[::1]:81/v1", b"POST /v1 HTTP/1.1\r\nhost: [::1]:81\r\n"),
        ("http://bücher.test/", b"POST / HTTP/1.1\r\nhost: xn--bcher-kva.test\r\n"),
    ],
)
def test_addresses_are_written_as_they_must_be(url: str, head: bytes) -> None:
    assert transport.Heads().of(HttpRequest(url, (), b"")).data.startswith(head)


@pytest.mark.parametrize(
    "url",
    ["ftp://v/", "http://", "v/v1", "http://v:99999/", "http://u:p@v/", "http://" + "x" * 300],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever its text, it is not shown
        transport.Heads().of(HttpRequest(url, (), b""))
