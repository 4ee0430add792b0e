"""OpenAI's chat completions as a stream of chunks, which ends in `[DONE]`.

The text is the first choice's, or the arguments of the tool that takes answers.  Usage comes in a
chunk of its own before the end, for who asked for it; some servers tell it in every chunk, so that
the last counts.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from runtime.dialects.deltas import EventDeltas
from runtime.dialects.ladder import TOOL
from runtime.dialects.sse import events_in

END = b"[DONE]"
NULL = Raw(b"null")


class _Part(Struct):
    type: str = ""
    text: str | None = None


class Function(Struct):
    name: str | None = None
    arguments: str | dict[str, Any] | None = None

    @property
    def text(self) -> str:
        """Its arguments as JSON; some servers send them as they are."""
        if isinstance(self.arguments, dict):
            return msgspec.json.encode(self.arguments).decode()
        return self.arguments or ""


class ToolCall(Struct):
    """A call of a tool, or a piece of one: its name comes with the first."""

    index: int | None = None
    function: Function | None = None


class _Delta(Struct):
    content: str | list[_Part] | None = None
    refusal: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[ToolCall] | None = None
    function_call: Raw | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return "".join(part.text or "" for part in self.content if part.type in ("text", ""))
        return self.content or ""


class _Choice(Struct):
    index: int = 0
    delta: _Delta | None = None
    finish_reason: str | None = None


class _Chunk(Struct):
    choices: list[_Choice] | None = None
    usage: Raw = NULL
    error: Raw = NULL

    def first(self) -> _Choice | None:
        """What it has of the choice that is the answer."""
        return next((choice for choice in self.choices or () if choice.index == 0), None)


_chunks = msgspec.json.Decoder(_Chunk)


class Arguments:
    """Of the tool whose arguments are the answer, piece by piece."""

    def __init__(self) -> None:
        self._index: int | None = None

    def feed(self, calls: list[ToolCall] | None) -> str | None:
        """What these pieces add to them; None when they are of other tools."""
        added = None
        for call in calls or ():
            if (function := call.function) is None:
                continue
            if function.name == TOOL and self._index is None:
                self._index = call.index or 0
            if (call.index or 0) == self._index and function.name in (TOOL, None, ""):
                added = (added or "") + function.text
        return added


class Streamed(Struct):
    """All that a stream said.  Without `ended` it was cut off, wherever it was by then.

    `arguments` are those of the tool that takes answers, None when it was not called.
    """

    text: str = ""
    refusal: str = ""
    tool_calls: bool = False
    arguments: str | None = None
    finish_reason: str | None = None
    usage: Raw = NULL
    error: Raw = NULL
    ended: bool = False


def folded(body: bytes) -> Streamed:
    """The whole of a stream.  Raises one of UNREADABLE for a chunk that is none."""
    said = Streamed()
    texts: list[str] = []
    arguments = Arguments()
    for data in events_in(body):
        if data.strip() == END:
            said.ended = True
            break
        _fold(said, texts, arguments, _chunks.decode(data))
    said.text = "".join(texts)
    return said


def _fold(said: Streamed, texts: list[str], arguments: Arguments, chunk: _Chunk) -> None:
    if chunk.usage != NULL:
        said.usage = chunk.usage
    if chunk.error != NULL:
        said.error = chunk.error
    if (choice := chunk.first()) is None:
        return
    said.finish_reason = choice.finish_reason or said.finish_reason
    if (delta := choice.delta) is not None:
        texts.append(delta.text)
        said.refusal += delta.refusal or ""
        said.tool_calls = said.tool_calls or bool(delta.tool_calls or delta.function_call)
        if (added := arguments.feed(delta.tool_calls)) is not None:
            said.arguments = (said.arguments or "") + added


class OpenAIDeltas(EventDeltas):
    """See :class:`runtime.dialects.port.Deltas`."""

    def __init__(self) -> None:
        super().__init__()
        self._arguments = Arguments()

    def _delta(self, data: bytes) -> str:
        choice = _chunks.decode(data).first()
        if choice is None or (delta := choice.delta) is None:
            return ""
        hidden = delta.reasoning_content or delta.reasoning or delta.refusal or ""
        text = delta.text + (self._arguments.feed(delta.tool_calls) or "")
        self.written += len(f"{text}{hidden}".encode("utf-8", "replace"))
        return text
