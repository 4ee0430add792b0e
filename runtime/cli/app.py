"""The commands of `planhub`, as their users see them.  What does them is imported when it runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from cyclopts import App, CycloptsError, Parameter, validators

from runtime.cli.ends import DONE, INTERRUPTED, WRONG_USE, exit_status, one_line
from runtime.cli.terminal import STANDARD_INPUT
from runtime.telemetry import be_silent

Mode: TypeAlias = Literal["planning", "adversarial", "vote", "refine", "fuse"]
Scope: TypeAlias = Literal["plan", "chat", "admin"]
ConfigFile: TypeAlias = Annotated[
    Path | None, Parameter(help="The configuration; by default planhub.toml in this folder.")
]
Json: TypeAlias = Annotated[
    bool, Parameter(negative=(), show_default=False, help="Print JSON instead.")
]
Switch: TypeAlias = Annotated[bool, Parameter(negative=(), show_default=False)]

HELP = """One prompt, several models, one better answer.

Without a configuration the vendors are used whose keys are set (OPENAI_API_KEY,
ANTHROPIC_API_KEY); without those, built-in simulated models answer, offline.
"""

EXAMPLES = """Examples:

  planhub plan "Design a REST API for a task management app" --mode vote
  planhub plan - --mode adversarial --iterations 2 < question.md
  planhub serve --http 127.0.0.1:8080
  planhub keys create --name ci --scope plan --expires 90d
  planhub ledger
  planhub runs

`planhub COMMAND --help` says more.
"""

PLAN_EXAMPLES = """Examples:

  planhub plan "Design a REST API for a task management app" --mode vote
  planhub plan - --mode adversarial --iterations 2 < question.md
  planhub plan "Name three risks" --schema risks.json --max-budget-usd 0.10
  planhub plan "Name three risks" --mode vote --voters 5 --dry-run
  planhub plan "Tell a story" --mode refine --param temperature=0.9 --json
"""

EVALUATE_EXAMPLES = """\
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

KEYS_EXAMPLES = """Examples:

  planhub keys create --name ci --monthly-budget-usd 20 --expires 90d
  planhub keys rotate ci
  planhub keys revoke ci
"""


def _version() -> str:
    from importlib.metadata import version

    return f"planhub {version('planhub')}"


app = App(
    name="planhub",
    help=HELP,
    help_epilogue=EXAMPLES,
    help_format="plaintext",
    version=_version,
    help_on_error=False,
)
keys = App(
    name="keys",
    help="Create, list, rotate and revoke API keys of the server.",
    help_epilogue=KEYS_EXAMPLES,
)
ledger = App(
    name="ledger",
    help="Show what was spent, by key, model, mode and day, and how the limits stand.",
    help_epilogue="",
)
app.command(keys)
app.command(ledger)


