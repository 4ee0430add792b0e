"""Rows of the journal: what a run was told in one transaction, with a checksum over it.

A row is written for several steps, of one kind of its own.  Rows of older databases hold one step
each, and are of that step's kind.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from actors.protocol import Step

SEVERAL = "several"
COLUMNS = "number, kind, key, length, body, checksum"

_STEPS = msgspec.msgpack.Decoder(tuple[Step, ...])


class Unreadable(Exception):
    """A row is not what it was when it was written."""


class StepsRow(NamedTuple):
    """The columns of `steps` but for the run and the hash of a body that was not kept."""

    number: int
    kind: str
    key: int
    length: int
    body: bytes | None
    checksum: bytes

    def __str__(self) -> str:
        if self.length == 1:
            return f"step {self.number}"
        return f"steps {self.number} to {self.number + self.length - 1}"


def row_of(run: str, steps: Sequence[Step]) -> StepsRow:
    """The row for what `run` was told; one step at least."""
    number, body = steps[0].number, msgspec.msgpack.encode(steps)
    return StepsRow(number, SEVERAL, 0, len(steps), body, _checksum(run, number, SEVERAL, 0, body))


def steps_in(run: str, row: StepsRow) -> tuple[Step, ...]:
    """What the row says.  Raises :class:`Unreadable`."""
    number, kind, key, length, kept, checksum = row
    body = kept or b""
    if _checksum(run, number, kind, key, body) != checksum:
        raise Unreadable(f"the checksum of {row} does not fit")
    if kind != SEVERAL:
        return (msgspec.convert((number, kind, key, body), Step),)
    steps = _STEPS.decode(body)
    if len(steps) != length:
        raise Unreadable(f"{len(steps)} steps are told where {row} should be")
    return steps


def _checksum(run: str, number: int, kind: str, key: int, body: bytes) -> bytes:
    said = msgspec.msgpack.encode((run, number, kind, key, body))
    return hashlib.blake2b(said, digest_size=16).digest()
