"""Every response is JSON: answers as they come from the engine, errors with their code."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable
from functools import wraps
from math import ceil
from typing import Any, TypeAlias

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from actors.errors import Cancelled, Internal, PlanError
from runtime.frontends.wire import error_body

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]
logger = logging.getLogger("planhub.http")

_HTTP_ERRORS = {404: ("not found", "not_found"), 405: ("method not allowed", "method_not_allowed")}


def reply(body: bytes, status: int = 200, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(body, status, named, media_type="application/json")


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
        except PlanError as error:
            return reply_error(error)
        except ClientDisconnect:
            return reply_error(Cancelled("cancelled"))
        except Exception:
            id = secrets.token_hex(8)
            logger.exception("internal error %s at %s", id, request.url.path)
            return reply_error(Internal("internal error", run=id))

    return answer


async def reply_http_error(_: Request, error: Exception) -> Response:
    """A path or a method that does not exist."""
    assert isinstance(error, HTTPException)
    text, code = _HTTP_ERRORS.get(error.status_code, (str(error.detail), "bad_request"))
    response = reply_error(PlanError(text, code=code, http_status=error.status_code))
    response.headers.update(error.headers or {})
    return response
