"""Calls and answers to try dialects with."""

from __future__ import annotations

from typing import Any

import msgspec

from actors.protocol import CallVendor, Complete
from runtime.transport.port import HttpRequest, HttpResponse

KEY = "sk-test-0123456789abcdef"
QUESTION = [{"role": "user", "content": "How many moons has Mars?"}]


def call(
    upstream: str = "gpt-4", messages: list[Any] | None = None, max_tokens: int = 100, **order: Any
) -> CallVendor:
    """`parameters` may be a dict."""
    parameters = order.pop("parameters", {})
    complete = Complete(
        reply_to="run:1",
        ticket="1.1",
        model="ours",
        upstream=upstream,
        messages=msgspec.json.encode(QUESTION if messages is None else messages),
        max_tokens=max_tokens,
        deadline=1e9,
        parameters=msgspec.json.encode(parameters),
        **order,
    )
    return CallVendor("1.1", complete, timeout_s=30.0)


def body(request: HttpRequest) -> dict[str, Any]:
    return msgspec.json.decode(request.body, type=dict[str, Any])


def response(said: Any, status: int = 200, **headers: str) -> HttpResponse:
    """`said` is JSON to be encoded, or the bytes themselves; `_` in a header's name is `-`."""
    data = said if isinstance(said, bytes) else msgspec.json.encode(said)
    return HttpResponse(status, {k.replace("_", "-"): v for k, v in headers.items()}, data)
