"""Anthropic's messages as a stream of events, which ends in `message_stop`.

Usage is told at the begin, for what was sent, and with the end, for what was written; each figure
counts by its last telling.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct
from msgspec.structs import asdict, replace

from runtime.dialects.deltas import EventDeltas
from runtime.dialects.errors import UNREADABLE
from runtime.dialects.ladder import TOOL
from runtime.dialects.sse import events_in

NULL = Raw(b"null")

STATUSES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""The status that an error would have had if it had come before the answer began."""

Tokens = Annotated[int, Meta(ge=0, le=2**53)] | None


class ToldUsage(Struct, frozen=True):
    """In the vendor's words."""

    input_tokens: Tokens = None
    output_tokens: Tokens = None
    cache_read_input_tokens: Tokens = None
    cache_creation_input_tokens: Tokens = None

    def overlaid(self, later: ToldUsage) -> ToldUsage:
        """With the figures that were told later."""
        return replace(self, **{k: v for k, v in asdict(later).items() if v is not None})


class _Start(Struct):
    usage: Raw = NULL


class _Block(Struct):
    type: str = ""
    text: str | None = None
    name: str | None = None


class _Delta(Struct):
    type: str = ""
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None


class _Event(Struct):
    type: str = ""
    index: int = 0
    message: _Start | None = None
    content_block: _Block | None = None
    delta: _Delta | None = None
    usage: Raw = NULL
    error: Raw = NULL

    @property
    def text(self) -> str:
        """What it adds to the answer."""
        if self.type == "content_block_start" and self.content_block is not None:
            return (self.content_block.text or "") if self.content_block.type == "text" else ""
        if self.type == "content_block_delta" and self.delta is not None:
            return (self.delta.text or "") if self.delta.type == "text_delta" else ""
        return ""


class Arguments:
    """Of the tool whose arguments are the answer, piece by piece."""

    def __init__(self) -> None:
        self._index: int | None = None

    def feed(self, event: _Event) -> str | None:
        """What it adds to them; None when it is about something else."""
        block, delta = event.content_block, event.delta
        if event.type == "content_block_start" and block is not None and self._index is None:
            if block.type != "tool_use" or block.name != TOOL:
                return None
            self._index = event.index
            return ""
        if event.type != "content_block_delta" or delta is None or event.index != self._index:
            return None
        return delta.partial_json


_events = msgspec.json.Decoder(_Event)
_usages = msgspec.json.Decoder(ToldUsage | None)


class Streamed(Struct):
    """All that a stream said.  Without `ended` it was cut off; `usage` is None until the vendor
    has told what it will bill.  `arguments` are those of the tool that takes answers, None when it
    was not called.
    """

    text: str = ""
    tool_use: bool = False
    arguments: str | None = None
    stop_reason: str | None = None
    usage: ToldUsage | None = None
    error: Raw = NULL
    ended: bool = False


def folded(body: bytes) -> Streamed:
    """The whole of a stream.  Raises one of UNREADABLE for an event that is none."""
    said = Streamed()
    sent = ToldUsage()
    texts: list[str] = []
    arguments = Arguments()
    for event in map(_events.decode, events_in(body)):
        texts.append(event.text)
        if (added := arguments.feed(event)) is not None:
            said.arguments = (said.arguments or "") + added
        match event.type:
            case "message_start" if event.message is not None:
                sent = _told(event.message.usage)
            case "content_block_start" if event.content_block is not None:
                said.tool_use = said.tool_use or event.content_block.type == "tool_use"
            case "message_delta":
                said.stop_reason = event.delta.stop_reason if event.delta else said.stop_reason
                said.usage = sent = sent.overlaid(_told(event.usage))
            case "message_stop":
                said.ended = True
            case "error":
                said.error = event.error
    said.text = "".join(texts)
    return said


def _told(usage: Raw) -> ToldUsage:
    """What can be read of it."""
    try:
        return _usages.decode(usage) or ToldUsage()
    except UNREADABLE:
        return ToldUsage()


class AnthropicDeltas(EventDeltas):
    """See :class:`runtime.dialects.port.Deltas`."""

    def __init__(self) -> None:
        super().__init__()
        self._arguments = Arguments()

    def _delta(self, data: bytes) -> str:
        event = _events.decode(data)
        hidden = "" if event.delta is None else event.delta.thinking or event.delta.partial_json
        self.written += len(f"{event.text}{hidden or ''}".encode("utf-8", "replace"))
        return event.text + (self._arguments.feed(event) or "")
