"""The rules for enough, as functions over the branches that have ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from actors.domain.text import normalised
from actors.strategies.plan import (
    Agreement,
    AllIn,
    Answered,
    Enough,
    FirstAnswer,
    Quorum,
    Unanswered,
)


def is_enough(rule: Enough, ended: Sequence[object], branches: int) -> bool:
    """May a round of so many branches close, with these results?  Once all have ended, always."""
    if len(ended) >= branches:
        return True
    answered = [result for result in ended if answers(result)]
    match rule:
        case AllIn():
            return False
        case FirstAnswer():
            return bool(answered)
        case Quorum(k):
            return len(answered) >= k
        case Agreement(k):
            return max(Counter(map(_ballot, answered)).values(), default=0) >= k


def answers(result: object) -> bool:
    """Is this what a branch was wanted for?"""
    return not isinstance(result, Unanswered)


def _ballot(answer: object) -> str:
    return normalised(answer.text if isinstance(answer, Answered) else str(answer))
