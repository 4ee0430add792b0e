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
    shortfall,
    shown,
    somebody_may,
)
from actors.strategies.criticism import as_text, criticise, critics
from actors.strategies.plan import Answered, Outcome, Plan, Result, Unanswered

VERSION = "1"
ROUNDS = 1


class Exchange(Struct, frozen=True):
    """One critique of a plan, and what became of it; None is what was not reached."""

    critique: str
    critic: str
    refined: Answered | None = None


def adversarial(order: Order) -> Plan[Result]:
    """Has a plan criticised and refined as often as ordered; what fails ends it, not the run."""
    if order.plan_only:
        plan = yield from first_answer(order, "plan", "adversarial", final=True)
        return _plan_only(order, plan)
    critic = yield from _likely_critic(order)
    initial = best = yield from first_answer(order, "plan", "adversarial", avoid=critic)
    exchanges: list[Exchange] = []
    rounds = order.iterations or ROUNDS
    for done in range(rounds):
        outcome = yield from _improved(order, best, exchanges, final=done + 1 == rounds)
        if isinstance(outcome, Unanswered):
            lacking = shortfall(outcome, shown(order, best.text))
            return _result(order, initial, best, exchanges, lacking)
        best = outcome
    return _result(order, initial, best, exchanges, None)


def _likely_critic(order: Order) -> Plan[tuple[str, ...]]:
    """The model that was named as critic or is the only one that may be: another should plan."""
    chosen = yield from somebody_may(critics(order, order.messages))
    if order.review is None and len(chosen.ranked) > 1:
        return ()
    return tuple(candidate.model.id for candidate in chosen.ranked[:1])


def _improved(
    order: Order, plan: Answered, exchanges: list[Exchange], *, final: bool
) -> Plan[Outcome]:
    """One critique and one refinement, noted in `exchanges` as far as they come."""
    critic = yield from criticise(order, plan)
    if isinstance(critic, Unanswered):
        return critic
    exchange = Exchange(as_text(critic.text), critic.model.id)
    exchanges.append(exchange)
    messages = prompts.refinement(order.messages, plan.text, exchange.critique, order.schema)
    outcome = yield from next_answer(order, "adversarial", messages, plan.model.id, final=final)
    if isinstance(outcome, Answered):
        exchanges[-1] = Exchange(exchange.critique, exchange.critic, outcome)
    return outcome


def _plan_only(order: Order, plan: Answered) -> Result:
    text = shown(order, plan.text)
    fields = response(order, text, initial_plan=text)
    return Result(plan.model.id, "adversarial-plan-only", text, fields, remarks(plan))


def _result(
    order: Order,
    initial: Answered,
    best: Answered,
    exchanges: list[Exchange],
    lacking: str | None,
) -> Result:
    text = shown(order, best.text)
    done = sum(exchange.refined is not None for exchange in exchanges)
    fields = response(
        order,
        text,
        initial_plan=shown(order, initial.text),
        critique=exchanges[-1].critique if exchanges else None,
        refined_plan=text if done else None,
        iterations=done,
        rounds=[_round(order, exchange) for exchange in exchanges],
    )
    routing = "adversarial-orchestration"
    return Result(best.model.id, routing, text, fields, remarks(best, lacking), lacking is not None)


def _round(order: Order, exchange: Exchange) -> dict[str, Any]:
    refined = exchange.refined
    return {
        "critique": exchange.critique,
        "refined_plan": shown(order, refined.text) if refined else None,
        "critic": exchange.critic,
        "refiner": refined.model.id if refined else None,
    }
