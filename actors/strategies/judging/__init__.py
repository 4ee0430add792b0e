"""The judges of a vote: found when they are needed, read or not at all; the rule that stands in.

A judge is no party.  Voters may judge only when no other model lives, or when the user named one
as judge; the result says so.  A judge whose verdict cannot be read, not even repaired, is followed
by the next; where none can be read there is no verdict, and :func:`by_rule` chooses.

To read in this order:

- `asking`: one judge, its verdict, and a second look at it.
- `jury`: who judges, alone or beside others.
- `deciding`: what the verdicts come to.
"""

from __future__ import annotations

from collections.abc import Sequence

from actors.protocol import Order
from actors.strategies.judging.asking import JUDGE_TOKENS as JUDGE_TOKENS
from actors.strategies.judging.asking import Case
from actors.strategies.judging.deciding import Judgement as Judgement
from actors.strategies.judging.deciding import by_rule as by_rule
from actors.strategies.judging.deciding import decide
from actors.strategies.judging.jury import MOST_JUDGES as MOST_JUDGES
from actors.strategies.judging.jury import consulted
from actors.strategies.judging.jury import judges as judges
from actors.strategies.judging.jury import kept_for_judging as kept_for_judging
from actors.strategies.plan import Answered, Note, Plan, note


def judgement_on(
    order: Order, answers: Sequence[Answered], voters: Sequence[str]
) -> Plan[Judgement]:
    """Has judges choose among the answers of `voters`, or the rule where no judge decides.

    Raises when the run is cancelled.
    """
    case = Case(order, tuple(answers))
    said = yield from consulted(case, voters)
    return decide(case, said, voters)


def judged(order: Order, answers: Sequence[Answered], voters: Sequence[str]) -> Plan[Judgement]:
    """The same, and watchers are told of it."""
    judgement = yield from judgement_on(order, answers, voters)
    told = Note(judgement.judge, judgement.choice, judgement.decided, judgement.reason)
    yield from note(told)
    return judgement
