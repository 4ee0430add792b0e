"""What Gemini says: one answer, or a stream of answers that each have the next piece of it.

A stream ends with the piece that says why; no mark comes after it.  Usage is told with every piece,
for all up to there; only the last one's is what will be billed.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct

from actors.domain.model import Usage
from runtime.dialects.deltas import EventDeltas
from runtime.dialects.errors import UNREADABLE
from runtime.dialects.ladder import TOOL
from runtime.dialects.sse import events_in

NULL = Raw(b"null")

Tokens = Annotated[int, Meta(ge=0, le=2**53)] | None


class _ToldUsage(Struct, rename="camel"):
    prompt_token_count: Tokens = None
    candidates_token_count: Tokens = None
    thoughts_token_count: Tokens = None
    tool_use_prompt_token_count: Tokens = None
    cached_content_token_count: Tokens = None
    total_token_count: Tokens = None


class FunctionCall(Struct):
    """A tool that the model calls, with its arguments as JSON."""

    name: str = ""
    args: Raw = Raw(b"{}")


class _Part(Struct, rename="camel"):
    text: str | None = None
    thought: bool = False
    function_call: FunctionCall | None = None


class _Content(Struct):
    parts: list[_Part] | None = None


class _Candidate(Struct, rename="camel"):
    content: _Content | None = None
    finish_reason: str | None = None
    index: int = 0


class _Feedback(Struct, rename="camel"):
    block_reason: str | None = None


class _Piece(Struct, rename="camel"):
    candidates: list[_Candidate] | None = None
    prompt_feedback: _Feedback | None = None
    usage_metadata: Raw = NULL
    error: Raw = NULL

    def first(self) -> _Candidate | None:
        """What it has of the candidate that is the answer."""
        return next((one for one in self.candidates or () if one.index == 0), None)

    def parts(self) -> list[_Part]:
        first = self.first()
        return (first.content.parts or []) if first is not None and first.content else []

    def text(self) -> str:
        """What it adds to the answer: thoughts are no part of that."""
        return "".join([part.text or "" for part in self.parts() if not part.thought])


_pieces = msgspec.json.Decoder(_Piece)
_usages = msgspec.json.Decoder(_ToldUsage)


class Said(Struct):
    """All that was said.  A stream that has not `ended` was cut off."""

    text: str = ""
    tool_calls: list[FunctionCall] = []
    finish_reason: str | None = None
    blocked: str | None = None
    usage: Usage | None = None
    error: Raw = NULL

    @property
    def ended(self) -> bool:
        return self.finish_reason is not None or self.blocked is not None


def said_in(body: bytes) -> Said:
    """An answer in one piece.  Raises one of UNREADABLE for what is none."""
    return _joined([_pieces.decode(body)])


def folded(body: bytes) -> Said:
    """The whole of a stream.  Raises one of UNREADABLE for a piece that is none."""
    return _joined([_pieces.decode(data) for data in events_in(body)])


def _joined(pieces: list[_Piece]) -> Said:
    said = Said()
    for piece in pieces:
        said.tool_calls += [part.function_call for part in piece.parts() if part.function_call]
        if (first := piece.first()) is not None and first.finish_reason:
            said.finish_reason = first.finish_reason
        if piece.prompt_feedback is not None and piece.prompt_feedback.block_reason:
            said.blocked = piece.prompt_feedback.block_reason
        if piece.error != NULL:
            said.error = piece.error
    said.text = "".join([piece.text() for piece in pieces])
    if said.ended or len(pieces) == 1:
        told = [piece.usage_metadata for piece in pieces if piece.usage_metadata != NULL]
        said.usage = _counted(told[-1]) if told else None
    return said


def _counted(raw: Raw) -> Usage | None:
    """The vendor's usage in disjoint classes; None when it tells none that can be read.

    A figure of nought is left out by the vendor.
    """
    try:
        told = _usages.decode(raw)
    except UNREADABLE:
        return None
    if told.prompt_token_count is None:
        return None
    prompt = told.prompt_token_count + (told.tool_use_prompt_token_count or 0)
    cached = min(told.cached_content_token_count or 0, prompt)
    thoughts = told.thoughts_token_count or 0
    output = max(
        (told.candidates_token_count or 0) + thoughts, (told.total_token_count or 0) - prompt
    )
    return Usage(input=prompt - cached, cache_read=cached, output=output, reasoning=thoughts)


class GeminiDeltas(EventDeltas):
    """See :class:`runtime.dialects.port.Deltas`."""

    def __init__(self) -> None:
        super().__init__()
        self._called = False

    def _delta(self, data: bytes) -> str:
        piece = _pieces.decode(data)
        for part in piece.parts():
            self.written += len((part.text or "").encode("utf-8", "replace"))
            self.written += len(part.function_call.args) if part.function_call else 0
        return piece.text() + self._arguments(piece)

    def _arguments(self, piece: _Piece) -> str:
        """Of the tool whose arguments are the answer: they come whole."""
        for part in piece.parts():
            if self._called or (made := part.function_call) is None or made.name != TOOL:
                continue
            self._called = True
            return bytes(made.args).decode("utf-8", "replace")
        return ""
