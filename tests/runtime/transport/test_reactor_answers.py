"""Answers in every shape and in every piece, and what is no answer."""

from __future__ import annotations

import gzip
import zlib
from typing import Any

import pytest
import trio

from runtime.transport.port import HttpResponse
from runtime.transport.reactor.answer import Answer
from tests.runtime.transport.exchanges import request_to
from tests.runtime.transport.peers import OK, Caller, Peer, answering, answering_once, met

SHAPES = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Id:  7 \r\n\r\nhello",
    "empty": b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n",
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "chunked": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    b'2;name=value;q="x"\r\nhe\r\n3\r\nllo\r\n0;last\r\nx-trailer: 1\r\nx-other: 2\r\n\r\n',
    "interim": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
    b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
    "old": b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 5\r\n\r\nhello",
}
BODIES = {"empty": (500, b""), "no content": (204, b"")}


@pytest.mark.parametrize("shape", SHAPES)
def test_an_answer_is_the_same_wherever_it_is_split(shape: str) -> None:
    """At every point, at every pair of points, and byte by byte; each answer by the same parser."""
    data = SHAPES[shape]
    whole = read(Answer(), data)
    assert (whole.status, whole.body) == BODIES.get(shape, (200, b"hello"))
    assert "x-trailer" not in whole.headers
    assert "link" not in whole.headers
    answer = Answer()
    for first in range(len(data)):
        for second in range(first, len(data), 7):
            assert read(answer, data[:first], data[first:second], data[second:]) == whole
    assert read(answer, *(data[n : n + 1] for n in range(len(data)))) == whole


def read(answer: Answer, *pieces: bytes) -> HttpResponse:
    answer.expect(100)
    for piece in filter(None, pieces):
        assert not answer.complete
        answer.feed(piece)
        assert answer.fault is None
    assert answer.complete
    assert answer.keep
    return answer.take()


@pytest.mark.trio
@pytest.mark.parametrize("shape", SHAPES)
async def test_a_vendor_may_dribble(shape: str) -> None:
    """Byte by byte over a socket; the connection serves the next call too."""
    data = SHAPES[shape]
    peer = Peer(answering(*(data[n : n + 1] for n in range(len(data)))))
    async with met(peer) as exchanges:
        for id in "ab":
            response = await exchanges.ask(id, request_to(peer.url))
            assert (response.status, response.body) == BODIES.get(shape, (200, b"hello"))
        assert peer.connections == 1


@pytest.mark.trio
async def test_headers_are_told_as_the_port_says() -> None:
    """Names in lower case, values without the space around them, the last of a repeated name."""
    head = b"HTTP/1.1 429 Slow\r\nRETRY-AFTER:  7 \r\nx: 1\r\nX: 2\r\ncontent-length: 0\r\n\r\n"
    peer = Peer(answering(head))
    async with met(peer) as exchanges:
        response = await exchanges.ask("a", request_to(peer.url))
    assert response.headers == {"retry-after": "7", "x": "2", "content-length": "0"}


@pytest.mark.trio
async def test_a_body_without_length_ends_with_the_connection() -> None:
    """By the vendor's half-close already; nothing else ends it."""

    async def script(caller: Caller) -> None:
        await caller.request()
        await caller.say(b"HTTP/1.1 200 OK\r\n\r\nfirst ", b"second")
        assert isinstance(caller.stream, trio.SocketStream)
        await caller.stream.send_eof()
        await caller.gone()

    peer = Peer(script)
    async with met(peer) as exchanges:
        for id in "ab":
            assert (await exchanges.ask(id, request_to(peer.url))).body == b"first second"
        assert peer.connections == 2


