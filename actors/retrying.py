"""What follows when a call could not be made: again, with another candidate, or no more.

What is to be done after which failure is :mod:`actors.domain.retry`; here it meets the run: the
time it has left, and the attempts that all of its calls have left together.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from actors.attempt import Attempt, Wanted
from actors.base import Context, Message
from actors.domain import retry
from actors.domain.admission import quote
from actors.domain.model import Model
from actors.domain.retry import Again, Next
from actors.domain.selection import escalation
from actors.protocol import CallErrorKind, Candidate

RETRY_ALLOWANCE = 12
"""Attempts beyond the first of each call, for all calls of a run together."""

Decision: TypeAlias = Again | Next | Literal["deadline", "failed"]


class RetryDue(Message, frozen=True, gc=False):
    """The wait before a call's next attempt is over."""

    key: int


class Retrying:
    """Of one run; `left` is what is left of its allowance."""

    def __init__(self, ctx: Context, deadline: float) -> None:
        self._ctx = ctx
        self._deadline = deadline
        self.left = RETRY_ALLOWANCE

    def decide(
        self, wanted: Wanted, kind: CallErrorKind, retry_after_s: float | None, *, paid: bool
    ) -> Decision:
        """After this failure at the candidate in front; `paid` says that the run has cost money.

        What goes on takes one from the allowance.
        """
        left_s = self._deadline - self._ctx.now()
        if left_s <= 0:
            return "deadline"
        if kind == "context_overflow":
            failed = wanted.ahead[0]
            wanted.ahead = [failed, *escalation(wanted.ahead[1:], failed.model)]
        if kind == "overloaded" and paid:
            kind = "unavailable"  # what was paid for is worth a wait
        decision = retry.decide(
            kind,
            tries=wanted.tries,
            others=len(wanted.ahead) > 1,
            left_s=left_s,
            draw=self._ctx.random(),
            retry_after_s=retry_after_s,
        )
        if self.left == 0 or isinstance(decision, retry.NoMore):
            return "failed"
        self.left -= 1
        return decision


def remember(
    wanted: Wanted, attempt: Attempt, kind: CallErrorKind, detail: str, retry_after_s: float | None
) -> None:
    """This attempt has failed; a model that has failed as a hedge is not asked again."""
    wanted.failures.append((attempt.model.id, f"{kind}: {detail}"))
    wanted.turned_away += kind == "overloaded"
    if attempt.hedges:
        first, *others = wanted.ahead
        wanted.ahead = [first, *(c for c in others if c.model.id != attempt.model.id)]
    else:
        wanted.failed = kind, retry_after_s


def cheaper(wanted: Wanted, model: Model) -> list[Candidate]:
    """Those behind the candidate in front that could do with less money than this model."""
    cost = quote(wanted.call, model, wanted.cap).least_nano
    return [
        candidate
        for candidate in wanted.ahead[1:]
        if quote(wanted.call, candidate.model, wanted.cap).least_nano < cost
    ]
