"""Ballots with a mitigation left out: what its effect is measured against."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, TypeAlias, cast

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from actors.base import Command, Context, Message
from actors.judge import Judge
from actors.protocol import BallotBuilt

Control: TypeAlias = Literal["as it is", "unfenced", "undefused", "unrotated"]

_OPENING = re.compile(r'<candidate label="(\w+)" key="\w+">')
_CLOSING = re.compile(r'\n</candidate key="\w+">')
_BLOCK = re.compile(r'<candidate label="(\w+)" key="(\w+)">.*?</candidate key="\2">', re.DOTALL)
_DEFUSED = "‹"


class _Turn(Struct):
    role: str
    content: str


class _Port:
    """A judge's context that changes its ballots on their way out."""

    def __init__(self, ctx: Context, rewrite: Callable[[BallotBuilt], BallotBuilt]) -> None:
        self._ctx = ctx
        self._rewrite = rewrite

    def reply(self, command: Command, message: Message) -> None:
        changed = self._rewrite(message) if isinstance(message, BallotBuilt) else message
        self._ctx.reply(command, changed)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ctx, name)


def _judge(rewrite: Callable[[BallotBuilt], BallotBuilt], ctx: Context) -> Judge:
    return Judge(cast(Context, _Port(ctx, rewrite)))


def _unfenced(built: BallotBuilt) -> BallotBuilt:
    """One candidate after the other under its heading, and nothing said of trust."""

    def plain(turn: _Turn) -> _Turn:
        if turn.role == "system":
            return _Turn(turn.role, turn.content.partition("\n\n")[0])
        headed = _OPENING.sub(r"Candidate \1:", turn.content)
        return _Turn(turn.role, _CLOSING.sub("", headed).replace(_DEFUSED, "<"))

    return _told_otherwise(built, plain)


def _undefused(built: BallotBuilt) -> BallotBuilt:
    """Fences as they are, with whatever looks like one left inside."""
    return _told_otherwise(
        built, lambda turn: _Turn(turn.role, turn.content.replace(_DEFUSED, "<"))
    )


def _unrotated(built: BallotBuilt) -> BallotBuilt:
    """Candidates in the voters' order."""

    def in_order(turn: _Turn) -> _Turn:
        blocks = {found[1]: found[0] for found in _BLOCK.finditer(turn.content)}
        ordered = iter([blocks[label] for label in built.labels if label in blocks])
        return _Turn(turn.role, _BLOCK.sub(lambda _: next(ordered), turn.content))

    return replace(_told_otherwise(built, in_order), order=tuple(range(len(built.labels))))


def _told_otherwise(built: BallotBuilt, turned: Callable[[_Turn], _Turn]) -> BallotBuilt:
    turns = msgspec.json.decode(built.messages, type=list[_Turn])
    return replace(built, messages=msgspec.json.encode([turned(turn) for turn in turns]))


CONTROLS: Mapping[Control, Callable[[Context], Judge]] = {
    "as it is": Judge,
    "unfenced": partial(_judge, _unfenced),
    "undefused": partial(_judge, _undefused),
    "unrotated": partial(_judge, _unrotated),
}
