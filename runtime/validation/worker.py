"""The worker process: frames of a schema and an instance in, the problems out.

A frame is a 4-byte big-endian length and as much msgpack.  The first frame out is empty and says
that everything is imported.  It ends when its standard input does.
"""

from __future__ import annotations

import sys
from typing import BinaryIO

import msgspec

HEADER_BYTES = 4


def main() -> None:
    from actors.domain.schema import problems

    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    _write(answers, [])
    while (frame := _read(requests)) is not None:
        schema, instance = msgspec.msgpack.decode(frame, type=tuple[bytes, bytes])
        _write(answers, problems(schema, instance))


def _read(stream: BinaryIO) -> bytes | None:
    header = stream.read(HEADER_BYTES)
    if len(header) < HEADER_BYTES:
        return None
    return stream.read(int.from_bytes(header, "big"))


def _write(stream: BinaryIO, found: object) -> None:
    body = msgspec.msgpack.encode(found)
    stream.write(len(body).to_bytes(HEADER_BYTES, "big") + body)
    stream.flush()
