"""Requests as bytes: where they go, and header blocks that are written once and used often."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import quote, urlsplit

from runtime.transport.port import HttpRequest

MOST_HEADS = 64
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")
_PATH = "/%:@!$&'()*+,;=~-._"


@dataclass(frozen=True)
class Address:
    """Where a request goes; `name` is what its Host header says."""

    host: str
    port: int
    secure: bool
    name: str

    @cached_property
    def origin(self) -> str:
        return f"{'https' if self.secure else 'http'}://{self.name}"


@dataclass(frozen=True)
class Head:
    """All of a request's header block but the length of its body; its bytes hold the key."""

    address: Address
    data: bytes = field(repr=False)


class Heads:
    """Header blocks by address and headers: a vendor's requests differ in little but the body."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, tuple[tuple[str, str], ...]], Head] = {}

    def __repr__(self) -> str:
        return f"<Heads: {len(self._known)}>"

    def of(self, request: HttpRequest) -> Head:
        """Raises ValueError for what cannot be sent: its text must not be shown."""
        key = (request.url, request.headers)
        head = self._known.get(key)
        if head is None:
            head = _written(request)
            if len(self._known) >= MOST_HEADS:
                self._known.clear()
            self._known[key] = head
        return head


def _written(request: HttpRequest) -> Head:
    parts = urlsplit(request.url)
    address = address_of(request.url)
    target = quote(parts.path or "/", safe=_PATH)
    if parts.query:
        target += "?" + quote(parts.query, safe=_PATH + "?")
    lines = [f"POST {target} HTTP/1.1", f"host: {address.name}"]
    lines += (_line(name, value) for name, value in request.headers)
    if all(name.lower() != "accept-encoding" for name, _ in request.headers):
        lines.append("accept-encoding: identity")
    lines.append("content-length: ")
    return Head(address, "\r\n".join(lines).encode("ascii"))


def _line(name: str, value: str) -> str:
    if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
        raise ValueError("a header cannot be sent")
    return f"{name}: {value}"


def address_of(url: str) -> Address:
    """Raises ValueError for what is no address of a vendor."""
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    if scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ValueError("no address of a vendor")
    secure = scheme == "https"
    usual = 443 if secure else 80
    port = usual if parts.port is None else parts.port
    host = parts.hostname.encode("idna").decode("ascii") if ":" not in parts.hostname else ""
    host = host or parts.hostname
    name = f"[{host}]" if ":" in host else host
    return Address(host, port, secure, name if port == usual else f"{name}:{port}")
