"""`planhub plan`, as its users see it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from cyclopts import Parameter

from runtime.cli.commands.options import ConfigFile, Json, Several, Switch

Mode: TypeAlias = Literal["planning", "adversarial", "vote", "refine", "fuse"]

EXAMPLES = """Examples:

  planhub plan "Design a REST API for a task management app" --mode vote
  planhub plan - --mode adversarial --iterations 2 < question.md
  planhub plan "Name three risks" --schema risks.json --max-budget-usd 0.10
  planhub plan "Name three risks" --mode vote --voters 5 --dry-run
  planhub plan "Tell a story" --mode refine --param temperature=0.9 --json
"""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Wishes:
    """How the prompt is to be answered.

    Parameters
    ----------
    mode
        planning: one model. adversarial: plan, critique, refine. vote: several models answer and
        a judge picks. refine: one model improves its own answer. fuse: several models answer and
        one makes a single answer of theirs.
    iterations
        How often an answer is improved, up to 10.
    voters
        How many models answer in the modes vote and fuse, 1 to 10.
    primary_model
        The planner, the refiner, the first voter.
    review_model
        The critic, the judge.
    primary_min_weight
        The least weight, 0 to 10, of a model that plans, refines or votes.
    review_min_weight
        The least weight, 0 to 10, of a model that criticises or judges.
    plan_only
        Stop after the first answer.
    schema
        A file with a JSON Schema that the answer must meet.
    max_budget_usd
        What the run may cost at most.
    deadline
        Seconds the run may take.
    param
        A parameter for the models that answer, as NAME=VALUE; may be repeated.
    """

    mode: Mode | None = None
    iterations: int | None = None
    voters: int | None = None
    primary_model: str | None = None
    review_model: str | None = None
    primary_min_weight: int | None = None
    review_min_weight: int | None = None
    plan_only: Switch = False
    schema: Path | None = None
    max_budget_usd: float | None = None
    deadline: float | None = None
    param: Several = None

    def fields(self) -> dict[str, Any]:
        """What of it a request says as it is, under the names it has there."""
        return {
            "mode": self.mode,
            "iterations": self.iterations,
            "voters": self.voters,
            "primary_model_id": self.primary_model,
            "review_model_id": self.review_model,
            "primary_min_weight": self.primary_min_weight,
            "review_min_weight": self.review_min_weight,
            "return_plan_only": self.plan_only or None,
            "max_budget_usd": self.max_budget_usd,
            "max_latency_ms": None if self.deadline is None else self.deadline * 1000,
        }


NO_WISHES = Wishes()


def plan(
    prompt: str,
    /,
    *,
    wishes: Wishes = NO_WISHES,
    dry_run: Switch = False,
    json: Json = False,
    config: ConfigFile = None,
) -> int:
    """Answer one prompt.

    The answer goes to standard output; progress, candidates, verdict and cost to standard error.

    Parameters
    ----------
    prompt
        What is asked; `-` reads it from standard input.
    dry_run
        Only show the calls that would be made, by which models, and what they would cost.
    """
    from runtime.cli.plan import run_plan

    return run_plan(
        prompt,
        wishes.fields(),
        schema=wishes.schema,
        params=wishes.param or [],
        dry_run=dry_run,
        json=json,
        config=config,
    )
