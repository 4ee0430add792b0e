"""`planhub evaluate`: given questions asked in several ways, and what each way is worth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from msgspec import Struct
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from actors.domain.money import nano_from_usd
from actors.errors import BadRequest
from runtime.cli.ends import BUDGET, DONE, WRONG_USE, CommandFailed
from runtime.cli.evaluate_judging import Rejudging
from runtime.cli.plan import open_hub
from runtime.cli.setup import configured, database_of
from runtime.cli.terminal import stderr, stdout, usd, write_json
from runtime.config import to_edge
from runtime.evaluation.figures import Estimate, Figures, figures
from runtime.evaluation.items import BadItems, Item, read_items
from runtime.evaluation.picture import draw
from runtime.evaluation.results import Outcome, Results
from runtime.evaluation.running import Evaluation
from runtime.evaluation.spending import Purse
from runtime.evaluation.variants import Task, Variant, of_mode, of_model
from runtime.frontends.wire import Edge, to_order
from runtime.planhub import Planhub

MODES = ("planning", "vote")
FORETOLD = 5
"""Items of which it is foretold what a variant costs."""


class Asked(Struct, frozen=True, kw_only=True):
    """The command's options."""

    items: Path
    modes: list[str]
    models: list[str]
    max_budget_usd: float
    results: Path
    picture: Path | None
    judge: str | None
    at_once: int
    retry: bool
    json: bool
    config: Path | None


def run_evaluation(asked: Asked) -> int:
    settings = configured(asked.config)
    edge = to_edge(settings)
    variants = _variants(asked, edge)
    try:
        tasks = _tasks(read_items(asked.items), variants, edge)
        limit = nano_from_usd(asked.max_budget_usd)
        results = Results(asked.results)
    except (BadItems, ValueError) as error:
        raise CommandFailed(str(error), WRONG_USE) from error
    judge = None if asked.judge is None else edge.model(asked.judge)
    with results, open_hub(settings) as hub:
        purse = Purse(limit, nano_from_usd(results.spent_usd))
        evaluation = Evaluation(hub, results, purse, asked.items.parent, asked.at_once)
        _ask(hub, evaluation, results, tasks, asked)
        left_out = len(evaluation.left_out)
        told = _figures(variants, tasks, results)
        if judge is not None:
            again = Rejudging(hub, database_of(settings), results, purse, judge)
            told += _judged(again, variants, tasks, results, asked)
            left_out += again.left_out
    _tell(told, results, left_out, asked)
    return BUDGET if left_out else DONE


# --- asking -----------------------------------------------------------------------------------


def _variants(asked: Asked, edge: Edge) -> list[Variant]:
    """Raises CommandFailed, and BadRequest for a model that is not known."""
    modes = asked.modes or ([] if asked.models else list(MODES))
    try:
        told = [*map(of_mode, modes), *(of_model(edge.model(name)) for name in asked.models)]
    except ValueError as error:
        raise CommandFailed(str(error), WRONG_USE) from error
    return list({variant.name: variant for variant in told}.values())


def _tasks(items: Sequence[Item], variants: Sequence[Variant], edge: Edge) -> list[Task]:
    """Item by item, so that variants are compared on what has been asked, whenever it ends.

    Each is checked as a request.  Raises BadItems.
    """
    tasks = [Task(item, variant) for item in items for variant in variants]
    for task in tasks:
        try:
            to_order(task.request(), edge, run="", seed=0, created=0)
        except BadRequest as error:
            place = f"item {task.item.id}, {task.variant.name}"
            raise BadItems(f"{place}: {error.text}") from error
    return tasks


def _ask(
    hub: Planhub, evaluation: Evaluation, results: Results, tasks: Sequence[Task], asked: Asked
) -> None:
    evaluation.regrade(tasks)
    waiting = [task for task in tasks if _is_waiting(results.outcomes.get(task.digest), asked)]
    if not waiting:
        return
    stderr().print(Text(_plan(hub, waiting, results), style="dim"))
    with _progress() as progress:
        bar = progress.add_task("asking", total=len(waiting), spent=usd(results.spent_usd))

        def show(_: Outcome) -> None:
            progress.update(bar, advance=1, spent=usd(results.spent_usd))

        evaluation.run(waiting, show)


