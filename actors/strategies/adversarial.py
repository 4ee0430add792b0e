"""Plan, critique, refine: one model writes, another attacks, the first improves."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from actors.domain import prompts
from actors.protocol import Order
from actors.strategies.answering import (
    first_answer,
    next_answer,
    remarks,
    response,
    set_aside,
    shortfall,
    shown,
)
from actors.strategies.comparing import (
    Comparison,
    better,
    codes_of,
    nobody_compares,
    objection,
    told,
)
from actors.strategies.criticism import as_text, criticise, critics, is_settled
from actors.strategies.plan import Answered, Outcome, Plan, Result, Unanswered

VERSION = "1"
ROUNDS = 1


class Exchange(Struct, frozen=True, gc=False):
    """One critique of a plan, and what became of it; None is what was not reached."""

    critic: Answered
    refined: Answered | None = None

    @property
    def critique(self) -> str:
        return as_text(self.critic.text)


class Debate(Struct):
    """A plan's way: the first, the best so far, and what was said and done in between."""

    initial: Answered
    best: Answered
    exchanges: list[Exchange] = []
    comparisons: list[Comparison] = []
    converged: bool = False
    lacking: str | None = None

    @property
    def done(self) -> int:
        return sum(exchange.refined is not None for exchange in self.exchanges)

    @property
    def over(self) -> bool:
        ended = self.converged or self.lacking is not None
        return ended or nobody_compares(self.comparisons)


def adversarial(order: Order) -> Plan[Result]:
    """Has a plan criticised and refined as often as ordered; what fails ends it, not the run."""
    if order.plan_only:
        plan = yield from first_answer(order, "plan", "adversarial", final=True)
        return _plan_only(order, plan)
    critic = yield from set_aside(order, critics(order, order.messages))
    plan = yield from first_answer(order, "plan", "adversarial", avoid=critic)
    debate = Debate(plan, plan)
    rounds = order.iterations or ROUNDS
    while debate.done < rounds and not debate.over:
        final = debate.done + 1 == rounds and not order.keep_best
        outcome = yield from _improved(order, debate, final=final)
        if isinstance(outcome, Unanswered):
            debate.lacking = shortfall(outcome, shown(order, debate.best.text))
    return _result(order, debate)


def _improved(order: Order, debate: Debate, *, final: bool) -> Plan[Outcome]:
    """One critique and one refinement, noted as far as they come."""
    critic = yield from _criticised(order, debate)
    if isinstance(critic, Unanswered):
        return critic
    exchange = Exchange(critic)
    debate.exchanges.append(exchange)
    if order.stop == "converged" and is_settled(critic):
        debate.converged = True
        return critic
    plan, rejected = debate.best, objection(debate.comparisons)
    messages = prompts.refinement(
        order.messages, plan.text, exchange.critique, order.schema, rejected
    )
    outcome = yield from next_answer(order, "adversarial", messages, plan.model.id, final=final)
    if isinstance(outcome, Answered):
        debate.exchanges[-1] = Exchange(critic, outcome)
        debate.best = yield from better(order, plan, outcome, debate.comparisons)
    return outcome


def _criticised(order: Order, debate: Debate) -> Plan[Outcome]:
    """A critique of the best plan; one that stayed because its refinement was worse has had it."""
    if not debate.exchanges:
        return (yield from criticise(order, debate.best))
    last = debate.exchanges[-1]
    if debate.best is not last.refined:
        return last.critic
    earlier = last.critique if order.stop == "converged" else None
    return (yield from criticise(order, debate.best, earlier))


def _plan_only(order: Order, plan: Answered) -> Result:
    text = shown(order, plan.text)
    fields = response(order, text, initial_plan=text)
    return Result(plan.model.id, "adversarial-plan-only", text, fields, remarks(plan))


def _result(order: Order, debate: Debate) -> Result:
    best, exchanges, comparisons = debate.best, debate.exchanges, debate.comparisons
    text = shown(order, best.text)
    fields = response(
        order,
        text,
        initial_plan=shown(order, debate.initial.text),
        critique=exchanges[-1].critique if exchanges else None,
        refined_plan=text if debate.done else None,
        iterations=debate.done,
        rounds=[_round(order, exchange) for exchange in exchanges],
        **({"converged": debate.converged} if order.stop == "converged" else {}),
        **told(order, comparisons),
    )
    reasons = remarks(best, debate.lacking, *codes_of(comparisons))
    degraded = debate.lacking is not None or any(one.degraded for one in comparisons)
    return Result(best.model.id, "adversarial-orchestration", text, fields, reasons, degraded)


def _round(order: Order, exchange: Exchange) -> dict[str, Any]:
    refined = exchange.refined
    return {
        "critique": exchange.critique,
        "refined_plan": shown(order, refined.text) if refined else None,
        "critic": exchange.critic.model.id,
        "refiner": refined.model.id if refined else None,
    }
