"""Reading a request: its body within bounds, and what its headers ask for."""

from __future__ import annotations

import asyncio

from starlette.requests import Request

from actors.errors import BadRequest
from runtime.names import check_name

BODY_WITHIN_S = 60.0
DROPPED_BYTES = 33_554_432


async def read_body(request: Request, most: int) -> bytes:
    """The body; raises :class:`BadRequest` with 413 when it is too long, with 408 when it does
    not come.

    Of a body that is too long the rest is read and dropped, up to a bound: a client that is still
    sending when its connection is closed may never see the answer.
    """
    too_large = BadRequest("request too large", code="too_large", http_status=413)
    if _declared_length(request) > most + DROPPED_BYTES:
        raise too_large
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            async for chunk in request.stream():
                size += len(chunk)
                if size > most + DROPPED_BYTES:
                    break
                if size <= most:
                    chunks.append(chunk)
    except TimeoutError as error:
        text = f"the body must arrive within {BODY_WITHIN_S:g} s"
        raise BadRequest(text, http_status=408) from error
    if size > most:
        raise too_large
    return b"".join(chunks)


def _declared_length(request: Request) -> int:
    """Zero where none is declared; the server has refused what is not a number."""
    return int(request.headers.get("content-length") or 0)


def name_of(request: Request) -> str | None:
    """The name by which the client may ask for the run again; raises :class:`BadRequest`."""
    name = request.headers.get("idempotency-key")
    return None if name is None else check_name(name)


def wants_no_answer(request: Request) -> bool:
    """Whether the client will come back for the answer."""
    preferences = request.headers.get("prefer", "").split(",")
    return any(preference.strip().lower() == "respond-async" for preference in preferences)
