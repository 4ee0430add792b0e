"""The simulated vendor's answers as streams, in OpenAI's format: a few words at a time."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from runtime.transport.port import HttpResponse

MOST_PIECES = 40
_WORD = re.compile(r"\s*\S+\s*")


def pieces_of(response: HttpResponse) -> list[bytes]:
    """The same answer, event by event; an error stays as it is."""
    if response.status != 200:
        return []
    said = msgspec.json.decode(response.body)
    (choice,) = said["choices"]
    common = {"id": said["id"], "object": "chat.completion.chunk", "model": said["model"]}

    def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
        choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
        return _event({**common, "choices": choices})

    return [
        *(chunk({"content": text}) for text in _split(choice["message"]["content"])),
        chunk({}, choice["finish_reason"])
        + _event({**common, "choices": [], "usage": said["usage"]})
        + b"data: [DONE]\n\n",
    ]


def _split(text: str) -> list[str]:
    words = _WORD.findall(text)
    count = -(-len(words) // MOST_PIECES) or 1
    return ["".join(words[i : i + count]) for i in range(0, len(words), count)]


def _event(data: Any) -> bytes:
    return b"data: " + msgspec.json.encode(data) + b"\n\n"
