"""OpenAI's chat completions as a stream of chunks, which ends in `[DONE]`.

The text is the first choice's.  Usage comes in a chunk of its own before the end, for who asked for
it; some servers tell it in every chunk, so that the last counts.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from runtime.dialects.errors import UNREADABLE
from runtime.dialects.sse import EventReader, events_in

END = b"[DONE]"
NULL = Raw(b"null")


class _Part(Struct):
    type: str = ""
    text: str | None = None


class _Delta(Struct):
    content: str | list[_Part] | None = None
    refusal: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[Raw] | None = None
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


class Streamed(Struct):
    """All that a stream said.  Without `ended` it was cut off, wherever it was by then."""

    text: str = ""
    refusal: str = ""
    tool_calls: bool = False
    finish_reason: str | None = None
    usage: Raw = NULL
    error: Raw = NULL
    ended: bool = False


def folded(body: bytes) -> Streamed:
    """The whole of a stream.  Raises one of UNREADABLE for a chunk that is none."""
    said = Streamed()
    texts: list[str] = []
    for data in events_in(body):
        if data.strip() == END:
            said.ended = True
            break
        _fold(said, texts, _chunks.decode(data))
    said.text = "".join(texts)
    return said


def _fold(said: Streamed, texts: list[str], chunk: _Chunk) -> None:
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


class OpenAIDeltas:
    """See :class:`runtime.dialects.port.Deltas`."""

    def __init__(self) -> None:
        self._events = EventReader()
        self.is_stream = False
        self.written = 0

    def feed(self, piece: bytes) -> str:
        return "".join(map(self._delta, self._events.feed(piece)))

    def _delta(self, data: bytes) -> str:
        """What cannot be read is for the end to complain of, when the whole is read."""
        self.is_stream = True
        try:
            choice = _chunks.decode(data).first()
        except UNREADABLE:
            return ""
        if choice is None or (delta := choice.delta) is None:
            return ""
        hidden = delta.reasoning_content or delta.reasoning or delta.refusal or ""
        self.written += len(f"{delta.text}{hidden}".encode("utf-8", "replace"))
        return delta.text
