"""A stream may break anywhere: the frames are the same."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.frontends.socket.frames import Frames, FrameTooLong, frame

MOST = 1_000

messages = st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=40), max_size=4))


def pieces_of(stream: bytes, cuts: list[int]) -> list[bytes]:
    ends = sorted({cut % (len(stream) + 1) for cut in cuts} | {len(stream)})
    return [stream[a:b] for a, b in zip([0, *ends], ends, strict=False)]


def taken(frames: Frames) -> list[Any]:
    return [msgspec.msgpack.decode(payload) for payload in iter(frames.next, None)]


@given(messages, st.lists(st.integers(0, 10_000), max_size=8))
def test_any_split_gives_the_same_frames(said: list[dict[str, str]], cuts: list[int]) -> None:
    frames = Frames(MOST)
    seen: list[Any] = []
    for piece in pieces_of(b"".join(frame(message, MOST) for message in said), cuts):
        frames.feed(piece)
        seen += taken(frames)
    assert (seen, len(frames)) == (said, 0)


def test_byte_by_byte() -> None:
    frames = Frames(MOST)
    for byte in frame({"a": 1}, MOST):
        assert frames.next() is None
        frames.feed(bytes([byte]))
    assert taken(frames) == [{"a": 1}]


def test_one_that_is_too_long_is_known_by_its_head() -> None:
    """What came before it is taken all the same."""
    frames = Frames(MOST)
    frames.feed(frame({"a": 1}, MOST) + (MOST + 1).to_bytes(4, "big"))
    assert frames.next() is not None
    with pytest.raises(FrameTooLong, match="at most 1000 bytes, got 1001"):
        frames.next()


def test_nor_is_one_sent() -> None:
    exactly = "x" * (MOST - 3)
    assert len(frame(exactly, MOST)) == MOST + 4
    with pytest.raises(FrameTooLong):
        frame(exactly + "x", MOST)


@given(st.lists(st.binary(max_size=200), max_size=10))
def test_no_bytes_keep_more_than_a_frame(received: list[bytes]) -> None:
    frames = Frames(50)
    for data in received:
        frames.feed(data)
        try:
            while frames.next() is not None:
                pass
        except FrameTooLong:
            return
        assert len(frames) < 54
