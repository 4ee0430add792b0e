"""Several models answer at once; a judge that is none of them picks the best."""

from __future__ import annotations

from typing import Any

from actors.protocol import Order
from actors.strategies.answering import remarks, response, shown
from actors.strategies.judging import Judgement, judged
from actors.strategies.panel import seated
from actors.strategies.plan import Plan, Result
from actors.strategies.voters import Heard, heard

VERSION = "1"


def vote(order: Order) -> Plan[Result]:
    """Asks every voter once, then a judge where there is a choice."""
    panel = yield from seated(order)
    voters = yield from heard(order, panel)
    if len(voters.answers) == 1:
        return _result(
            order, "vote-single-response", voters, Judgement(0, None, False, "the only answer")
        )
    judgement = yield from judged(order, voters.answers, voters.models)
    return _result(order, "vote-orchestration", voters, judgement)


def _result(order: Order, routing: str, voters: Heard, judgement: Judgement) -> Result:
    best = voters.answers[judgement.choice]
    text = shown(order, best.text)
    fields = response(
        order,
        text,
        responses=_responses(order, voters, judgement.choice),
        selected=judgement.choice,
        judge=judgement.judge,
        judge_decided=judgement.decided,
        reason=judgement.reason,
        failed=[{"model": seat.model, "error": seat.error} for seat in voters.failed],
    )
    codes = tuple(dict.fromkeys((*judgement.codes, *voters.codes)))
    degraded = judgement.degraded or voters.is_degraded
    return Result(best.model.id, routing, text, fields, remarks(best, *codes), degraded)


def _responses(order: Order, voters: Heard, selected: int) -> list[dict[str, Any]]:
    return [
        {
            "model": answered.model.id,
            "content": shown(order, answered.text),
            "selected": place == selected,
        }
        for place, answered in enumerate(voters.answers)
    ]
