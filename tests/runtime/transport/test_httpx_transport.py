"""The transport over httpx, against a real server on a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpcore
import msgspec
import pytest
import trio

from runtime.testing import Reply, ScriptedVendor
from runtime.transport.httpx_transport import HttpxTransport
from runtime.transport.port import HttpFailure, HttpRequest, HttpResponse

PATIENCE_S = 10.0


class Exchanges:
    """A served transport, and what its exchanges ended in."""

    def __init__(self, transport: HttpxTransport) -> None:
        self.transport = transport
        self._ended: dict[str, HttpResponse | HttpFailure] = {}
        self._changed = trio.Event()

    def start(self, id: str, request: HttpRequest) -> None:
        self.transport.start(id, request, lambda result: self._end(id, result))

    def _end(self, id: str, result: HttpResponse | HttpFailure) -> None:
        assert id not in self._ended, "an exchange ends once"
        self._ended[id] = result
        self._changed.set()
        self._changed = trio.Event()

    async def ended(self, id: str) -> Any:
        with trio.fail_after(PATIENCE_S):
            while id not in self._ended:
                await self._changed.wait()
        return self._ended[id]

    async def ask(self, id: str, request: HttpRequest) -> Any:
        self.start(id, request)
        return await self.ended(id)


@asynccontextmanager
async def served(*, trust_env: bool = False) -> AsyncIterator[Exchanges]:
    exchanges = Exchanges(HttpxTransport(trust_env=trust_env))
    async with trio.open_nursery() as nursery:
        await nursery.start(exchanges.transport.serve)
        yield exchanges
        nursery.cancel_scope.cancel()


@pytest.fixture
def vendor() -> Iterator[ScriptedVendor]:
    with ScriptedVendor(strict=False) as vendor:
        yield vendor


def request(vendor: ScriptedVendor, **limits: Any) -> HttpRequest:
    return HttpRequest(
        f"{vendor.url}/chat/completions",
        (("content-type", "application/json"), ("authorization", "Bearer test-key")),
        b'{"model": "m", "messages": [{"role": "user", "content": "hi"}]}',
        **limits,
    )


async def reached(vendor: ScriptedVendor, **state: Any) -> bool:
    """Waits for the server's side without holding up the client's."""
    return await trio.to_thread.run_sync(lambda: vendor.wait_for(**state, timeout=PATIENCE_S))


@pytest.mark.trio
async def test_a_response_is_whole(vendor: ScriptedVendor) -> None:
    """Status, headers in lower case, and the body as it was sent."""
    vendor.answers(Reply(status=429, body=b"slow down", headers={"Retry-After": "7"}))
    async with served() as exchanges:
        response = await exchanges.ask("a", request(vendor))
    assert (response.status, response.body) == (429, b"slow down")
    assert response.headers["retry-after"] == "7"


@pytest.mark.trio
async def test_the_request_arrives_as_ordered(vendor: ScriptedVendor) -> None:
    """Body and headers reach the vendor unchanged."""
    async with served() as exchanges:
        await exchanges.ask("a", request(vendor))
    (call,) = vendor.calls
    assert call.body == {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    assert call.headers["authorization"] == "Bearer test-key"


@pytest.mark.trio
async def test_a_connection_is_used_again(vendor: ScriptedVendor) -> None:
    """One call after the other: one connection."""
    async with served() as exchanges:
        for id in "abc":
            await exchanges.ask(id, request(vendor))
        assert vendor.open_connections == 1


@pytest.mark.trio
async def test_64_at_once_have_64_connections_and_all_are_answered(vendor: ScriptedVendor) -> None:
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
async def test_a_connection_the_vendor_has_closed_is_replaced(vendor: ScriptedVendor) -> None:
    """A kept connection that went stale costs no call."""
    async with served() as exchanges:
        await exchanges.ask("a", request(vendor))
        vendor.drop_connections()
        assert await reached(vendor, connections=0)
        assert (await exchanges.ask("b", request(vendor))).status == 200


@pytest.mark.trio
async def test_a_request_that_could_not_be_written_is_sent_once_more(
    vendor: ScriptedVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a kept connection dies unseen and the write fails, a fresh one takes the request."""
    async with served() as exchanges:
        await exchanges.ask("a", request(vendor))
        vendor.drop_connections(reset=True)
        assert await reached(vendor, connections=0)
        monkeypatch.setattr(httpcore._async.http11.AsyncHTTP11Connection, "has_expired", _never)
        assert (await exchanges.ask("b", request(vendor))).status == 200
    assert len(vendor.calls) == 2


@pytest.mark.trio
async def test_a_request_that_was_written_is_never_sent_again(vendor: ScriptedVendor) -> None:
    """A vendor that reads a request on a kept connection and closes may bill for it: no repeat."""
    vendor.answers([Reply(), Reply(fault="close")])
    async with served() as exchanges:
        await exchanges.ask("a", request(vendor))
        failure = await exchanges.ask("b", request(vendor))
    assert (failure.kind, failure.written) == ("closed", True)
    assert len(vendor.calls) == 2


