"""Several models answer at once; a judge that is none of them picks the best.

With `early_stop` the voters decide where more than half of them say the same, and nobody is asked
whose answer could not change that.  With `decide` as `majority` they decide field by field.
"""

from __future__ import annotations

from typing import Any

from actors.protocol import Order
from actors.strategies.agreeing import by_agreement, saved
from actors.strategies.answering import remarks, response, shown
from actors.strategies.judging import Judgement, judged
from actors.strategies.majority import counted
from actors.strategies.panel import Panel, seated
from actors.strategies.plan import Plan, Result
from actors.strategies.voters import Heard, heard

VERSION = "3"


def vote(order: Order) -> Plan[Result]:
    """Asks every voter once, then a judge where there is a choice."""
    panel = yield from seated(order)
    voters = yield from heard(order, panel, until_agreed=order.early_stop)
    if len(voters.answers) == 1:
        only = Judgement(0, None, False, "the only answer")
        return _result(order, "vote-single-response", voters, only, _saved(order, panel, voters))
    judgement, text = None, None
    if order.early_stop:
        judgement = yield from by_agreement(order, voters.answers)
    more = _saved(order, panel, voters, agreed=judgement is not None)
    if judgement is None and order.decide == "majority":
        judgement, text = yield from counted(order, voters.answers)
        more |= {} if text is None else {"assembled": text}
    elif judgement is None:
        judgement = yield from judged(order, voters.answers, voters.models)
    return _result(order, "vote-orchestration", voters, judgement, more, text)


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
    order: Order,
    routing: str,
    voters: Heard,
    judgement: Judgement,
    more: dict[str, Any],
    text: str | None = None,
) -> Result:
    """The answer is the chosen voter's, or a `text` that none of them wrote as a whole."""
    best = voters.answers[judgement.choice]
    text = shown(order, best.text) if text is None else text
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
