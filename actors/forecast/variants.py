"""Cheaper ways to ask the same, the smallest change first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from actors.domain.pricing import cost_nano, input_estimate
from actors.domain.scoring import TYPICAL_OUTPUT, expected_usage, price_of
from actors.forecast.course import Course
from actors.protocol import Order, Role

Changes: TypeAlias = dict[str, Any]
"""Fields of an order and what they become."""

SHORTER_TOKENS = (1024, 256)
FEWEST_VOTERS = 2


def variants(order: Order, expected: Course) -> Iterator[Changes]:
    """Each step keeps the changes of those before it; the last is a single cheap call."""
    changes: Changes = {}
    for step in (*_steps(order, expected), *_shorter(order)):
        changes = changes | step
        yield changes
    single = _single(order)
    for step in ({}, *_shorter(order)):
        single = single | step
        yield single


def _steps(order: Order, expected: Course) -> Iterator[Changes]:
    if extras := _extras(order):
        yield extras
    if order.profile != "cheap":
        yield {"profile": "cheap"}
    if (cheap := _cheapest(expected, ("judge", "critique"))) not in (None, order.review):
        yield {"review": cheap}
    yield from _fewer(order)
    if order.primary is not None or order.voter_models:
        yield {"primary": None, "voter_models": ()}


def _extras(order: Order) -> Changes:
    """Options that only add calls."""
    plain = {"judges": 1, "second_look": False, "keep_best": False, "hedge": False}
    return {name: value for name, value in plain.items() if getattr(order, name) != value}


def _fewer(order: Order) -> Iterator[Changes]:
    if order.mode == "vote" and not order.voter_models:
        for voters in range(order.voters - 1, FEWEST_VOTERS - 1, -1):
            yield {"voters": voters}
    if order.mode in ("adversarial", "refine") and not order.plan_only:
        for iterations in range(order.iterations - 1, 0, -1):
            yield {"iterations": iterations}


def _shorter(order: Order) -> Iterator[Changes]:
    """An answer that must have a form cannot be cut."""
    if order.schema is None:
        for tokens in SHORTER_TOKENS:
            if order.max_tokens is None or order.max_tokens > tokens:
                yield {"max_tokens": tokens}


def _single(order: Order) -> Changes:
    return {"mode": "planning", "profile": "cheap", "primary": None, **_extras(order)}


def _cheapest(expected: Course, roles: tuple[Role, ...]) -> str | None:
    """Who of the models that may take such a role costs least."""
    call = next((call for call in expected.calls if call.call.role in roles), None)
    if call is None:
        return None
    costs = [
        (cost_nano(expected_usage(input_estimate(call.call.messages), TYPICAL_OUTPUT), price), id)
        for id, price in ((c.model.id, price_of(c.model)) for c in call.ranked)
        if price is not None
    ]
    return min(costs)[1] if costs else None
