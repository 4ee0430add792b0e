"""Several models answer at once; one of them writes a single answer out of all of theirs."""

from __future__ import annotations

from collections.abc import Sequence

from actors.domain import prompts
from actors.protocol import Order
from actors.strategies.answering import (
    answer,
    primaries,
    refused,
    remarks,
    response,
    shortfall,
    shown,
    writing,
)
from actors.strategies.judging import by_rule
from actors.strategies.panel import seated_to_fuse
from actors.strategies.plan import Answered, Outcome, Plan, Result, choose
from actors.strategies.voters import Heard, heard

VERSION = "3"


def fuse(order: Order) -> Plan[Result]:
    """Asks every voter once, then a writer who knows of none of them who it is."""
    panel = yield from seated_to_fuse(order)
    voters = yield from heard(order, panel)
    if len(voters.answers) == 1:
        return _result(order, voters, voters.answers[0], codes=("single_answer",))
    fused = yield from _fused(order, voters.answers)
    if isinstance(fused, Answered):
        return _result(order, voters, fused)
    choice, rule = by_rule(voters.answers)
    best = voters.answers[choice]
    lacking = shortfall(fused, shown(order, best.text))
    return _result(order, voters, best, choice, rule, codes=(lacking,))


def _fused(order: Order, answers: Sequence[Answered]) -> Plan[Outcome]:
    """One answer made of several, by the best primary: a voter too may be that."""
    texts = [shown(order, answered.text) for answered in answers]
    messages = prompts.synthesis(order.messages, texts, order.seed, order.schema)
    chosen = yield from choose(primaries(order, "fuse", "planning", messages))
    if not chosen.ranked:
        return refused(chosen)
    return (yield from answer(writing(order, "fuse", messages, chosen.ranked, final=True)))


def _result(
    order: Order,
    voters: Heard,
    best: Answered,
    selected: int | None = None,
    reason: str | None = None,
    *,
    codes: tuple[str, ...] = (),
) -> Result:
    """The answer is `best`: a voter's, the one `selected` for a `reason`, if nobody could fuse."""
    text = shown(order, best.text)
    fields = response(
        order,
        text,
        fused_response=text if selected is None else None,
        responses=[
            {"model": answered.model.id, "content": shown(order, answered.text)}
            for answered in voters.answers
        ],
        model=best.model.id,
        selected=selected,
        reason=reason,
        failed=[{"model": seat.model, "error": seat.error} for seat in voters.failed],
    )
    all_codes = tuple(dict.fromkeys((*codes, *voters.codes)))
    degraded = selected is not None or voters.is_degraded
    routing = "fuse-orchestration"
    return Result(best.model.id, routing, text, fields, remarks(best, *all_codes), degraded)
