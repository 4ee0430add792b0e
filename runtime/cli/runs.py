"""`planhub runs` and `planhub show`: what was asked before, and what came of it."""

from __future__ import annotations

import re
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.table import Table
from rich.text import Text

from actors.domain.money import usd as in_usd
from actors.protocol import Order
from actors.strategies.journal import told_by
from actors.strategies.plan import Answered
from runtime.cli.ends import DONE, WRONG_USE, CommandFailed
from runtime.cli.setup import configured, database_of
from runtime.cli.summary import choice, excerpt, heading
from runtime.cli.terminal import printable, stdout, usd, write_json
from runtime.cli.timeline import timeline
from runtime.frontends.wire import PlanResult
from runtime.storage import journal, reports

LEAST_DIGITS = 6
SHOWN_DIGITS = 16
"""Twelve are of the time; runs of one moment differ in the next."""
_ID = re.compile(r"[0-9a-f]+")
_STYLES = {"complete": "green", "degraded": "yellow", "running": "cyan"}


def list_runs(*, limit: int, json: bool, config: Path | None) -> int:
    if limit < 1:
        raise CommandFailed(f"--limit must be at least 1, got {limit}", WRONG_USE)
    rows = journal.runs(database_of(configured(config)), limit)
    if json:
        write_json({"runs": [_entry(row) for row in rows]})
    else:
        stdout().print(_table(rows) if rows else Text("no runs yet: begin with `planhub plan`"))
    return DONE


def show_run(id: str, *, json: bool, config: Path | None) -> int:
    database = database_of(configured(config))
    run = reports.run(database, found(database, id))
    assert run is not None, "it was there a moment ago"
    order = _order(run)
    if json:
        write_json(_everything(run, order))
    else:
        _print(stdout(), database, run, order)
    return DONE


def found(database: Path, id: str) -> str:
    """The whole id of a run that is named by its beginning.  Raises CommandFailed."""
    if not _ID.fullmatch(id):
        raise CommandFailed(f"{printable(id)} is no run: `planhub runs` lists them", WRONG_USE)
    if len(id) < LEAST_DIGITS:
        raise CommandFailed(f"{id} is too short: give {LEAST_DIGITS} digits or more", WRONG_USE)
    match reports.runs_like(database, id):
        case (run,):
            return run
        case ():
            raise CommandFailed(f"there is no run {id}: `planhub runs` lists them")
        case several:
            some = ", ".join(run[:SHOWN_DIGITS] for run in several[:3])
            raise CommandFailed(f"several runs begin with {id}: {some} …; give more digits")


def _order(run: reports.RunRow) -> Order | None:
    return None if run.order is None else msgspec.msgpack.decode(run.order, type=Order)


# --- a list -----------------------------------------------------------------------------------


def _entry(row: journal.RunRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "key": row.key,
        "mode": row.mode,
        "status": row.status,
        "http_status": row.http_status,
        "started": _when(row.started_at),
        "ended": None if row.ended_at is None else _when(row.ended_at),
        "calls": row.calls,
        "cost_usd": in_usd(row.cost_nano),
    }


