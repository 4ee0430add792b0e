"""Dry runs: what an order would come to, with models and budgets as they stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Sequence
from typing import Any

from actors.domain.money import usd
from actors.forecast import Course, Forecast, Imagined, Variant, forecast
from actors.protocol import Account, Candidate, ModelState, Order, Refusal
from actors.strategies.plan import Result
from runtime.frontends.wire.dry_runs import (
    DryCalls,
    DryCost,
    DryModel,
    DryRefusal,
    DryRefused,
    DryRun,
    DryTime,
    DryVariant,
)


def foretold(order: Order, states: Sequence[ModelState], accounts: Sequence[Account]) -> DryRun:
    """Takes milliseconds, so not for the engine's thread.  Raises Internal."""
    return shown(forecast(order, states, _free_nano(order, accounts)))


def _free_nano(order: Order, accounts: Sequence[Account]) -> int | None:
    """What the budgets leave for a run; None without any."""
    of_key = f"key:{order.key}"
    left = {of_key: order.key_limit_nano, "run": order.limit_nano}
    for account in accounts:
        if account.owner in (of_key, "installation"):
            left[account.owner] = account.left_nano
    return min((nano for nano in left.values() if nano is not None), default=None)


def shown(told: Forecast) -> DryRun:
    """A forecast as it is shown."""
    refused = told.refused
    return DryRun(
        mode=told.order.mode,
        fits=refused is None,
        refused=None if refused is None else DryRefused(code=refused.code, error=refused.text),
        reasons=list(end.reasons) if isinstance(end := told.within.end, Result) else [],
        calls=_calls(told),
        cost=_cost(told),
        time_ms=_time(told),
        nearest=_variant(told.order, told.nearest),
        cheapest=_variant(told.order, told.cheapest),
    )


def _cost(told: Forecast) -> DryCost:
    return DryCost(
        least_usd=_usd(told.least.cost_nano),
        expected_usd=_usd(told.expected.cost_nano),
        most_usd=_usd(told.most.cost_nano),
        limit_usd=_usd(told.order.limit_nano),
        free_usd=_usd(told.free_nano),
        needed_usd=usd(told.expected.demand.least_nano),
        shortened=told.is_shortened,
    )


def _time(told: Forecast) -> DryTime:
    limit = told.order.latency_s * 1000
    return DryTime(
        least=round(told.least.took_ms),
        expected=round(told.expected.took_ms),
        most=round(min(told.most.took_ms, limit)),
        limit=limit,
        guessed=not told.expected.is_timed,
    )


def _usd(nano: int | None) -> float | None:
    return None if nano is None else usd(nano)


# --- calls ------------------------------------------------------------------------------------

_Group = tuple[str, int]
"""A role, and the how many-th group of calls of that role it is."""


def _calls(told: Forecast) -> list[DryCalls]:
    """Those that are expected, and those that are made at most, in the order of the latter."""
    least, expected, most = (_groups(c) for c in (told.least, told.expected, told.most))
    known = sorted({**expected, **most}.items(), key=lambda item: item[1][0].stage)
    refused = told.within.refused
    return [
        _together(
            least.get(name, []),
            expected.get(name, []),
            most.get(name, []),
            refused.get(group[0].call.role, ()),
        )
        for name, group in known
    ]


def _groups(course: Course) -> dict[_Group, list[Imagined]]:
    stages: dict[tuple[str, int], list[Imagined]] = {}
    for call in course.calls:
        stages.setdefault((call.call.role, call.stage), []).append(call)
    groups: dict[_Group, list[Imagined]] = {}
    for (role, _), calls in stages.items():
        number = sum(name == role for name, _ in groups)
        groups[role, number] = calls
    return groups


def _together(
    least: Sequence[Imagined],
    expected: Sequence[Imagined],
    most: Sequence[Imagined],
    refused: Sequence[Refusal],
) -> DryCalls:
    shown = expected or most
    first = shown[0]
    begun = min(call.started_ms for call in shown)
    ended = max(call.started_ms + call.latency_ms for call in shown)
    return DryCalls(
        stage=(most or expected)[0].stage,
        role=first.call.role,
        count=len(expected),
        least_count=min(len(least), len(expected)),
        most_count=max(len(most), len(expected)),
        models=_models(shown, {refusal.model for refusal in refused}),
        refused=[DryRefusal(model=r.model, code=r.code, why=r.why) for r in refused],
        least_usd=_sum(least),
        expected_usd=_sum(expected),
        most_usd=_sum(most),
        started_ms=round(begun),
        latency_ms=round(ended - begun),
    )


def _models(calls: Sequence[Imagined], refused: Container[str]) -> list[DryModel]:
    """Who is asked, and who may step in: nobody that is refused."""
    known = {c.model.id: c for call in calls for c in (*call.ranked, *call.call.candidates)}
    asked = Counter(call.asked.model.id for call in calls)
    return [
        _model(candidate, asked[id])
        for id, candidate in known.items()
        if asked[id] or id not in refused
    ]


def _model(candidate: Candidate, asked: int) -> DryModel:
    return DryModel(
        model=candidate.model.id,
        provider=candidate.model.provider,
        weight=candidate.model.weight,
        asked=asked,
        named=candidate.explicit,
        why=candidate.why,
        latency_ms=candidate.expected_ms,
    )


def _sum(calls: Sequence[Imagined]) -> float | None:
    costs = [call.cost_nano for call in calls]
    return None if None in costs else usd(sum(cost or 0 for cost in costs))


# --- variants ---------------------------------------------------------------------------------

_PLACES = {
    "profile": ("policy", "profile"),
    "primary": ("orchestration", "primary_model_id"),
    "review": ("orchestration", "review_model_id"),
    "voter_models": ("orchestration", "voter_model_ids"),
}
"""Where a field of an order is in a request, unless it is an option of `orchestration`."""


def _variant(order: Order, variant: Variant | None) -> DryVariant | None:
    if variant is None:
        return None
    course = variant.expected
    return DryVariant(
        changes=_changes(order, variant.changes),
        calls=len(course.calls),
        expected_usd=_usd(course.cost_nano),
        needed_usd=usd(course.demand.least_nano),
        time_ms=round(course.took_ms),
    )


def _changes(order: Order, changes: dict[str, Any]) -> dict[str, Any]:
    """As parts of the body, to be laid over the request's."""
    parts: dict[str, Any] = {}
    for name, value in changes.items():
        if getattr(order, name) == value:
            continue
        if name == "max_tokens":
            parts.setdefault("request", {})["parameters"] = {"max_tokens": value}
            continue
        part, field = _PLACES.get(name, ("orchestration", name))
        parts.setdefault(part, {})[field] = list(value) if isinstance(value, tuple) else value
    return parts
