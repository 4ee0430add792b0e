"""What a run came to, for a reader: the candidates, the verdict and its reason, the cost."""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from runtime.cli.terminal import printable, usd
from runtime.frontends.wire import CallEntry, PlanResult

SIMULATED = (
    "These answers are simulated: built-in models, offline, at made-up prices.  Set OPENAI_API_KEY,"
    " ANTHROPIC_API_KEY or GEMINI_API_KEY, or write a planhub.toml, to ask real ones."
)
EXCERPT = 300
_INDENT = (0, 0, 0, 2)
_NUMBER = re.compile(r"responses\[(\d{1,3})\]")


def summarise(console: Console, result: PlanResult, *, simulated: bool) -> None:
    """Writes what a reader of the answer wants to know of how it came about."""
    console.print()
    choice(console, result)
    _calls(console, result.calls)
    _cost(console, result)
    if simulated:
        console.print(Text(f"\n{SIMULATED}", style="yellow"))


def choice(console: Console, result: PlanResult) -> None:
    """Who answered, or who was a candidate, and how it was chosen."""
    if "responses" in result.response:
        _candidates(console, result.response)
        (_verdict if "judge" in result.response else _fused)(console, result)
    else:
        heading(console, "Answered by", f"{result.negotiated_model} ({result.routing_reason})")
    if result.reasons:
        heading(console, "Note", f"{result.status}: {', '.join(result.reasons)}")


def heading(console: Console, name: str, text: str = "") -> None:
    """A line: a name, and what there is to say under it."""
    line = Text(name, style="bold")
    line.append(f"  {printable(text)}" if text else "", style="not bold")
    console.print(line)


def _candidates(console: Console, response: dict[str, Any]) -> None:
    heading(console, "Candidates")
    failed = response.get("failed", ())
    shared = _shared_lines([candidate["content"] for candidate in response["responses"]])
    width = max(len(candidate["model"]) for candidate in (*response["responses"], *failed))
    for candidate in response["responses"]:
        chosen = candidate.get("selected", False)
        line = Text("  → " if chosen else "    ", style="bold green" if chosen else "")
        line.append(f"{candidate['model']:<{width}}  ")
        words = len(candidate["content"].split())
        line.append(f"{words:>4} words  ", style="not bold dim")
        line.append(excerpt(candidate["content"], shared), style="not bold default")
        _print_cut(console, line)
    for voter in failed:
        line = Text(f"  ✗ {voter['model']:<{width}}  ", style="red")
        _print_cut(console, line.append(printable(voter["error"])))


def _print_cut(console: Console, line: Text) -> None:
    console.print(line, no_wrap=True, overflow="ellipsis")


def _shared_lines(texts: list[str]) -> set[str]:
    """What every candidate says tells none of them apart."""
    lines = [set(text.splitlines()) for text in texts]
    return set.intersection(*lines) if len(lines) > 1 else set()


def excerpt(text: str, shared: Container[str] = ()) -> str:
    """The beginning of a text, as one line; without the lines that are `shared`."""
    lines = (printable(line).strip("#*> \t") for line in text.splitlines() if line not in shared)
    return (
        " · ".join(line for line in lines if line)[:EXCERPT]
        or "(nothing that the others do not say)"
    )


def _verdict(console: Console, result: PlanResult) -> None:
    response = result.response
    by = f"{response['judge']} chose" if response.get("judge_decided") else "by rule:"
    heading(console, "Verdict", f"{by} {result.negotiated_model}")
    _reason(console, response)


def _fused(console: Console, result: PlanResult) -> None:
    made = "made of them by" if result.response["fused_response"] else "nobody could fuse them:"
    heading(console, "Answer", f"{made} {result.negotiated_model}")
    _reason(console, result.response)


def _reason(console: Console, response: dict[str, Any]) -> None:
    if response.get("reason"):
        reason = Text(named(response["reason"], response["responses"]), style="italic")
        console.print(Padding(reason, _INDENT, expand=False))


def named(reason: str, responses: list[dict[str, Any]]) -> str:
    """The reason with models' names in the place of the candidates' numbers."""

    def name(number: re.Match[str]) -> str:
        i = int(number[1])
        return str(responses[i]["model"]) if i < len(responses) else number[0]

    return _NUMBER.sub(name, " ".join(printable(reason).split()))


def _calls(console: Console, calls: list[CallEntry]) -> None:
    heading(console, "Calls")
    table = Table.grid(padding=(0, 2))
    for justify in ("left", "left", "left", "right", "right", "right", "left"):
        table.add_column(justify=justify, no_wrap=True)
    for call in calls:
        table.add_row(
            call.role,
            Text(call.model),
            Text(call.status, style="" if call.status == "ok" else "red"),
            f"{call.latency_ms / 1000:.2f} s",
            f"{_read(call):,} → {call.output_tokens:,} tokens",
            usd(call.cost_usd),
            Text(printable(call.error or ""), style="red"),
        )
    console.print(Padding(table, _INDENT, expand=False))


def _read(call: CallEntry) -> int:
    return call.input_tokens + call.cache_read_tokens + call.cache_write_tokens


def _cost(console: Console, result: PlanResult) -> None:
    cost = result.cost
    about = "about " if cost.estimated else ""
    limit = f" of {usd(cost.limit_usd)}" if cost.limit_usd is not None else ""
    calls = f"{cost.calls} call{'' if cost.calls == 1 else 's'}"
    ends = (call.started_ms + call.latency_ms for call in result.calls)
    took = f"{max(ends, default=0.0) / 1000:.1f} s"
    parts = (f"{about}{usd(cost.spent_usd)}{limit}", calls, took, result.status)
    heading(console, "Cost", " · ".join(parts))
    heading(console, "Run", result.id)