def _table(rows: list[journal.RunRow]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("run", "when", "mode", "status", "took", "calls", "cost", "key"):
        right = column in ("took", "calls", "cost")
        table.add_column(column, justify="right" if right else "left", no_wrap=True)
    for row in rows:
        table.add_row(
            row.id[:SHOWN_DIGITS],
            _when(row.started_at),
            row.mode,
            Text(row.status, style=_STYLES.get(row.status, "red")),
            f"{(row.ended_at or time.time()) - row.started_at:.1f} s",
            str(row.calls),
            usd(in_usd(row.cost_nano)),
            row.key or "",
        )
    return table


def _when(at: float) -> str:
    """In the reader's own time zone."""
    return datetime.fromtimestamp(at).astimezone().isoformat(" ", "seconds")


# --- one run ----------------------------------------------------------------------------------


def _everything(run: reports.RunRow, order: Order | None) -> dict[str, Any]:
    return {
        "id": run.id,
        "key": run.key,
        "mode": run.mode,
        "status": run.status,
        "http_status": run.http_status,
        "started": _when(run.started_at),
        "ended": None if run.ended_at is None else _when(run.ended_at),
        "request": None if order is None else _request(order),
        "calls": [_call(run, attempt) for attempt in run.attempts],
        "cost_usd": in_usd(sum(attempt.cost_nano for attempt in run.attempts)),
        "body": None if run.body is None else msgspec.Raw(run.body),
    }


def _request(order: Order) -> dict[str, Any]:
    return {
        "messages": msgspec.Raw(order.messages),
        "parameters": msgspec.Raw(order.parameters),
        "iterations": order.iterations,
        "voters": order.voters,
        "primary_model_id": order.primary,
        "review_model_id": order.review,
        "max_budget_usd": None if order.limit_nano is None else in_usd(order.limit_nano),
        "max_latency_ms": order.latency_s * 1000,
        "seed": order.seed,
    }


def _call(run: reports.RunRow, attempt: reports.AttemptRow) -> dict[str, Any]:
    fields = msgspec.structs.asdict(attempt)
    for name in ("cost", "held"):
        fields[f"{name}_usd"] = in_usd(fields.pop(f"{name}_nano"))
    tokens = msgspec.structs.asdict(fields.pop("usage"))
    usage = {f"{name}_tokens": count for name, count in tokens.items()}
    del fields["text"]
    fields["waited_from_ms"] = round((fields.pop("reserved_at") - run.started_at) * 1000, 3)
    settled = fields.pop("settled_at")
    fields["ended_ms"] = None if settled is None else round((settled - run.started_at) * 1000, 3)
    flags = {
        name: bool(fields[name]) for name in ("truncated", "clamped", "estimated", "uncertain")
    }
    return fields | usage | flags


def _print(console: Console, database: Path, run: reports.RunRow, order: Order | None) -> None:
    line = Text(f"{run.id}  ", style="bold")
    line.append(run.status, style=_STYLES.get(run.status, "red"))
    console.print(line)
    until = run.ended_at or time.time()
    by = f", key {run.key}" if run.key else ""
    heading(console, "Began", f"{_when(run.started_at)}, {until - run.started_at:.1f} s{by}")
    heading(console, "Asked", f"{run.mode}: {_question(order)}")
    if run.attempts:
        heading(console, "Calls")
        console.print(timeline(run, until, console.width))
    cost = sum(attempt.cost_nano for attempt in run.attempts)
    doubt = sum(attempt.cost_nano for attempt in run.attempts if attempt.uncertain)
    unsure = f", {usd(in_usd(doubt))} of it uncertain" if doubt else ""
    heading(console, "Cost", f"{usd(in_usd(cost))}{unsure}")
    _outcome(console, database, run)


def _question(order: Order | None) -> str:
    """The last message that was sent."""
    if order is None:
        return "(its content was not kept)"
    last = msgspec.json.decode(order.messages, type=list[_Message])[-1]
    said = last.content if isinstance(last.content, str) else "(parts)"
    return excerpt(said)


class _Message(Struct):
    content: str | list[Any] | None = None


def _outcome(console: Console, database: Path, run: reports.RunRow) -> None:
    if run.status == "running":
        _so_far(console, database, run.id)
    elif run.body is None:
        heading(console, "Answer", "(its content was not kept)")
    elif run.http_status == 200:
        result = PlanResult.from_json(run.body)
        choice(console, result)
        heading(console, "Answer", excerpt(result.text))
    else:
        error = msgspec.json.decode(run.body)
        heading(console, "Error", f"{error['error']} ({run.http_status} {error['code']})")
        if error.get("partial"):
            heading(console, "Paid text", excerpt(error["partial"]))


def _so_far(console: Console, database: Path, id: str) -> None:
    """What the journal of a run under way has been answered."""
    known = journal.load(database, id)
    steps = () if known is None else known.steps
    told = [told_by(step) for step in steps if step.kind == "answer"]
    heading(console, "So far", f"{len(steps)} steps are in the journal")
    for answered in told:
        if isinstance(answered, Answered):
            line = Text(f"    {answered.model.id}  ").append(excerpt(answered.text), style="dim")
            console.print(line, no_wrap=True, overflow="ellipsis")
