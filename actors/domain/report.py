"""The bodies that every front end answers with: of a 200, and of an error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from actors.domain.model import Usage
from actors.domain.money import usd
from actors.errors import BudgetExceeded, PlanError
from actors.protocol import CallRecord, Order, RunCost
from actors.strategies.plan import Result


def result_body(
    order: Order, result: Result, cost: RunCost, calls: Sequence[CallRecord], reasons: Sequence[str]
) -> bytes:
    """The JSON of an answer; `reasons` are the result's and whatever the calls add to them."""
    body: dict[str, Any] = {
        "negotiated_model": result.model,
        "estimated_cost_usd": usd(cost.spent_nano),
        "routing_reason": result.routing_reason,
        "response": msgspec.Raw(result.response),
        "id": order.run,
        "status": "degraded" if result.degraded else "complete",
        "reasons": list(reasons),
        "cost": _cost(cost, calls),
        "usage": _tokens(sum((call.usage for call in calls), Usage())),
        "calls": [_entry(call) for call in calls],
    }
    if order.request_id is not None:
        body["request_id"] = order.request_id
    return msgspec.json.encode(body)


def error_body(
    order: Order, error: PlanError, cost: RunCost, calls: Sequence[CallRecord], partial: str | None
) -> bytes:
    """The JSON of an error; what was done and paid by then is in it."""
    body: dict[str, Any] = {"error": error.text, "code": error.code, "id": order.run}
    if order.request_id is not None:
        body["request_id"] = order.request_id
    if isinstance(error, BudgetExceeded):
        body["cost"] = _cost(cost, calls) | {
            "held_usd": usd(cost.held_nano),
            "needed_usd": usd(cost.needed_nano),
        }
    elif calls:
        body["cost"] = _cost(cost, calls)
    if calls:
        body["calls"] = [_entry(call) for call in calls]
    if partial is not None:
        body["partial"] = partial
    return msgspec.json.encode(body)


class CallEntry(Struct, frozen=True, gc=False):
    """One attempt, as `calls` lists it."""

    role: str
    model: str
    provider: str
    status: str
    attempt: int
    started_ms: float
    latency_ms: float
    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost_usd: float
    estimated: bool
    clamped: bool
    truncated: bool
    error: str | None


def _entry(call: CallRecord) -> CallEntry:
    usage = call.usage
    return CallEntry(
        call.role,
        call.model,
        call.provider,
        call.status,
        call.attempt,
        round(call.started_ms, 3),
        round(call.latency_ms, 3),
        usage.input,
        usage.cache_read,
        usage.cache_write,
        usage.output,
        usage.reasoning,
        usd(call.cost_nano),
        call.estimated,
        call.clamped,
        call.truncated,
        call.error,
    )


def _cost(cost: RunCost, calls: Sequence[CallRecord]) -> dict[str, Any]:
    return {
        "spent_usd": usd(cost.spent_nano),
        "limit_usd": None if cost.limit_nano is None else usd(cost.limit_nano),
        "estimated": cost.estimated,
        "calls": len(calls),
    }


def _tokens(usage: Usage) -> dict[str, int]:
    return {
        "input_tokens": usage.input,
        "cache_read_tokens": usage.cache_read,
        "cache_write_tokens": usage.cache_write,
        "output_tokens": usage.output,
        "reasoning_tokens": usage.reasoning,
    }
