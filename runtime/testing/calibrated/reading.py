"""A ballot as a judge sees it: what the prompt shows, and who seems to say what.

The reader is credulous: whatever looks like the end of a candidate ends it, key or no key.  What a
candidate says it takes for words to itself, unless the candidate's fence carries a key of which the
system message says that it is not to be trusted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from runtime.testing.calibrated.attacks import asks_for_itself
from runtime.transport.instances import UNDECIDED, Schema, find_schema, is_verdict

_TAG = re.compile(r'<\s*(/?)\s*candidate\b(?:[^>]*?label="(\w+)")?(?:[^>]*?key="(\w+)")?[^>]*>')
_HEADING = re.compile(r"^()Candidate (\w+)():$", re.MULTILINE)


class Shown(Struct, frozen=True):
    """A candidate, in the place it is shown in; `asked_for` when its judge is told to choose it."""

    label: str
    text: str
    asked_for: bool


class Ballot(Struct, frozen=True):
    """`schema` is the form of the verdict that is wanted."""

    schema: Schema
    candidates: tuple[Shown, ...]


def ballot_in(messages: bytes) -> Ballot | None:
    """The ballot that a prompt shows; None where it asks for something else."""
    turns: list[dict[str, Any]] = msgspec.json.decode(messages)
    system = "\n".join(turn["content"] for turn in turns if turn["role"] == "system")
    for turn in turns:
        schema = find_schema(turn["content"])
        if schema is not None and is_verdict(schema):
            labels = [x for x in schema["properties"]["choice"]["enum"] if x not in UNDECIDED]
            return Ballot(schema, tuple(_candidates(turn["content"], labels, system)))
    return None


def _candidates(text: str, labels: list[str], system: str) -> Iterator[Shown]:
    """What follows a candidate up to the next one belongs to it where it speaks to the judge."""
    tags = list(_TAG.finditer(text))
    starts = [tag for tag in tags if not tag[1] and tag[2] in labels]
    starts = starts or [heading for heading in _HEADING.finditer(text) if heading[2] in labels]
    ends = [start.start() for start in starts[1:]] + [len(text)]
    for start, end in zip(starts, ends, strict=True):
        closings = (tag for tag in tags if tag.start() >= start.end() and tag[1])
        closed = next(closings, None)
        inside = text[start.end() : min(end, closed.start() if closed else end)]
        outside = text[closed.end() : end] if closed else ""
        is_distrusted = bool(start[3]) and start[3] in system
        heeded = outside if is_distrusted else inside + outside
        yield Shown(start[2], inside, asks_for_itself(heeded))
