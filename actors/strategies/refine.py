"""One model improves its own answer, several times."""

from __future__ import annotations

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
from actors.strategies.plan import Answered, Plan, Result, Unanswered

VERSION = "1"
ROUNDS = 2


def refine(order: Order) -> Plan[Result]:
    """Asks for an answer, then its author for a better one, as often as ordered."""
    initial = best = yield from first_answer(order, "answer", "normal", final=order.plan_only)
    if order.plan_only:
        return _result(order, "refine-plan-only", initial, best, 0, None)
    lacking = None
    rounds = order.iterations or ROUNDS
    for done in range(rounds):
        messages = prompts.improvement(order.messages, best.text, order.schema)
        outcome = yield from next_answer(
            order, "normal", messages, best.model.id, final=done + 1 == rounds
        )
        if isinstance(outcome, Unanswered):
            rounds, lacking = done, shortfall(outcome, shown(order, best.text))
            break
        best = outcome
    return _result(order, "refine-orchestration", initial, best, rounds, lacking)


def _result(
    order: Order, routing: str, initial: Answered, best: Answered, done: int, lacking: str | None
) -> Result:
    text = shown(order, best.text)
    fields = response(
        order,
        text,
        refined_response=text,
        iterations=done,
        model=best.model.id,
        initial_response=shown(order, initial.text),
    )
    return Result(best.model.id, routing, text, fields, remarks(best, lacking), lacking is not None)
