"""What every transport to the network promises, over real sockets: httpx and the reactor."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

import msgspec
import pytest

from runtime.reactor import Reactor
from runtime.testing import Reply, ScriptedVendor
from runtime.transport.httpx_transport import HttpxTransport
from runtime.transport.port import HttpFailure
from runtime.transport.reactor import ReactorTransport
from tests.runtime.transport.exchanges import Exchanges, reached, request, serving

Served: TypeAlias = Callable[[], AbstractAsyncContextManager[Exchanges]]


def over_httpx() -> AbstractAsyncContextManager[Exchanges]:
    return serving(HttpxTransport(certificates=False, trust_env=False))


def over_the_reactor() -> AbstractAsyncContextManager[Exchanges]:
    reactor = Reactor()
    return serving(ReactorTransport(reactor), reactor)


@pytest.fixture(params=[over_httpx, over_the_reactor])
def served(request: pytest.FixtureRequest) -> Served:
    transport: Served = request.param
    return transport


@pytest.mark.trio
async def test_a_response_is_whole(served: Served, vendor: ScriptedVendor) -> None:
    """Status, headers in lower case, and the body as it was sent."""
    vendor.answers(Reply(status=429, body=b"slow down", headers={"Retry-After": "7"}))
    async with served() as exchanges:
        response = await exchanges.ask("a", request(vendor))
    assert (response.status, response.body) == (429, b"slow down")
    assert response.headers["retry-after"] == "7"


@pytest.mark.trio
async def test_the_request_arrives_as_ordered(served: Served, vendor: ScriptedVendor) -> None:
    """Body and headers reach the vendor unchanged."""
    async with served() as exchanges:
        await exchanges.ask("a", request(vendor))
    (call,) = vendor.calls
    assert call.body == {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    assert call.headers["authorization"] == "Bearer test-key"


@pytest.mark.trio
async def test_a_connection_is_used_again(served: Served, vendor: ScriptedVendor) -> None:
    """One call after the other: one connection."""
    async with served() as exchanges:
        for id in "abc":
            await exchanges.ask(id, request(vendor))
        assert vendor.open_connections == 1


@pytest.mark.trio
async def test_64_at_once_have_64_connections_and_all_are_answered(
    served: Served, vendor: ScriptedVendor
) -> None:
    """Nobody waits for anybody else's connection, and a second round opens no more."""
    ids = [str(i) for i in range(64)]
    async with served() as exchanges:
        for turn in "ab":
            for id in ids:
                exchanges.start(turn + id, request(vendor))
            results = [await exchanges.ended(turn + id) for id in ids]
            assert {result.status for result in results} == {200}
        assert len(vendor.calls) == 128
        assert vendor.open_connections <= 64


@pytest.mark.trio
async def test_a_connection_the_vendor_has_closed_is_replaced(
    served: Served, vendor: ScriptedVendor
) -> None:
    """A kept connection that went stale costs no call."""
    async with served() as exchanges:
        await exchanges.ask("a", request(vendor))
        vendor.drop_connections()
        assert await reached(vendor, connections=0)
        assert (await exchanges.ask("b", request(vendor))).status == 200


@pytest.mark.trio
async def test_a_request_that_was_written_is_never_sent_again(
    served: Served, vendor: ScriptedVendor
) -> None:
    """A vendor that reads a request on a kept connection and closes may bill for it: no repeat."""
    vendor.answers([Reply(), Reply(fault="close")])
    async with served() as exchanges:
        await exchanges.ask("a", request(vendor))
        failure = await exchanges.ask("b", request(vendor))
    assert (failure.kind, failure.written) == ("closed", True)
    assert len(vendor.calls) == 2


@pytest.mark.trio
@pytest.mark.parametrize(
    ("fault", "kind"),
    [("close", "closed"), ("reset", "closed"), ("truncate", "closed"), ("noise", "protocol")],
)
async def test_a_broken_answer_fails_as_what_it_is(
    served: Served, vendor: ScriptedVendor, fault: Any, kind: str
) -> None:
    """Each after the request was written; the next call is served."""
    vendor.answers([Reply(fault=fault)])
    async with served() as exchanges:
        failure = await exchanges.ask("a", request(vendor))
        assert (failure.kind, failure.written) == (kind, True)
        assert (failure.received_bytes > 0) == (fault == "truncate")
        assert (await exchanges.ask("b", request(vendor))).status == 200


@pytest.mark.trio
async def test_an_endless_answer_is_cut_off(served: Served, vendor: ScriptedVendor) -> None:
    """Reading stops at the limit, and the socket is closed on the vendor."""
    vendor.answers(Reply(fault="huge"))
    async with served() as exchanges:
        failure = await exchanges.ask("a", request(vendor, max_response_bytes=100_000))
        assert failure.kind == "too_large"
        assert 100_000 < failure.received_bytes < 1_000_000
        assert await reached(vendor, connections=0)


