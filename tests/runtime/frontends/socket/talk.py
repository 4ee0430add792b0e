"""What clients send, and what they are told, as bytes and as maps."""

from __future__ import annotations

from typing import Any

import msgspec

from runtime.frontends.socket.frames import MAX_FRAME_BYTES, Frames, frame


def said(*messages: Any) -> bytes:
    return b"".join(frame(message, MAX_FRAME_BYTES) for message in messages)


def heard(data: bytes) -> list[Any]:
    frames = Frames(MAX_FRAME_BYTES)
    frames.feed(data)
    found = [msgspec.msgpack.decode(payload) for payload in iter(frames.next, None)]
    assert not len(frames)
    return found


HELLO = {"type": "hello", "version": 1}


def body(prompt: str = "hi", **parts: Any) -> dict[str, Any]:
    return {"request": {"messages": [{"role": "user", "content": prompt}]}, **parts}


def plan(id: Any = 1, **fields: Any) -> dict[str, Any]:
    return {"type": "plan", "id": id, "body": body(), **fields}
