"""Frames, however the stream breaks: a 4-byte big-endian length and one msgpack map."""

from __future__ import annotations

from typing import Any

import msgspec

HEAD = 4
MAX_FRAME_BYTES = 8_388_608

_encode = msgspec.msgpack.Encoder().encode


class FrameTooLong(Exception):
    """The other side announced, or we were about to send, more than a frame may have."""

    def __init__(self, size: int, most: int) -> None:
        super().__init__(f"a frame must have at most {most} bytes, got {size}")


def frame(value: Any, most: int) -> bytes:
    """A message as a frame; raises :class:`FrameTooLong`."""
    payload = _encode(value)
    if len(payload) > most:
        raise FrameTooLong(len(payload), most)
    return len(payload).to_bytes(HEAD, "big") + payload


class Frames:
    """The frames of a stream.  What is kept is less than one of at most `most` bytes, and what came
    with it.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._buffer = bytearray()
        self._at = 0

    def __repr__(self) -> str:
        return f"<Frames: {len(self)} bytes of the next>"

    def __len__(self) -> int:
        """How many bytes wait to become a frame."""
        return len(self._buffer) - self._at

    def feed(self, data: bytes | memoryview) -> None:
        if self._at:
            del self._buffer[: self._at]
            self._at = 0
        self._buffer += data

    def next(self) -> bytes | None:
        """The payload of the next whole frame, or None; raises :class:`FrameTooLong`."""
        start = self._at + HEAD
        if len(self._buffer) < start:
            return None
        size = int.from_bytes(self._buffer[self._at : start], "big")
        if size > self.most:
            raise FrameTooLong(size, self.most)
        if len(self._buffer) < start + size:
            return None
        self._at = start + size
        return bytes(self._buffer[start : self._at])