@app.command(help_epilogue=PLAN_EXAMPLES)
def plan(
    prompt: str,
    /,
    *,
    mode: Mode | None = None,
    iterations: int | None = None,
    voters: int | None = None,
    primary_model: str | None = None,
    review_model: str | None = None,
    primary_min_weight: int | None = None,
    review_min_weight: int | None = None,
    plan_only: Switch = False,
    schema: Path | None = None,
    max_budget_usd: float | None = None,
    deadline: float | None = None,
    param: Annotated[list[str] | None, Parameter(negative=())] = None,
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
    dry_run
        Only show the calls that would be made, by which models, and what they would cost.
    """
    from runtime.cli.plan import run_plan

    fields = {
        "mode": mode,
        "iterations": iterations,
        "voters": voters,
        "primary_model_id": primary_model,
        "review_model_id": review_model,
        "primary_min_weight": primary_min_weight,
        "review_min_weight": review_min_weight,
        "return_plan_only": plan_only or None,
        "max_budget_usd": max_budget_usd,
        "max_latency_ms": None if deadline is None else deadline * 1000,
    }
    return run_plan(
        prompt,
        fields,
        schema=schema,
        params=param or [],
        dry_run=dry_run,
        json=json,
        config=config,
    )


@app.command(help_epilogue="")
def serve(
    *,
    http: str | None = None,
    socket: str | None = None,
    socket_cert: Path | None = None,
    socket_key: Path | None = None,
    config: ConfigFile = None,
) -> int:
    """Serve the Plan API over HTTP and the msgpack socket.

    Stops on Ctrl-C or SIGTERM, once what runs has been answered.

    Parameters
    ----------
    http
        HOST:PORT to listen on; by default 127.0.0.1:8080.
    socket
        HOST:PORT or unix:PATH for the msgpack socket; by default 127.0.0.1:8081, unless --http
        alone is given.
    socket_cert
        A certificate with its chain, as PEM: the socket then speaks TLS.
    socket_key
        The certificate's key, where it is in a file of its own.
    """
    from runtime.cli.serve import Places, run_serve

    return run_serve(Places(http, socket, socket_cert, socket_key), config)


@keys.command
def create(
    name: str,
    *,
    scope: Annotated[list[Scope] | None, Parameter(negative=())] = None,
    monthly_budget_usd: float | None = None,
    expires: str | None = None,
    rate: int | None = None,
    json: Json = False,
    config: ConfigFile = None,
) -> int:
    """Create a key and print it, once.

    Parameters
    ----------
    name
        What to call it.
    scope
        What it may do; may be repeated. Without any: all but admin.
    monthly_budget_usd
        What it may spend in a calendar month.
    expires
        A date (2027-01-31, from when on it is invalid) or a time from now (30d, 12h).
    rate
        Requests per minute.
    """
    from runtime.cli.keys import create_key

    return create_key(
        name,
        scopes=tuple(scope or ()),
        monthly_budget_usd=monthly_budget_usd,
        expires=expires,
        rate=rate,
        json=json,
        config=config,
    )


@keys.command(name="list")
def list_(*, json: Json = False, config: ConfigFile = None) -> int:
    """List all keys; none of them can be shown again."""
    from runtime.cli.keys import list_keys

    return list_keys(json=json, config=config)


@keys.command
def rotate(name: str, *, json: Json = False, config: ConfigFile = None) -> int:
    """Replace a key by a new one of the same name and limits, and print it, once.

    Parameters
    ----------
    name
        The key's name or id.
    """
    from runtime.cli.keys import rotate_key

    return rotate_key(name, json=json, config=config)


@keys.command
def revoke(name: str, *, json: Json = False, config: ConfigFile = None) -> int:
    """End a key for good; a running server heeds it within two seconds.

    Parameters
    ----------
    name
        The key's name or id.
    """
    from runtime.cli.keys import revoke_key

    return revoke_key(name, json=json, config=config)


@app.command(help_epilogue="")
def models(*, json: Json = False, config: ConfigFile = None) -> int:
    """Show the models: weight, price, context, and whether they can be asked."""
    from runtime.cli.models import show_models

    return show_models(json=json, config=config)


@app.command(help_epilogue="")
def judges(*, json: Json = False, config: ConfigFile = None) -> int:
    """Show how the models do as judges: ties, flips in second looks, what nobody could read."""
    from runtime.cli.judges import show_judges

    return show_judges(json=json, config=config)


@ledger.default
def show(*, uncertain: Switch = False, json: Json = False, config: ConfigFile = None) -> int:
    """Show what was spent, by key, model, mode and day, and how the limits stand.

    Parameters
    ----------
    uncertain
        Only calls that were cut off by a crash, with what they were charged.
    """
    from runtime.cli.ledger import show_ledger

    return show_ledger(uncertain=uncertain, json=json, config=config)


@ledger.command
def settle(attempt: str, usd: float, /, *, config: ConfigFile = None) -> int:
    """Correct what an uncertain call was charged.

    Parameters
    ----------
    attempt
        Its id, as `planhub ledger --uncertain` lists it.
    usd
        What the vendor billed for it.
    """
    from runtime.cli.ledger import settle_attempt

    return settle_attempt(attempt, usd, config)


@app.command(help_epilogue="")
def runs(*, limit: int = 20, json: Json = False, config: ConfigFile = None) -> int:
    """List the latest runs, newest first.

    Parameters
    ----------
    limit
        How many at most.
    """
    from runtime.cli.runs import list_runs

    return list_runs(limit=limit, json=json, config=config)


@app.command(name="show", help_epilogue="")
def show_(run: str, /, *, json: Json = False, config: ConfigFile = None) -> int:
    """Show one run: what was asked, its calls on a time line, what they cost, how it ended.

    Parameters
    ----------
    run
        Its id, or the beginning of it: 6 digits or more.
    """
    from runtime.cli.runs import show_run

    return show_run(run, json=json, config=config)


@app.command(help_epilogue="")
def replay(
    run: str,
    /,
    *,
    judge: str | None = None,
    json: Json = False,
    config: ConfigFile = None,
) -> int:
    """Carry a run's journal out again, without asking any model: it must end as it did.

    Parameters
    ----------
    run
        Its id, or the beginning of it: 6 digits or more.
    judge
        Have this model judge the recorded candidates of a vote instead; only that is paid for.
    """
    from runtime.cli.replay import replay_run

    return replay_run(run, judge=judge, json=json, config=config)


@app.command(help_epilogue=EVALUATE_EXAMPLES)
def evaluate(
    items: Path,
    /,
    *,
    max_budget_usd: float,
    mode: Annotated[list[str] | None, Parameter(negative=())] = None,
    model: Annotated[list[str] | None, Parameter(negative=())] = None,
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


@app.command(help_epilogue="")
def prune(
    *,
    keep_days: int | None = None,
    dry_run: Switch = False,
    vacuum: Switch = False,
    json: Json = False,
    config: ConfigFile = None,
) -> int:
    """Remove runs that ended long ago; what they cost stays in the ledger.

    Parameters
    ----------
    keep_days
        Runs younger than this stay; by default `[journal] keep_days`.
    dry_run
        Only say what there is to remove.
    vacuum
        Give the room back to the file system; a running planhub waits meanwhile.
    """
    from runtime.cli.upkeep import prune_runs

    return prune_runs(keep_days=keep_days, dry_run=dry_run, vacuum=vacuum, json=json, config=config)


@app.command(help_epilogue="")
def backup(file: Path, /, *, config: ConfigFile = None) -> int:
    """Copy the database, also while it is in use.

    Parameters
    ----------
    file
        Where to; it must not exist.
    """
    from runtime.cli.upkeep import backup_to

    return backup_to(file, config)


@app.command(help_epilogue="")
def check(
    *,
    defaults: Switch = False,
    audit: Switch = False,
    json: Json = False,
    config: ConfigFile = None,
) -> int:
    """Check the configuration, and reach every vendor without asking it anything.

    Parameters
    ----------
    defaults
        Print every key of planhub.toml with its default instead.
    audit
        Check the database instead: its money against its journal.
    """
    if audit:
        from runtime.cli.upkeep import run_audit

        return run_audit(json=json, config=config)
    from runtime.cli.check import run_check

    return run_check(defaults=defaults, json=json, config=config)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit status."""
    be_silent()
    given = sys.argv[1:] if arguments is None else arguments
    try:
        result = app(
            [STANDARD_INPUT if argument == "-" else argument for argument in given],
            print_error=False,
            exit_on_error=False,
            result_action="return_value",
        )
        return result if isinstance(result, int) else DONE
    except CycloptsError as error:
        return _ended(one_line(error).rstrip(".") + "; see `planhub --help`", WRONG_USE)
    except KeyboardInterrupt:
        return _ended("interrupted", INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has enough; what Python still holds must not complain of it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except Exception as error:  # noqa: BLE001 - the user is told, in one line
        return _ended(one_line(error) or type(error).__name__, exit_status(error))


def _ended(text: str, status: int) -> int:
    sys.stderr.write(f"planhub: {text}\n")
    return status
