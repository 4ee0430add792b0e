"""`planhub replay --judge`: recorded candidates before another judge, without buying them again."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct
from rich.text import Text

from actors.domain import ballots
from actors.domain.money import nano_from_usd
from actors.domain.money import usd as in_usd
from actors.protocol import Ballot, Order
from actors.strategies.judging import JUDGE_TOKENS
from runtime.cli.ends import DONE, FAILED, CommandFailed
from runtime.cli.plan import open_hub
from runtime.cli.summary import heading, named
from runtime.cli.terminal import stderr, stdout, usd, write_json
from runtime.config import Config
from runtime.planhub import Planhub

NO_CHOICE = {"tie": "the best are equally good", "none": "none is acceptable"}


class Judged(Struct, frozen=True, kw_only=True):
    """A verdict; `choice` is a candidate's place, tie, none, or None where it cannot be read."""

    judge: str
    choice: ballots.Choice | None
    reason: str
    cost_usd: float
    runs: tuple[str, ...]


def rejudge(
    settings: Config, judge: str, order: Order, body: bytes | None, ballot: Ballot, *, json: bool
) -> int:
    paper = ballots.ballot(ballot.question, ballot.texts, ballot.seed, ballot.rubric)
    with open_hub(settings) as hub:
        judged = ask(hub, judge, paper)
    responses = _responses(body, len(ballot.texts))
    if json:
        names = [response["model"] for response in responses]
        write_json({"id": order.run, "candidates": names, **msgspec.to_builtins(judged)})
    else:
        _print(judged, responses)
    return FAILED if judged.choice is None else DONE


def ask(
    hub: Planhub, judge: str, paper: ballots.Paper, max_budget_usd: float | None = None
) -> Judged:
    """Has `judge` read the ballot; a reply that is no verdict may be repaired once.

    Both together cost no more than `max_budget_usd`, where that is given.

    Raises PlanError, and CommandFailed when another model answers in its place.
    """
    messages, cost, runs, problem = paper.messages, 0, [], ""
    for _ in range(2):
        result = hub.plan(
            msgspec.json.decode(messages),
            mode="planning",
            primary_model_id=judge,
            max_budget_usd=_rest(max_budget_usd, cost),
            parameters={"temperature": 0, "max_tokens": JUDGE_TOKENS},
        )
        cost += nano_from_usd(result.cost.spent_usd)
        runs.append(result.id)
        if result.negotiated_model != (asked := result.calls[0]).model:
            raise CommandFailed(f"{judge} did not answer: {asked.error}")
        try:
            choice, reason, _ = ballots.verdict(result.text, paper.labels)
        except ballots.Unreadable as error:
            problem = str(error)
            messages = ballots.repair(paper.messages, result.text, paper.labels, problem)
            continue
        return _judged(result.negotiated_model, choice, reason, cost, runs)
    return _judged(judge, None, f"its verdict cannot be read: {problem}", cost, runs)


def _rest(budget_usd: float | None, spent_nano: int) -> float | None:
    return None if budget_usd is None else in_usd(nano_from_usd(budget_usd) - spent_nano)


def _judged(
    judge: str, choice: ballots.Choice | None, reason: str, cost: int, runs: list[str]
) -> Judged:
    return Judged(
        judge=judge, choice=choice, reason=reason, cost_usd=in_usd(cost), runs=tuple(runs)
    )


def _responses(body: bytes | None, count: int) -> list[dict[str, Any]]:
    """The candidates as the recorded answer lists them; nameless where it ended in an error."""
    answered: dict[str, Any] = msgspec.json.decode(body or b"{}").get("response", {})
    nameless = [{"model": f"candidate {place}"} for place in range(count)]
    recorded: list[dict[str, Any]] = answered.get("responses", nameless)
    return recorded


def _print(judged: Judged, responses: list[dict[str, Any]]) -> None:
    console = stdout()
    match judged.choice:
        case int(place):
            then = next((r["model"] for r in responses if r.get("selected")), None)
            chosen = responses[place]["model"]
            compared = "" if then is None else ", as before" if then == chosen else f", not {then}"
            heading(console, "Verdict", f"{judged.judge} chose {chosen}{compared}")
        case "tie" | "none" as undecided:
            heading(console, "Verdict", f"{judged.judge}: {NO_CHOICE[undecided]}")
        case None:
            heading(console, "Verdict", "none")
    console.print(Text(f"  {named(judged.reason, responses)}", style="italic"))
    heading(console, "Cost", f"{usd(judged.cost_usd)}; the candidates were not bought again")
    stderr().print(Text(f"the judge's call is run {', '.join(judged.runs)}", style="dim"))
