"""One model improves its own answer, several times."""

from __future__ import annotations

from collections.abc import Sequence

from actors.domain import prompts
from actors.protocol import Order
from actors.strategies.answering import (
    first_answer,
    next_answer,
    remarks,
    response,
    shortfall,
    shown,
)
from actors.strategies.comparing import (
    Comparison,
    better,
    codes_of,
    likely_judge,
    nobody_compares,
    objection,
    told,
)
from actors.strategies.plan import Answered, Outcome, Plan, Result, Unanswered

VERSION = "1"
ROUNDS = 2


def refine(order: Order) -> Plan[Result]:
    """Asks for an answer, then its author for a better one, as often as ordered."""
    if order.plan_only:
        only = yield from first_answer(order, "answer", "normal", final=True)
        return _result(order, "refine-plan-only", only, only)
    judge = (yield from likely_judge(order)) if order.keep_best else ()
    initial = best = yield from first_answer(order, "answer", "normal", avoid=judge)
    comparisons: list[Comparison] = []
    lacking = None
    done, rounds = 0, order.iterations or ROUNDS
    while done < rounds and not nobody_compares(comparisons):
        final = done + 1 == rounds and not order.keep_best
        outcome = yield from _refined(order, best, objection(comparisons), final=final)
        if isinstance(outcome, Unanswered):
            lacking = shortfall(outcome, shown(order, best.text))
            break
        done += 1
        best = yield from better(order, best, outcome, comparisons)
    return _result(order, "refine-orchestration", initial, best, done, lacking, comparisons)


def _refined(order: Order, best: Answered, rejected: str | None, *, final: bool) -> Plan[Outcome]:
    messages = prompts.improvement(order.messages, best.text, order.schema, rejected)
    return (yield from next_answer(order, "normal", messages, best.model.id, final=final))


def _result(
    order: Order,
    routing: str,
    initial: Answered,
    best: Answered,
    done: int = 0,
    lacking: str | None = None,
    comparisons: Sequence[Comparison] = (),
) -> Result:
    text = shown(order, best.text)
    fields = response(
        order,
        text,
        refined_response=text,
        iterations=done,
        model=best.model.id,
        initial_response=shown(order, initial.text),
        **told(order, comparisons),
    )
    reasons = remarks(best, lacking, *codes_of(comparisons))
    degraded = lacking is not None or any(one.degraded for one in comparisons)
    return Result(best.model.id, routing, text, fields, reasons, degraded)
