"""The transport over httpx: what it has beyond every other."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

import httpcore
import msgspec
import pytest

from runtime.testing import ScriptedVendor
from runtime.transport.httpx_transport import HttpxTransport
from tests.runtime.transport.exchanges import Exchanges, reached, request, serving


def over_httpx(*, trust_env: bool = False) -> AbstractAsyncContextManager[Exchanges]:
    return serving(HttpxTransport(trust_env=trust_env))


@pytest.mark.trio
async def test_a_request_that_could_not_be_written_is_sent_once_more(
    vendor: ScriptedVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a kept connection dies unseen and the write fails, a fresh one takes the request."""
    async with over_httpx() as exchanges:
        await exchanges.ask("a", request(vendor))
        vendor.drop_connections(reset=True)
        assert await reached(vendor, connections=0)
        monkeypatch.setattr(httpcore._async.http11.AsyncHTTP11Connection, "has_expired", _never)
        assert (await exchanges.ask("b", request(vendor))).status == 200
    assert len(vendor.calls) == 2


def _never(self: object) -> bool:
    return False


@pytest.mark.trio
async def test_proxies_of_the_environment_are_honoured(
    vendor: ScriptedVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A vendor is asked through HTTP_PROXY, unless NO_PROXY names it."""
    monkeypatch.setenv("HTTP_PROXY", vendor.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    direct = request(vendor)
    async with over_httpx(trust_env=True) as exchanges:
        proxied = msgspec.structs.replace(direct, url="http://vendor.invalid/v1/chat/completions")
        assert (await exchanges.ask("a", proxied)).status == 200
        assert (await exchanges.ask("b", direct)).status == 200
    paths = [call.path for call in vendor.calls]
    assert paths == ["http://vendor.invalid/v1/chat/completions", "/v1/chat/completions"]


@pytest.mark.trio
async def test_idle_connections_are_closed_after_a_while(
    vendor: ScriptedVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kept, but not for ever."""
    monkeypatch.setattr("runtime.transport.httpx_transport.KEPT_S", 0.02)
    async with over_httpx() as exchanges:
        await exchanges.ask("a", request(vendor))
        assert await reached(vendor, connections=0)
        assert repr(exchanges.transport) == "<HttpxTransport: 0 in flight, 0 idle>"
