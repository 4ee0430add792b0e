"""Several models answer at once; a judge that is none of them picks the best.

With `early_stop` the voters decide where more than half of them say the same, and nobody is asked
whose answer could not change that.
"""

from __future__ import annotations

from typing import Any

from actors.protocol import Order
from actors.strategies.agreeing import by_agreement, saved
from actors.strategies.answering import remarks, response, shown
from actors.strategies.judging import Judgement, judged
from actors.strategies.panel import Panel, seated
from actors.strategies.plan import Plan, Result
from actors.strategies.voters import Heard, heard

VERSION = "1"


def vote(order: Order) -> Plan[Result]:
    """Asks every voter once, then a judge where there is a choice."""
    panel = yield from seated(order)
    voters = yield from heard(order, panel, until_agreed=order.early_stop)
    if len(voters.answers) == 1:
        only = Judgement(0, None, False, "the only answer")
        return _result(order, "vote-single-response", voters, only, _saved(order, panel, voters))
    judgement = None
    if order.early_stop:
        judgement = yield from by_agreement(order, voters.answers)
    agreed = judgement is not None
    if judgement is None:
        judgement = yield from judged(order, voters.answers, voters.models)
    savings = _saved(order, panel, voters, agreed=agreed)
    return _result(order, "vote-orchestration", voters, judgement, savings)


def _saved(order: Order, panel: Panel, voters: Heard, *, agreed: bool = False) -> dict[str, Any]:
    """The field that says what `early_stop` came to, where it was asked for."""
    if not order.early_stop:
        return {}
    if not agreed:
        return {"saved": {"calls": 0, "cost_usd": 0.0}}
    judges = panel.finish.candidates[:1] * order.judges if panel.finish else ()
    unasked = [call.candidates[0] for call in voters.unasked]
    return {"saved": saved(voters.answers, unasked, judges)}


def _result(
    order: Order, routing: str, voters: Heard, judgement: Judgement, more: dict[str, Any]
) -> Result:
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
        **judgement.details,
        **more,
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
