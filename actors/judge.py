"""The Judge: builds ballots, reads verdicts, and watches how each judging model does.

It calls no model and has no opinion: where there is no verdict it says so.
"""

from __future__ import annotations

from typing import ClassVar, assert_never

from msgspec import Struct

from actors.base import Actor, Context, Down
from actors.domain import ballots
from actors.protocol import (
    BallotBuilt,
    BuildBallot,
    JudgeMessage,
    ReadVerdict,
    RepairVerdict,
    Verdict,
    VerdictUnreadable,
)


class JudgeRecord(Struct):
    """What became of one model's replies: choices, ties, nones, and those nobody could read."""

    choices: int = 0
    ties: int = 0
    nones: int = 0
    unreadable: int = 0


class Judge(Actor):
    """One per engine; keeps nothing of a run."""

    receives: ClassVar[object] = JudgeMessage

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self.records: dict[str, JudgeRecord] = {}

    def __repr__(self) -> str:
        kept = self.records.values()
        verdicts = sum(one.choices + one.ties + one.nones for one in kept)
        unreadable = sum(one.unreadable for one in kept)
        return f"<Judge: {verdicts} verdicts, {unreadable} unreadable, {len(kept)} models>"

    def receive(self, message: JudgeMessage) -> None:
        match message:
            case BuildBallot():
                self.build(message)
            case ReadVerdict():
                self.read(message)
            case Down():
                """It waits for nobody."""
            case _:
                assert_never(message)

    def build(self, asked: BuildBallot) -> None:
        paper = ballots.ballot(asked.question, asked.texts, asked.seed)
        built = BallotBuilt(asked.ticket, paper.messages, paper.schema, paper.labels, paper.order)
        self.ctx.reply(asked, built)

    def read(self, asked: ReadVerdict) -> None:
        record = self.records.setdefault(asked.model, JudgeRecord())
        try:
            choice, reason = ballots.verdict(asked.text, asked.labels)
        except ballots.Unreadable as error:
            record.unreadable += 1
            self.ctx.reply(asked, _instead(asked, str(error)))
            return
        _count(record, choice)
        self.ctx.reply(asked, Verdict(asked.ticket, choice, reason))


def _instead(asked: ReadVerdict, problem: str) -> RepairVerdict | VerdictUnreadable:
    """One repair, by the same model; after it, nothing."""
    if asked.repaired:
        return VerdictUnreadable(asked.ticket, problem)
    again = ballots.repair(asked.messages, asked.text, asked.labels, problem)
    return RepairVerdict(asked.ticket, again, problem)


def _count(record: JudgeRecord, choice: ballots.Choice) -> None:
    match choice:
        case "tie":
            record.ties += 1
        case "none":
            record.nones += 1
        case _:
            record.choices += 1
