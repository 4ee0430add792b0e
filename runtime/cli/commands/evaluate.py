"""`planhub evaluate`, as its users see it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators

from runtime.cli.commands.options import ConfigFile, Json, Several, Switch

EXAMPLES = """\
A question is a JSON object on a line of its own, with one way to tell a right answer:

  {"id": "sum", "prompt": "What is 17 + 25?", "reference": "42"}
  {"id": "api", "prompt": "Design a REST API", "contains": ["GET", "POST"]}
  {"id": "json", "prompt": "Name a prime", "output_schema": {"type": "integer"}, "value": 7}
  {"id": "code", "prompt": "Write f(x)", "checker": ["python3", "check.py"], "timeout_s": 5}

reference: the answer, or its last line, says this. contains: each of these occurs in it. value:
its JSON is this. checker: a command that reads the answer on standard input and ends with 0 for a
right one and 1 for a wrong one; it is run without a shell, in the folder of the questions.

Examples:

  planhub evaluate questions.jsonl --max-budget-usd 5
  planhub evaluate questions.jsonl --max-budget-usd 5 --mode vote:voters=5 --model gpt-4
  planhub evaluate questions.jsonl --max-budget-usd 5 --judge claude-opus --picture worth.svg
"""


def evaluate(
    items: Path,
    /,
    *,
    max_budget_usd: float,
    mode: Several = None,
    model: Several = None,
    judge: str | None = None,
    results: Path | None = None,
    picture: Path | None = None,
    at_once: Annotated[int, Parameter(validator=validators.Number(gte=1, lte=100))] = 4,
    retry: Switch = False,
    json: Json = False,
    config: ConfigFile = None,
) -> int:
    """Ask given questions in several ways, and compare how good the answers are, for how much.

    Each way is told with the share of right answers, and right answers per dollar and per second,
    with their 95 % intervals. Every run is kept in the file of results as it ends: the same command
    again goes on where it stopped, and buys nothing twice.

    Parameters
    ----------
    items
        The questions: one JSON object a line, as below.
    max_budget_usd
        What all runs in the file of results together may cost; it is never crossed.
    mode
        A mode, as MODE or MODE:OPTION=VALUE,…; may be repeated. Without any: planning and vote.
    model
        A single model, asked once; may be repeated.
    judge
        Have this model judge the recorded votes as well; their candidates are not bought again.
    results
        Where every run is kept; by default beside the questions, as NAME.results.jsonl.
    picture
        An SVG file: quality by cost.
    at_once
        Runs at a time.
    retry
        Ask again where there was no answer.
    """
    from runtime.cli.evaluate import Asked, run_evaluation

    return run_evaluation(
        Asked(
            items=items,
            modes=mode or [],
            models=model or [],
            max_budget_usd=max_budget_usd,
            results=results or items.with_suffix(".results.jsonl"),
            picture=picture,
            judge=judge,
            at_once=at_once,
            retry=retry,
            json=json,
            config=config,
        )
    )
