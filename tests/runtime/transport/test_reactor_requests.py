"""The header block of a request: what it says, how long it is remembered, and who may see it."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.transport.port import HttpRequest
from runtime.transport.reactor import transport
from tests.runtime.transport.exchanges import request_to
from tests.runtime.transport.peers import OK, Peer, answering, met


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
