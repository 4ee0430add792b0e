"""Reading an answer: status, headers and body out of whatever pieces it comes in.

The parser is httptools'; it has no word for the end of the connection, so whether that ends a
body is decided here.  What it calls must not raise: faults are noted and looked at afterwards.

Memory is bounded by one rule: so many bytes may come without a byte of the body among them.  That
covers headers, trailers, chunk extensions and interim answers alike; the body has its own limit.
"""

from __future__ import annotations

import zlib

import httptools

from runtime.transport.failures import not_http
from runtime.transport.port import HttpResponse
from runtime.transport.reactor.channel import Bytes

MOST_HEAD = 65_536
MOST_HEADERS = 256
_ZLIB_OR_GZIP = zlib.MAX_WBITS | 32
_INTERIM = range(100, 200)


class Answer:
    """What a connection's parser reads into; one for all answers on that connection.

    After `feed`: `begun` when the header block is there, `complete` when all is, `fault` with a
    text when it cannot be read, `too_large` when the body passed its limit.
    """

    __slots__ = (
        "_decoder",
        "_headers",
        "_most",
        "_parser",
        "_silent",
        "begun",
        "complete",
        "fault",
        "keep",
        "pieces",
        "received",
        "status",
        "too_large",
    )  # fmt: skip

    def __init__(self) -> None:
        self._parser: httptools.HttpResponseParser | None = None
        self._most = 0
        self._reset()

    def expect(self, most: int) -> None:
        """The next answer's body has at most so many bytes."""
        self._most = most

    def _reset(self) -> None:
        self._silent = 0
        self.received = 0
        self.complete = self.keep = self.too_large = False
        self._new_head()

    def _new_head(self) -> None:
        self._headers: dict[str, str] = {}
        self._decoder: zlib._Decompress | None = None
        self.pieces: list[bytes] = []
        self.begun = False
        self.fault: str | None = None
        self.status = 0

    def feed(self, data: Bytes) -> None:
        if self._parser is None:  # not before: ten thousand may wait for their first answer
            self._parser = httptools.HttpResponseParser(self)
        self._silent += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.keep = False
            self.fault = self.fault or not_http(type(error).__name__)
        if self._silent > MOST_HEAD:
            self.fault = self.fault or not_http("too long a head")

    def end(self) -> None:
        """The connection has ended: so has the answer, if nothing else says where it ends."""
        headers = self._headers
        if self.begun and not ("content-length" in headers or "transfer-encoding" in headers):
            self.keep = False
            self._complete()

    @property
    def is_untouched(self) -> bool:
        """Whether nothing of it has come."""
        return not self._silent and not self.begun

    def take(self) -> HttpResponse:
        """The answer, once complete; nothing of it is kept."""
        pieces = self.pieces
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        response = HttpResponse(self.status, self._headers, body)
        self._reset()
        return response

    def release(self) -> None:
        """Lets go of the parser, which holds this in turn."""
        self._parser = None

    # --- called by the parser ---

    def on_message_begin(self) -> None:
        if self.complete:  # a second answer to one request: whose it is nobody knows
            self.keep = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.begun:
            return  # a trailer, or of a second answer
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1").strip()
        if len(self._headers) > MOST_HEADERS:
            self.fault = not_http("too many headers")

    def on_headers_complete(self) -> None:
        if self.begun or self._parser is None:
            return
        status = self._parser.get_status_code()
        if status in _INTERIM:
            if status == 101:
                self.fault = not_http("an upgrade nobody asked for")
            return
        self.status = status
        self.begun = True
        if self._headers.get("transfer-encoding", "chunked").lower() != "chunked":
            self.fault = not_http("unknown transfer encoding")
        if encoding := self._headers.get("content-encoding"):
            self._decode_from(encoding.lower())

    def on_body(self, piece: bytes) -> None:
        self._silent = 0
        if self.complete or self.fault is not None or self.too_large:
            return
        if self._decoder is not None:
            piece = self._decoded(self._decoder, piece)
        self.received += len(piece)
        self.too_large = self.received > self._most
        if piece and not self.too_large:
            self.pieces.append(piece)

    def on_message_complete(self) -> None:
        if self.complete or self._parser is None:
            return
        if self.begun:
            self.keep = self._parser.should_keep_alive()
            self._complete()
        elif self.fault is None:
            self._new_head()  # it was an interim one

    # --- what it comes to ---

    def _complete(self) -> None:
        if self._decoder is not None and not self._decoder.eof:
            self.fault = self.fault or not_http("a compressed body that ends early")
        self.complete = self.fault is None and not self.too_large

    def _decode_from(self, encoding: str) -> None:
        if encoding in ("gzip", "x-gzip", "deflate"):
            self._decoder = zlib.decompressobj(_ZLIB_OR_GZIP)
        elif encoding != "identity":
            self.fault = not_http("an encoding nobody asked for")

    def _decoded(self, decoder: zlib._Decompress, piece: bytes) -> bytes:
        """At most one byte more than may still come: a bomb is not unpacked."""
        try:
            return decoder.decompress(piece, self._most - self.received + 1)
        except zlib.error:
            self.fault = not_http("a body that is not compressed as it says")
            return b""