@pytest.mark.trio
async def test_a_silent_vendor_times_out(served: Served, vendor: ScriptedVendor) -> None:
    """By the patience for the first byte; the request counts as written."""
    vendor.answers(Reply(fault="hang"))
    async with served() as exchanges:
        failure = await exchanges.ask("a", request(vendor, first_byte_timeout_s=0.05))
        assert (failure.kind, failure.written) == ("timeout", True)
        assert failure.detail == "no answer in time"
        assert await reached(vendor, connections=0)


@pytest.mark.trio
async def test_the_whole_exchange_has_a_limit_too(served: Served, vendor: ScriptedVendor) -> None:
    """An answer that begins and does not end within `timeout_s` is a timeout as well."""
    vendor.answers(Reply(fault="huge"))
    async with served() as exchanges:
        failure = await exchanges.ask("a", request(vendor, timeout_s=0.1, max_response_bytes=2**40))
    assert (failure.kind, failure.detail) == ("timeout", "the answer did not end in time")
    assert failure.received_bytes > 0


@pytest.mark.trio
async def test_abort_closes_the_socket_at_once(served: Served, vendor: ScriptedVendor) -> None:
    """The vendor sees the connection go; the exchange ends as `cancelled`."""
    vendor.answers(Reply(fault="hang"))
    async with served() as exchanges:
        exchanges.start("a", request(vendor))
        assert await reached(vendor, calls=1)
        exchanges.transport.abort("a")
        failure = await exchanges.ended("a")
        assert (failure.kind, failure.written) == ("cancelled", True)
        assert await reached(vendor, connections=0)
        exchanges.transport.abort("a")  # an exchange that has ended is ignored


@pytest.mark.trio
async def test_nobody_listening_is_a_connect_failure(
    served: Served, vendor: ScriptedVendor
) -> None:
    """Nothing was written, so nothing can be billed."""
    wanted = request(vendor)
    vendor.stop()
    async with served() as exchanges:
        failure = await exchanges.ask("a", wanted)
    assert (failure.kind, failure.written) == ("connect", False)


@pytest.mark.trio
@pytest.mark.parametrize("key", ["café", "two\nlines"])
async def test_a_header_that_cannot_be_sent_is_not_shown(
    served: Served, vendor: ScriptedVendor, key: str
) -> None:
    """It is most likely the key."""
    wanted = msgspec.structs.replace(request(vendor), headers=(("authorization", key),))
    async with served() as exchanges:
        failure = await exchanges.ask("a", wanted)
    assert isinstance(failure, HttpFailure)
    assert not failure.written
    assert key not in failure.detail
    assert not vendor.calls


@pytest.mark.trio
async def test_the_end_of_serving_ends_every_exchange(
    served: Served, vendor: ScriptedVendor
) -> None:
    """Each hears `cancelled` once, and no connection stays."""
    vendor.answers([Reply(), *[Reply(fault="hang")] * 3])
    async with served() as exchanges:
        await exchanges.ask("kept", request(vendor))
        for id in "abc":
            exchanges.start(id, request(vendor))
        assert await reached(vendor, calls=4)
    results = [await exchanges.ended(id) for id in "abc"]
    assert {(result.kind, result.written) for result in results} == {("cancelled", True)}
    assert await reached(vendor, connections=0)


@pytest.mark.trio
async def test_a_transport_that_does_not_run_says_so(
    served: Served, vendor: ScriptedVendor
) -> None:
    """Later, by the callback, as every other outcome."""
    async with served() as exchanges:
        pass
    exchanges.start("a", request(vendor))
    failure = await exchanges.ended("a")
    assert (failure.kind, failure.written) == ("connect", False)


@pytest.mark.trio
async def test_an_answer_is_shown_piece_by_piece(served: Served, vendor: ScriptedVendor) -> None:
    """That of status 200; it is whole in the end all the same."""
    body = b"x" * 1_000_000
    vendor.answers([Reply(body=body), Reply(status=500, body=b"no")])
    pieces: list[bytes] = []
    async with served() as exchanges:
        response = await exchanges.ask("a", request(vendor), pieces.append)
        assert len(pieces) > 1
        assert b"".join(pieces) == response.body == body
        assert (await exchanges.ask("b", request(vendor), pieces.append)).body == b"no"
    assert b"".join(pieces) == body


@pytest.mark.trio
async def test_whoever_is_shown_a_piece_may_have_seen_enough(
    served: Served, vendor: ScriptedVendor
) -> None:
    """Giving up from there closes the socket like any other time."""
    vendor.answers(Reply(fault="huge"))
    async with served() as exchanges:
        failure = await exchanges.ask(
            "a", request(vendor), lambda _: exchanges.transport.abort("a")
        )
        assert (failure.kind, failure.written) == ("cancelled", True)
        assert await reached(vendor, connections=0)