@pytest.mark.trio
async def test_eight_mebibytes_go_both_ways() -> None:
    """With the vendor reading and writing as it likes."""
    size = 8 * 2**20
    head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size

    async def echo(caller: Caller) -> None:
        while body := await caller.request():
            await caller.stream.send_all(head + body)

    peer = Peer(echo)
    body = bytes(range(256)) * (size // 256)
    async with met(peer) as exchanges:
        for id in "ab":
            assert (await exchanges.ask(id, request_to(peer.url, body=body))).body == body
        assert peer.connections == 1


# --- compressed ones ------------------------------------------------------------------------------


def compressed(encoding: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\ncontent-encoding: {encoding}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


@pytest.mark.trio
@pytest.mark.parametrize(
    ("encoding", "body"),
    [("gzip", gzip.compress(b"hello" * 100)), ("Deflate", zlib.compress(b"hello" * 100)),
     ("identity", b"hello" * 100)],
)  # fmt: skip
async def test_a_compressed_answer_is_unpacked(encoding: str, body: bytes) -> None:
    """Though none was asked for; pieces are shown unpacked, too."""
    pieces: list[bytes] = []
    data = compressed(encoding, body)
    peer = Peer(answering(data[:90], data[90:]))
    async with met(peer) as exchanges:
        response = await exchanges.ask("a", request_to(peer.url), pieces.append)
    assert response.body == b"".join(pieces) == b"hello" * 100


@pytest.mark.trio
async def test_a_bomb_is_not_unpacked() -> None:
    """More than may come is not even made, however little was sent."""
    peer = Peer(answering(compressed("gzip", gzip.compress(b" " * 10_000_000))))
    async with met(peer) as exchanges:
        failure = await exchanges.ask("a", request_to(peer.url, max_response_bytes=1_000))
        assert await peer.abandoned()
    assert (failure.kind, failure.received_bytes) == ("too_large", 1_001)


# --- what is no answer ----------------------------------------------------------------------------

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
FAULTS = {
    "noise": b"\x16\x03\x01 this is no HTTP\r\n\r\n",
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx",
    "a length and chunks": CHUNKED[:-2] + b"content-length: 1\r\n\r\n1\r\nx\r\n0\r\n\r\n",
    "a negative length": b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
    "a length of words": b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
    "a status of words": b"HTTP/1.1 fine OK\r\n\r\n",
    "chunks without size": CHUNKED + b"zz\r\nhello\r\n",
    "a chunk that is longer": CHUNKED + b"2\r\nhello\r\n0\r\n\r\n",
    "an endless size": CHUNKED + b"f" * 40 + b"\r\n",
    "a zero in a name": b"HTTP/1.1 200 OK\r\nx\0y: 1\r\ncontent-length: 0\r\n\r\n",
    "an upgrade": b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nhi",
    "a strange transfer": b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nxx",
    "a strange encoding": compressed("br", b"hello"),
    "two encodings": compressed("gzip, gzip", gzip.compress(gzip.compress(b"hello"))),
    "a spoilt body": compressed("gzip", b"no gzip at all"),
    "half a body": compressed("gzip", gzip.compress(b"hello" * 50)[:-4]),
    "many headers": b"HTTP/1.1 200 OK\r\n"
    + b"".join(b"x%d: 1\r\n" % n for n in range(300))
    + b"content-length: 0\r\n\r\n",
    "a long header": b"HTTP/1.1 200 OK\r\nx: " + b"x" * 200_000,
    "a long name": b"HTTP/1.1 200 OK\r\n" + b"x" * 200_000,
    "a long reason": b"HTTP/1.1 200 " + b"x" * 200_000,
    "endless interims": b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000,
    "long trailers": CHUNKED + b"0\r\nx: " + b"x" * 200_000,
    "a long extension": CHUNKED + b"1;" + b"x" * 200_000,
}


@pytest.mark.trio
@pytest.mark.parametrize("fault", FAULTS)
async def test_what_cannot_be_understood_is_a_failure_of_its_kind(fault: str) -> None:
    """And the socket is closed; it is not a matter of when the vendor hangs up."""

    async def script(caller: Caller) -> None:
        await caller.request()
        await caller.stream.send_all(FAULTS[fault])
        await caller.gone()

    peer = Peer(script, answering(OK))
    async with met(peer) as exchanges:
        failure = await exchanges.ask("a", request_to(peer.url))
        assert (failure.kind, failure.written) == ("protocol", True)
        assert failure.detail.startswith("not HTTP as it should be")
        assert await peer.abandoned()
        assert (await exchanges.ask("b", request_to(peer.url))).status == 200


@pytest.mark.trio
@pytest.mark.parametrize(
    ("data", "received"),
    [(b"", 0), (b"HTTP/1.1 20", 0), (OK[:-1], 1), (CHUNKED + b"2\r\nok\r\n", 2), (CHUNKED, 0)],
)
@pytest.mark.parametrize("how", ["close", "half-close", "reset"])
async def test_an_answer_that_ends_early_is_none(data: bytes, received: int, how: str) -> None:
    """Wherever it ends, and however; what had come is counted."""

    async def script(caller: Caller) -> None:
        await caller.request()
        await caller.say(data)
        assert isinstance(caller.stream, trio.SocketStream)
        if how == "reset":
            caller.reset()
        elif how == "half-close":
            await caller.stream.send_eof()
            await caller.gone()

    peer = Peer(script)
    async with met(peer) as exchanges:
        failure = await exchanges.ask("a", request_to(peer.url))
        assert await peer.abandoned()
    assert (failure.kind, failure.written, failure.received_bytes) == ("closed", True, received)
    assert failure.detail == (
        "the connection broke" if how == "reset" else "the vendor closed the connection"
    )


# --- too much -------------------------------------------------------------------------------------


@pytest.mark.trio
@pytest.mark.parametrize("more", [b"garbage", OK, OK[:5], b"HTTP/1.1 100 Continue\r\n\r\n"])
@pytest.mark.parametrize("together", [True, False])
async def test_what_follows_an_answer_is_nobodys(more: bytes, together: bool) -> None:
    """The answer stands, and the connection is not trusted with another call."""
    peer = Peer(answering(*([OK + more] if together else [OK, more])))
    async with met(peer) as exchanges:
        for id in "ab":
            assert (await exchanges.ask(id, request_to(peer.url))).body == b"ok"
            assert await peer.abandoned()
        assert peer.connections == 2


@pytest.mark.trio
@pytest.mark.parametrize(
    "data",
    [
        OK.replace(b"\r\n", b"\r\nconnection: close\r\n", 1),
        OK.replace(b"HTTP/1.1", b"HTTP/1.0"),
    ],
)
async def test_a_vendor_may_want_no_further_call(data: bytes) -> None:
    peer = Peer(answering(data))
    async with met(peer) as exchanges:
        for id in "ab":
            assert (await exchanges.ask(id, request_to(peer.url))).body == b"ok"
        assert peer.connections == 2
        assert await peer.abandoned()


@pytest.mark.trio
async def test_an_endless_body_is_cut_off_at_its_limit() -> None:
    """To the byte: as much as the limit passes."""
    body = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
    peer = Peer(answering(body))
    async with met(peer) as exchanges:
        assert (await exchanges.ask("a", request_to(peer.url, max_response_bytes=5))).status == 200
        failure: Any = await exchanges.ask("b", request_to(peer.url, max_response_bytes=4))
        assert (failure.kind, failure.detail) == ("too_large", "more than 4 bytes")
        assert await peer.abandoned()


@pytest.mark.trio
async def test_a_vendor_that_hangs_up_after_its_answer_is_not_kept() -> None:
    """Whether its end comes with the answer or later."""
    peer = Peer(answering_once(OK))
    async with met(peer) as exchanges:
        for id in "abc":
            assert (await exchanges.ask(id, request_to(peer.url))).body == b"ok"
            assert await peer.abandoned()
        assert peer.connections == 3
