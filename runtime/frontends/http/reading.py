"""Reading a request: its body within bounds, and what its headers ask for."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from actors.errors import BadRequest
from runtime.frontends.http.promptness import within
from runtime.names import check_name

BODY_WITHIN_S = 60.0
DROPPED_BYTES = 33_554_432


def headers_of(scope: Scope) -> Mapping[str, str]:
    """By their names in lower case; of one that comes twice the first."""
    return {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in reversed(scope["headers"])
    }


async def read_body(headers: Mapping[str, str], receive: Receive, most: int) -> bytes:
    """The body.

    Raises :class:`BadRequest` with 413 when it is too long, with 408 when it does not come, and
    ClientDisconnect.  Of a body that is too long the rest is read and dropped, up to a bound: a
    client that is still sending when its connection is closed may never see the answer.
    """
    if _declared_length(headers) > most + DROPPED_BYTES:
        raise _too_large()
    try:
        return await within(BODY_WITHIN_S, _gathered(receive, most))
    except TimeoutError as error:
        text = f"the body must arrive within {BODY_WITHIN_S:g} s"
        raise BadRequest(text, http_status=408) from error


async def _gathered(receive: Receive, most: int) -> bytes:
    chunks: list[bytes] = []
    size, more = 0, True
    while more and size <= most + DROPPED_BYTES:
        chunk, more = await _received(receive)
        size += len(chunk)
        if size <= most:
            chunks.append(chunk)
    if size > most:
        raise _too_large()
    return b"".join(chunks)


def _too_large() -> BadRequest:
    return BadRequest("request too large", code="too_large", http_status=413)


async def _received(receive: Receive) -> tuple[bytes, bool]:
    """A part of the body, and whether more will come."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return message.get("body", b""), message.get("more_body", False)


def _declared_length(headers: Mapping[str, str]) -> int:
    """Zero where none is declared; the server has refused what is not a number."""
    return int(headers.get("content-length") or 0)


def name_of(headers: Mapping[str, str]) -> str | None:
    """The name by which the client may ask for the run again; raises :class:`BadRequest`."""
    name = headers.get("idempotency-key")
    return None if name is None else check_name(name)


def wants_no_answer(headers: Mapping[str, str]) -> bool:
    """Whether the client will come back for the answer."""
    if (preferences := headers.get("prefer")) is None:
        return False
    return any(each.strip().lower() == "respond-async" for each in preferences.split(","))
