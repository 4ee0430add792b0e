"""`planhub plan --dry-run`: what a request would come to, as a tree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from runtime.cli.terminal import printable, usd
from runtime.frontends.wire import DryRun
from runtime.frontends.wire.dry_runs import DryCalls, DryModel, DryVariant


def draw(console: Console, told: DryRun) -> None:
    console.print(_tree(told))
    console.print()
    for name, text, style in _summary(told):
        console.print(Text(f"{name:<9} ", style="bold").append(printable(text), style=style))


def _tree(told: DryRun) -> Tree:
    head = Text(told.mode, style="bold").append(
        "  nothing is sent, nothing reserved", "not bold dim"
    )
    tree = Tree(head, guide_style="dim")
    for calls in told.calls:
        branch = tree.add(_head(calls))
        for model in calls.models:
            branch.add(_model(model))
        for refused in calls.refused:
            branch.add(Text(f"✗ {refused.model}  {refused.why}", style="red"))
    return tree


def _head(calls: DryCalls) -> Text:
    needed = calls.count > 0
    line = Text(f"{calls.stage}. {_times(calls)}{calls.role}", style="bold" if needed else "dim")
    costs = f"{_range(calls.least_usd, calls.most_usd)}, {_about(calls.expected_usd)}"
    said = f"  {costs}, {_seconds(calls.latency_ms)}" if needed else "  only if needed, at most "
    return line.append(said if needed else said + _amount(calls.most_usd), style="not bold")


def _times(calls: DryCalls) -> str:
    """`3 × `, or `2-3 × ` where it is not certain."""
    least, most = calls.least_count, calls.most_count
    if not calls.count:
        return f"{most} × " if most > 1 else ""
    if least == most:
        return f"{most} × " if most > 1 else ""
    return f"{least}-{most} × "


def _model(model: DryModel) -> Text:
    mark = "→" if model.asked else "·"
    line = Text(f"{mark} {model.model}", style="green" if model.asked else "dim")
    if model.asked > 1:
        line.append(f" × {model.asked}")
    return line.append(f"  {model.why}", style="dim")


def _summary(told: DryRun) -> Iterator[tuple[str, str, str]]:
    cost, time = told.cost, told.time_ms
    limit = "no limit" if cost.free_usd is None else f"{usd(cost.free_usd)} free"
    cut = ", answers would be cut to fit" if cost.shortened else ""
    costs = f"{_range(cost.least_usd, cost.most_usd)}, {_about(cost.expected_usd)}"
    yield "Cost", f"{costs} · {limit}, {usd(cost.needed_usd)} needed to begin{cut}", ""
    guessed = ", a guess: not all models have been asked yet" if time.guessed else ""
    least, most = _seconds(time.least), _seconds(time.most)
    yield "Time", f"{least} to {most}, about {_seconds(time.expected)}{guessed}", ""
    if told.reasons:
        yield "Note", ", ".join(told.reasons), ""
    if told.refused is None:
        yield "Verdict", "it fits", "green"
        return
    yield "Verdict", told.refused.error, "red"
    if told.nearest is not None and told.cheapest is not None:
        yield "Nearest", _variant(told.nearest), ""
        yield "Cheapest", _variant(told.cheapest), ""


def _variant(variant: DryVariant) -> str:
    calls = f"{variant.calls} call{'s' if variant.calls != 1 else ''}"
    changes = ", ".join(f"{name} {_value(value)}" for name, value in _leaves(variant.changes))
    return f"{changes}: {calls}, {_about(variant.expected_usd)}, {_seconds(variant.time_ms)}"


def _leaves(changes: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in changes.items():
        if isinstance(value, dict):
            yield from _leaves(value)
        else:
            yield name, value


def _value(value: Any) -> str:
    return "left out" if value in (None, []) else str(value).lower()


def _range(least: float | None, most: float | None) -> str:
    return f"{_amount(least)} to {_amount(most)}"


def _about(amount: float | None) -> str:
    return f"about {_amount(amount)}"


def _amount(amount: float | None) -> str:
    return "an unknown price" if amount is None else usd(amount)


def _seconds(ms: float) -> str:
    return f"{ms / 1000:.1f} s"
