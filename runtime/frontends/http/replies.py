"""Every response is JSON: answers as they come from the engine, errors with their code."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from math import ceil
from typing import Any, TypeAlias

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from actors.errors import Cancelled, Internal, PlanError
from runtime.frontends.wire import error_body

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]
logger = logging.getLogger("planhub.http")

_JSON = (b"content-type", b"application/json")

_HTTP_ERRORS = {404: ("not found", "not_found"), 405: ("method not allowed", "method_not_allowed")}


def reply(body: bytes, status: int = 200, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(body, status, named, media_type="application/json")


class Answer:
    """The answer of a run, 200, as an ASGI application."""

    __slots__ = ("_body", "_told")

    def __init__(self, body: bytes, told: Mapping[str, str]) -> None:
        self._body = body
        self._told = told

    async def __call__(self, _: Scope, __: Receive, send: Send) -> None:
        headers = [_JSON, (b"content-length", b"%d" % len(self._body))]
        for name, value in self._told.items():
            headers.append((name.replace("_", "-").encode(), value.encode()))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self._body})


def reply_json(value: Any, status: int = 200, **headers: str) -> Response:
    return reply(msgspec.json.encode(value), status, **headers)


def reply_error(error: PlanError, **headers: str) -> Response:
    """The body, the status and the headers that tell a client of an error."""
    if error.http_status in (429, 503):
        headers["retry_after"] = str(max(1, ceil(error.retry_after_s or 1)))
    if error.http_status == 401:
        headers["www_authenticate"] = "Bearer"
    if error.http_status in (408, 413):
        headers["connection"] = "close"
    return reply(error_body(error), error.http_status, **headers)


def answering(endpoint: Endpoint) -> Endpoint:
    """Turns what an endpoint raises into the response that says so."""

    @wraps(endpoint)
    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Exception as error:  # noqa: BLE001 - the client is told, whatever it is
            return reply_to(error, request.scope)

    return answer


def reply_to(error: Exception, scope: Scope) -> Response:
    """What a client is told of an error: of a defect of ours only where to look for it."""
    match error:
        case PlanError():
            return reply_error(error)
        case ClientDisconnect():
            return reply_error(Cancelled("cancelled"))
        case _:
            id = secrets.token_hex(8)
            logger.error("internal error %s at %s", id, scope["path"], exc_info=error)
            return reply_error(Internal("internal error", run=id))


async def reply_http_error(_: Request, error: Exception) -> Response:
    """A path or a method that does not exist."""
    assert isinstance(error, HTTPException)
    text, code = _HTTP_ERRORS.get(error.status_code, (str(error.detail), "bad_request"))
    response = reply_error(PlanError(text, code=code, http_status=error.status_code))
    response.headers.update(error.headers or {})
    return response
