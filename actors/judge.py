"""The Judge: builds ballots and reads verdicts.

It calls no model and has no opinion: where there is no verdict it says so.  How each judging model
does is counted with the runs that asked it (:class:`~actors.protocol.JudgeVerdict`).
"""

from __future__ import annotations

from typing import ClassVar

from actors.base import Actor, Context, Down
from actors.dispatch import handles
from actors.domain import ballots
from actors.protocol import (
    BuildBallot,
    JudgeMessage,
    ReadVerdict,
    RepairVerdict,
    Verdict,
    VerdictUnreadable,
)


class Judge(Actor):
    """One per engine; keeps nothing of a run."""

    receives: ClassVar[object] = JudgeMessage

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._built = 0
        self._read = 0
        self._unreadable = 0

    def __repr__(self) -> str:
        return (
            f"<Judge: {self._built} ballots, {self._read} verdicts, {self._unreadable} unreadable>"
        )

    @handles
    def build(self, asked: BuildBallot) -> None:
        self._built += 1
        self.ctx.reply(asked, ballots.built(asked.ballot, asked.ticket))

    @handles
    def read(self, asked: ReadVerdict) -> None:
        reading = asked.reading
        try:
            said = ballots.verdict(reading.text, reading.labels)
        except ballots.Unreadable as error:
            self._unreadable += 1
            self.ctx.reply(asked, _instead(asked, str(error)))
            return
        self._read += 1
        self.ctx.reply(asked, Verdict(asked.ticket, said.choice, said.reason, said.margin))

    @handles
    def down(self, _: Down) -> None:
        """It waits for nobody."""


def _instead(asked: ReadVerdict, problem: str) -> RepairVerdict | VerdictUnreadable:
    """One repair, by the same model; after it, nothing."""
    reading = asked.reading
    if reading.repaired:
        return VerdictUnreadable(asked.ticket, problem)
    again = ballots.repair(reading.messages, reading.text, reading.labels, problem)
    return RepairVerdict(asked.ticket, again, problem)
