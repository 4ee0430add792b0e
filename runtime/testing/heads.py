"""HTTP as the scripted vendor reads and writes it."""

from __future__ import annotations

from runtime.testing.scripts import Reply


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def read_head(data: bytes) -> tuple[str, dict[str, str]]:
    """The path of a request, and its headers by lower case names."""
    request_line, *lines = data.decode("latin-1").split("\r\n")
    path = request_line.partition(" ")[2].rpartition(" ")[0]
    pairs = (line.partition(":") for line in lines if line)
    return path, {name.strip().lower(): value.strip() for name, _, value in pairs}


def answer_head(reply: Reply, length: int) -> bytes:
    own = {"content-type": "application/json", "content-length": str(length)}
    return _written(reply, own)


def stream_head(reply: Reply) -> bytes:
    own = {"content-type": "text/event-stream; charset=utf-8", "transfer-encoding": "chunked"}
    return _written(reply, own)


def _written(reply: Reply, own: dict[str, str]) -> bytes:
    headers = own | reply.headers
    lines = [f"HTTP/1.1 {reply.status} Scripted", *(f"{k}: {v}" for k, v in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
