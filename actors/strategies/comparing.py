"""Keep-best: a new answer takes the place of the one before only when it is not worse.

A judge compares the two, blind.  A tie is not worse; without a verdict nobody knows, and what is
there stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from actors.domain.text import tidied, visible
from actors.protocol import Order
from actors.strategies.answering import set_aside
from actors.strategies.judging import by_rule, judgement_on, judges
from actors.strategies.plan import Answered, Note, Plan, note

OLD, NEW = 0, 1
"""The two answers' places, as the judge's reason names them."""


class Comparison(Struct, frozen=True, gc=False):
    """What came of comparing a new answer with the best so far; the rest as in a Judgement."""

    replaced: bool
    judge: str | None
    decided: bool
    reason: str
    codes: tuple[str, ...] = ()
    degraded: bool = False
    details: dict[str, Any] = {}

    @property
    def objection(self) -> str | None:
        """Why the new answer was not taken, in words for its author."""
        if self.replaced:
            return None
        named = self.reason.replace(f"responses[{OLD}]", "the answer above")
        return named.replace(f"responses[{NEW}]", "the attempt")

    @property
    def shown(self) -> dict[str, Any]:
        """As the response tells it."""
        return {
            "replaced": self.replaced,
            "judge": self.judge,
            "judge_decided": self.decided,
            "reason": self.reason,
            **self.details,
        }


def likely_judge(order: Order) -> Plan[tuple[str, ...]]:
    """Who should not write, because he will be needed to compare."""
    return (yield from set_aside(order, judges(order, order.messages)))


def better(
    order: Order, best: Answered, newer: Answered, comparisons: list[Comparison]
) -> Plan[Answered]:
    """The one to go on with: the newer, or with `keep_best` as a comparison says, noted there.

    Raises when the run is cancelled.
    """
    if not order.keep_best:
        return newer
    comparison = yield from _compared(order, best, newer)
    comparisons.append(comparison)
    return newer if comparison.replaced else best


def objection(comparisons: Sequence[Comparison]) -> str | None:
    """What is to be said to an author whose last attempt was not taken."""
    return comparisons[-1].objection if comparisons else None


def nobody_compares(comparisons: Sequence[Comparison]) -> bool:
    """Whether there is no use in another attempt: it could not replace anything."""
    return bool(comparisons) and "judge_failed" in comparisons[-1].codes


def codes_of(comparisons: Sequence[Comparison]) -> tuple[str, ...]:
    """What was unusual about them, each once."""
    return tuple(dict.fromkeys(code for one in comparisons for code in one.codes))


def told(order: Order, comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """What a response says of them, where they were ordered: one for each refinement made."""
    return {"comparisons": [one.shown for one in comparisons]} if order.keep_best else {}


def _compared(order: Order, best: Answered, newer: Answered) -> Plan[Comparison]:
    if _plain(best) == _plain(newer):
        return Comparison(True, None, False, "both say the same")
    answers = (best, newer)
    authors = tuple(dict.fromkeys(answered.model.id for answered in answers))
    judgement = yield from judgement_on(order, answers, authors)
    tie = "judge_tie" in judgement.codes
    comparison = Comparison(
        judgement.choice == NEW if judgement.decided else tie,
        judgement.judge,
        judgement.decided,
        judgement.reason.removesuffix(f"; {by_rule(answers)[1]}"),
        tuple(code for code in judgement.codes if code != "judge_tie"),
        judgement.degraded,
        judgement.details,
    )
    place = NEW if comparison.replaced else OLD
    yield from note(Note(comparison.judge, place, comparison.decided, comparison.reason))
    return comparison


def _plain(answered: Answered) -> str:
    return tidied(visible(answered.text))