def _is_waiting(outcome: Outcome | None, asked: Asked) -> bool:
    return outcome is None or (asked.retry and outcome.error is not None)


def _plan(hub: Planhub, waiting: Sequence[Task], results: Results) -> str:
    """What there is to do, and what it will probably cost."""
    by_variant: dict[str, list[Task]] = {}
    for task in waiting:
        by_variant.setdefault(task.variant.name, []).append(task)
    expected = 0.0
    for tasks in by_variant.values():
        told = [hub.dry_run(task.request()).cost.expected_usd for task in tasks[:FORETOLD]]
        expected += len(tasks) * fmean([cost or 0.0 for cost in told])
    done = f", {len(results.outcomes)} are there already" if results.outcomes else ""
    return f"{len(waiting)} runs to ask for{done}; they will cost about {usd(expected)}"


def _judged(
    again: Rejudging,
    variants: Sequence[Variant],
    tasks: Sequence[Task],
    results: Results,
    asked: Asked,
) -> list[Figures]:
    """Those variants that have candidates, with the other judge."""
    with _progress() as progress:
        bar = progress.add_task("judging", total=None, spent="")
        again.run(tasks, asked.items.parent, lambda _: progress.update(bar, advance=1))
    told = []
    for variant in variants:
        names = again.names([task for task in tasks if task.variant is variant])
        known = [results.outcomes[name] for name in names if name in results.outcomes]
        if known:
            told.append(figures(known[0].variant, known))
    return told


def _progress() -> Progress:
    """Nothing where nobody looks."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[spent]}"),
        console=stderr(),
        transient=True,
        disable=not stderr().is_terminal,
    )


# --- telling ----------------------------------------------------------------------------------


def _figures(variants: Sequence[Variant], tasks: Sequence[Task], results: Results) -> list[Figures]:
    of = {
        variant.name: results.of([task for task in tasks if task.variant is variant])
        for variant in variants
    }
    return [figures(name, outcomes) for name, outcomes in of.items()]


def _tell(told: list[Figures], results: Results, left_out: int, asked: Asked) -> None:
    if asked.picture is not None:
        try:
            draw(asked.picture, told)
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise CommandFailed(f"cannot write {asked.picture}: {why}") from error
    if asked.json:
        write_json(
            {
                "variants": told,
                "spent_usd": results.spent_usd,
                "limit_usd": asked.max_budget_usd,
                "left_out": left_out,
                "results": str(asked.results),
            }
        )
        return
    stdout().print(_table(told))
    said = f"{usd(results.spent_usd)} of {usd(asked.max_budget_usd)}; every run is in"
    stderr().print(Text(f"{said} {asked.results}", style="dim"))
    if left_out:
        text = f"{left_out} runs are left out: the money is used up; allow more and ask again"
        stderr().print(Text(text, style="red"))


def _table(told: Sequence[Figures]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("variant", no_wrap=True)
    columns = ("right", "quality", "$/run", "right per $", "s/run", "right per s")
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("note")
    for one in told:
        table.add_row(
            Text(one.variant),
            f"{one.right}/{one.graded}",
            _within(one.quality, "{:.0%}"),
            usd(one.usd_per_run),
            _within(one.right_per_usd, "{:,.3g}"),
            f"{one.seconds_per_run:.2f}",
            _within(one.right_per_second, "{:,.3g}"),
            Text(_note(one), style="red"),
        )
    return table


def _within(estimate: Estimate, form: str) -> str:
    """`72% (61%-81%)`."""
    if estimate.value is None:
        return "–"
    said = form.format(estimate.value)
    if estimate.low is None or estimate.high is None:
        return said
    return f"{said} ({form.format(estimate.low)}–{form.format(estimate.high)})"


def _note(one: Figures) -> str:
    notes = {"without an answer": one.failed, "not graded": one.ungraded, "cut to fit": one.cut}
    return ", ".join(f"{count} {name}" for name, count in notes.items() if count)
