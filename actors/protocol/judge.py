"""To the Judge, and its answers."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from actors.base import Command, Down, Message


class Ballot(Struct, frozen=True, gc=False, array_like=True):
    """Candidates to be put before a judge, blind.

    `question` is the conversation, `texts` in voters' order.  `rubric` replaces the criteria;
    `turn` and `reverse` as in :func:`actors.domain.ballots.ballot`.
    """

    question: bytes
    texts: tuple[str, ...]
    seed: int
    rubric: tuple[str, ...] = ()
    turn: int = 0
    reverse: bool = False


class Reading(Struct, frozen=True, gc=False, array_like=True):
    """What a judge has said, and was asked; `repaired` when this is its second try."""

    model: str
    text: str
    labels: tuple[str, ...]
    messages: bytes
    repaired: bool = False


class BuildBallot(Command, frozen=True, gc=False):
    """How is this put before a judge?"""

    ballot: Ballot


class BallotBuilt(Message, frozen=True, gc=False):
    """What to send to the judge.

    `labels[i]` is the label of candidate i; `order` the rotation they are shown in, recorded.
    """

    ticket: str
    messages: bytes
    schema: bytes
    labels: tuple[str, ...]
    order: tuple[int, ...]


class ReadVerdict(Command, frozen=True, gc=False):
    """What did the judge say?"""

    reading: Reading


class Verdict(Message, frozen=True, gc=False):
    """A readable verdict: `choice` is a candidate's index, `tie` or `none`."""

    ticket: str
    choice: int | Literal["tie", "none"]
    reason: str
    margin: Literal["clear", "narrow"] = "clear"


class RepairVerdict(Message, frozen=True, gc=False):
    """It could not be read: ask the same judge once more with these messages."""

    ticket: str
    messages: bytes
    problem: str


class VerdictUnreadable(Message, frozen=True, gc=False):
    """It could not be read after its repair: the next judge, or none."""

    ticket: str
    problem: str


JudgeMessage: TypeAlias = BuildBallot | ReadVerdict | Down
