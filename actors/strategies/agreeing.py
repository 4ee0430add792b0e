"""What the voters agree on: where most of them say the same, no judge is needed."""

from __future__ import annotations

from collections.abc import Sequence

from actors.domain.agreement import ballot, common
from actors.domain.model import Usage
from actors.domain.money import usd
from actors.domain.pricing import cost_nano
from actors.protocol import Candidate, Order
from actors.strategies.judging import Judgement
from actors.strategies.plan import Answered, Note, Plan, note

VERDICT_TOKENS = 256
"""What a verdict takes at least, when it is said what none of it has saved."""


def agreed(order: Order, answers: Sequence[Answered], voters: int) -> int | None:
    """The first of the answers on which more than half of so many voters agree, if any do."""
    return common([ballot(answered.text, order.schema) for answered in answers], voters)


def by_agreement(order: Order, answers: Sequence[Answered]) -> Plan[Judgement | None]:
    """The answer that most of these voters gave, where there is one; watchers are told."""
    choice = agreed(order, answers, len(answers))
    if choice is None:
        return None
    said = [ballot(answered.text, order.schema) for answered in answers]
    times = said.count(said[choice])
    reason = f"{times} of {len(said)} voters agree; no judge was needed"
    yield from note(Note(None, choice, False, reason))
    return Judgement(choice, None, False, reason)


def saved(
    answers: Sequence[Answered],
    unasked: Sequence[Candidate],
    judges: Sequence[Candidate],
) -> dict[str, float]:
    """What it would have cost to ask these voters and judges too.

    An estimate: a voter would have used what the others did on the mean, a judge would have read
    all of it.
    """
    total = sum((answered.usage for answered in answers), Usage())
    sent = (total.input + total.cache_read + total.cache_write) // len(answers)
    said = total.output // len(answers)
    voter = Usage(input=sent, output=said)
    read = Usage(input=sent + said * (len(answers) + len(unasked)), output=VERDICT_TOKENS)
    nano = sum(_cost(candidate, voter) for candidate in unasked)
    nano += sum(_cost(candidate, read) for candidate in judges)
    return {"calls": len(unasked) + len(judges), "cost_usd": usd(nano)}


def _cost(candidate: Candidate, usage: Usage) -> int:
    price = candidate.model.price
    return 0 if price is None else cost_nano(usage, price)