def _never(self: object) -> bool:
    return False


@pytest.mark.trio
@pytest.mark.parametrize(
    ("fault", "kind"),
    [("close", "closed"), ("reset", "closed"), ("truncate", "closed"), ("noise", "protocol")],
)
async def test_a_broken_answer_fails_as_what_it_is(
    vendor: ScriptedVendor, fault: Any, kind: str
) -> None:
    """Each after the request was written; the next call is served."""
    vendor.answers([Reply(fault=fault)])
    async with served() as exchanges:
        failure = await exchanges.ask("a", request(vendor))
        assert (failure.kind, failure.written) == (kind, True)
        assert (failure.received_bytes > 0) == (fault == "truncate")
        assert (await exchanges.ask("b", request(vendor))).status == 200


@pytest.mark.trio
async def test_an_endless_answer_is_cut_off(vendor: ScriptedVendor) -> None:
    """Reading stops at the limit, and the socket is closed on the vendor."""
    vendor.answers(Reply(fault="huge"))
    async with served() as exchanges:
        failure = await exchanges.ask("a", request(vendor, max_response_bytes=100_000))
        assert failure.kind == "too_large"
        assert 100_000 < failure.received_bytes < 1_000_000
        assert await reached(vendor, connections=0)


@pytest.mark.trio
async def test_a_silent_vendor_times_out(vendor: ScriptedVendor) -> None:
    """By the patience for the first byte; the request counts as written."""
    vendor.answers(Reply(fault="hang"))
    async with served() as exchanges:
        failure = await exchanges.ask("a", request(vendor, first_byte_timeout_s=0.05))
        assert (failure.kind, failure.written) == ("timeout", True)
        assert failure.detail == "no answer in time"
        assert await reached(vendor, connections=0)


@pytest.mark.trio
async def test_the_whole_exchange_has_a_limit_too(vendor: ScriptedVendor) -> None:
    """An answer that begins and does not end within `timeout_s` is a timeout as well."""
    vendor.answers(Reply(fault="huge"))
    async with served() as exchanges:
        failure = await exchanges.ask("a", request(vendor, timeout_s=0.1, max_response_bytes=2**40))
    assert (failure.kind, failure.detail) == ("timeout", "the answer did not end in time")
    assert failure.received_bytes > 0


@pytest.mark.trio
async def test_abort_closes_the_socket_at_once(vendor: ScriptedVendor) -> None:
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
async def test_nobody_listening_is_a_connect_failure(vendor: ScriptedVendor) -> None:
    """Nothing was written, so nothing can be billed."""
    wanted = request(vendor)
    vendor.stop()
    async with served() as exchanges:
        failure = await exchanges.ask("a", wanted)
    assert (failure.kind, failure.written) == ("connect", False)


@pytest.mark.trio
@pytest.mark.parametrize("key", ["café", "two\nlines"])
async def test_a_header_that_cannot_be_sent_is_not_shown(vendor: ScriptedVendor, key: str) -> None:
    """It is most likely the key."""
    wanted = msgspec.structs.replace(request(vendor), headers=(("authorization", key),))
    async with served() as exchanges:
        failure = await exchanges.ask("a", wanted)
    assert isinstance(failure, HttpFailure)
    assert not failure.written
    assert key not in failure.detail
    assert not vendor.calls


@pytest.mark.trio
async def test_proxies_of_the_environment_are_honoured(
    vendor: ScriptedVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A vendor is asked through HTTP_PROXY, unless NO_PROXY names it."""
    monkeypatch.setenv("HTTP_PROXY", vendor.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    direct = request(vendor)
    async with served(trust_env=True) as exchanges:
        proxied = msgspec.structs.replace(direct, url="http://vendor.invalid/v1/chat/completions")
        assert (await exchanges.ask("a", proxied)).status == 200
        assert (await exchanges.ask("b", direct)).status == 200
    paths = [call.path for call in vendor.calls]
    assert paths == ["http://vendor.invalid/v1/chat/completions", "/v1/chat/completions"]


@pytest.mark.trio
async def test_the_end_of_serving_ends_every_exchange(vendor: ScriptedVendor) -> None:
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
async def test_a_transport_that_does_not_run_says_so(vendor: ScriptedVendor) -> None:
    """Later, by the callback, as every other outcome."""
    exchanges = Exchanges(HttpxTransport(trust_env=False))
    exchanges.start("a", request(vendor))
    failure = await exchanges.ended("a")
    assert (failure.kind, failure.written) == ("connect", False)


@pytest.mark.trio
async def test_idle_connections_are_closed_after_a_while(
    vendor: ScriptedVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kept, but not for ever."""
    monkeypatch.setattr("runtime.transport.httpx_transport.KEPT_S", 0.02)
    async with served() as exchanges:
        await exchanges.ask("a", request(vendor))
        assert await reached(vendor, connections=0)
        assert repr(exchanges.transport) == "<HttpxTransport: 0 in flight, 0 idle>"
