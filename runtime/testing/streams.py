"""Answers as vendors stream them, from their side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec.structs import replace

from actors.domain.model import Usage
from runtime.testing import wire
from runtime.testing.wire import Format

PIECE = 7
"""Characters at a time."""

GARBAGE = b'data: {"choices": [{\x00\xff\n\n'


def stream(
    format: Format,
    model: str,
    text: str,
    usage: Usage | None,
    finish: str | None,
    tool: str | None = None,
) -> list[bytes]:
    """An answer event by event, its end the last of them; without a `usage` none is told.  With a
    `tool` it is called with the text.
    """
    pieces = [text[i : i + PIECE] for i in range(0, len(text), PIECE)]
    if format == "openai":
        return [*_openai(model, pieces, usage, finish or "stop", tool)]
    if format == "gemini":
        return [*_gemini(model, pieces, usage, finish or "STOP", tool)]
    ended = "end_turn" if tool is None else "tool_use"
    return [*_anthropic(model, pieces, usage, finish or ended, tool)]


def stream_error(format: Format, status: int, message: str) -> bytes:
    """An error in the middle of an answer."""
    told = wire.error(format, status, message, None, None)
    return _event(told, "error") if format == "anthropic" else _event(told)


def _openai(
    model: str, pieces: list[str], usage: Usage | None, finish: str, tool: str | None
) -> Iterator[bytes]:
    common = {"id": "chatcmpl-scripted", "object": "chat.completion.chunk", "model": model}

    def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return _event({**common, "choices": [choice], "usage": None})

    yield chunk({"role": "assistant", "content": "", "refusal": None})
    if tool is None:
        yield from (chunk({"content": piece}) for piece in pieces)
    else:
        head: dict[str, Any] = {
            "id": "call_1",
            "type": "function",
            "function": {"name": tool, "arguments": ""},
        }
        made = [head, *({"function": {"arguments": piece}} for piece in pieces)]
        yield from (chunk({"tool_calls": [{"index": 0, **call}]}) for call in made)
    yield chunk({}, finish)
    if usage is not None:
        yield _event({**common, "choices": [], "usage": wire.openai_usage(usage)})
    yield b"data: [DONE]\n\n"


def _anthropic(
    model: str, pieces: list[str], usage: Usage | None, finish: str, tool: str | None
) -> Iterator[bytes]:
    def event(type: str, **fields: Any) -> bytes:
        return _event({"type": type, **fields}, type)

    told = None if usage is None else wire.anthropic_usage(usage)
    message = {"id": "msg_scripted", "role": "assistant", "model": model, "content": []}
    begun = {} if told is None else {"usage": {**told, "output_tokens": 1}}
    yield event("message_start", message=message | begun)
    block: dict[str, Any] = {"type": "text", "text": ""}
    if tool is not None:
        block = {"type": "tool_use", "id": "toolu_1", "name": tool, "input": {}}
    yield event("content_block_start", index=0, content_block=block)
    yield event("ping")
    for piece in pieces:
        delta = {"type": "text_delta", "text": piece}
        if tool is not None:
            delta = {"type": "input_json_delta", "partial_json": piece}
        yield event("content_block_delta", index=0, delta=delta)
    yield event("content_block_stop", index=0)
    ended = {} if told is None else {"usage": {"output_tokens": told["output_tokens"]}}
    yield event("message_delta", delta={"stop_reason": finish}, **ended)
    yield event("message_stop")


def _gemini(
    model: str, pieces: list[str], usage: Usage | None, finish: str, tool: str | None
) -> Iterator[bytes]:
    """Usage is told with every piece, for all up to there; a call of a tool comes whole."""
    first, whole = {}, {}
    if usage is not None:
        first = {"usageMetadata": wire.gemini_usage(replace(usage, output=1, reasoning=0))}
        whole = {"usageMetadata": wire.gemini_usage(usage)}
    if tool is not None:
        pieces = ["".join(pieces)]
    yield from (_event(wire.generated(model, piece, None, tool) | first) for piece in pieces)
    yield _event(wire.generated(model, "", finish) | whole)


def _event(data: Any, name: str | None = None) -> bytes:
    head = f"event: {name}\n" if name else ""
    return head.encode() + b"data: " + msgspec.json.encode(data) + b"\n\n"
