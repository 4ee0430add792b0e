"""The bodies that every front end answers with: of a 200, and of an error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

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
        "calls": [call_entry(call) for call in calls],
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
        body["calls"] = [call_entry(call) for call in calls]
    if partial is not None:
        body["partial"] = partial
    return msgspec.json.encode(body)


def call_entry(call: CallRecord) -> dict[str, Any]:
    """One attempt, as `calls` lists it."""
    return {
        "role": call.role,
        "model": call.model,
        "provider": call.provider,
        "status": call.status,
        "attempt": call.attempt,
        "started_ms": round(call.started_ms, 3),
        "latency_ms": round(call.latency_ms, 3),
        **_tokens(call.usage),
        "cost_usd": usd(call.cost_nano),
        "estimated": call.estimated,
        "clamped": call.clamped,
        "truncated": call.truncated,
        "error": call.error,
    }


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
