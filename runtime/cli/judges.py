"""`planhub judges`: how the models do as judges; beside a running server."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table
from rich.text import Text

from runtime.cli.ends import DONE
from runtime.cli.setup import configured, database_of
from runtime.cli.terminal import stdout, write_json
from runtime.frontends.listing import JudgeEntry, judge_entry
from runtime.storage import reports


def show_judges(*, json: bool, config: Path | None) -> int:
    records = reports.judges(database_of(configured(config)))
    entries = [judge_entry(record) for record in records]
    if json:
        write_json({"judges": entries})
    else:
        stdout().print(_table(entries) if entries else Text("no model has judged yet"))
    return DONE


def _table(entries: list[JudgeEntry]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("judge", no_wrap=True)
    for column in ("verdicts", "ties", "unreadable", "second looks", "flips", "own family"):
        table.add_column(column, justify="right")
    for entry in entries:
        table.add_row(
            Text(entry.judge),
            str(entry.verdicts),
            _share(entry.tie_rate),
            _share(entry.unreadable_rate),
            str(entry.second_looks),
            _share(entry.flip_rate),
            "-" if entry.family_lift is None else f"{entry.family_lift:.2f} x chance",
        )
    return table


def _share(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:.0%}"
