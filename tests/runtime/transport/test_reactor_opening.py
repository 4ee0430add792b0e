"""How connections to a vendor are opened: few at a time, each within its time, or not at all."""

from __future__ import annotations

import errno
import socket
from typing import Any

import pytest
import trio

from runtime.reactor import Reactor
from runtime.transport.reactor import ReactorTransport, connecting, transport
from runtime.transport.reactor.channel import PlainChannel
from runtime.transport.reactor.connecting import Connector, _first_of
from tests.runtime.transport.exchanges import Exchanges, request_to, serving
from tests.runtime.transport.peers import OK, Peer, answering, met

# --- many at once ---------------------------------------------------------------------------------


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


# --- addresses ------------------------------------------------------------------------------------


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


# --- none is opened -------------------------------------------------------------------------------


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
