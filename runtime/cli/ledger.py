"""`planhub ledger`: what was spent, on what, and how the limits stand; beside a running server."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from actors.domain.money import month_of, nano_from_usd
from actors.domain.money import usd as in_usd
from runtime.cli.ends import DONE, WRONG_USE, CommandFailed
from runtime.cli.setup import configured, database_of
from runtime.cli.terminal import stderr, stdout, usd, write_json
from runtime.config import Config
from runtime.keys import ApiKey, KeyBook
from runtime.storage import reports
from runtime.storage.database import connect


def show_ledger(*, uncertain: bool, json: bool, config: Path | None) -> int:
    settings = configured(config)
    database = database_of(settings)
    if json:
        doubts = {"uncertain": [_doubt(row) for row in reports.uncertain(database)]}
        write_json(doubts if uncertain else _everything(settings) | doubts)
    elif uncertain:
        stdout().print(_doubts_table(reports.uncertain(database)))
    else:
        _print(settings)
    return DONE


def settle_attempt(attempt: str, cost_usd: float, config: Path | None) -> int:
    """Corrects what an uncertain attempt was charged."""
    try:
        cost = nano_from_usd(cost_usd)
    except ValueError as error:
        raise CommandFailed(str(error), WRONG_USE) from error
    reports.settle_uncertain(database_of(configured(config)), attempt, cost)
    stderr().print(Text(f"settled {attempt} at {usd(cost_usd)}"))
    return DONE


def _limits(settings: Config, keys: tuple[ApiKey, ...]) -> tuple[reports.LimitRow, ...]:
    """How the limits stand, those of this month too under which nothing was spent yet."""
    rows = reports.limits(database_of(settings))
    now = time.time()
    month, monthly = month_of(now), settings.defaults.monthly_budget_usd
    limits = {"installation": None if monthly is None else nano_from_usd(monthly)}
    limits |= {f"key:{key.id}": key.limit_nano for key in keys if key.is_live(now)}
    spent = {row.owner for row in rows if row.window == month}
    untouched = tuple(
        reports.LimitRow(owner, month, limit, 0, 0)
        for owner, limit in limits.items()
        if limit is not None and owner not in spent
    )
    return untouched + rows


def _keys(settings: Config) -> tuple[ApiKey, ...]:
    return KeyBook(lambda: connect(database_of(settings))).all()


# --- as JSON ----------------------------------------------------------------------------------


def _everything(settings: Config) -> dict[str, Any]:
    database = database_of(settings)
    return {
        "rows": [
            {
                "key": row.key,
                "model": row.model,
                "mode": row.mode,
                "day": row.day,
                "calls": row.calls,
                "spent_usd": in_usd(row.spent_nano),
            }
            for row in reports.ledger_rows(database)
        ],
        "limits": [
            {
                "owner": row.owner,
                "window": row.window,
                "limit_usd": None if row.limit_nano is None else in_usd(row.limit_nano),
                "spent_usd": in_usd(row.spent_nano),
                "held_usd": in_usd(row.held_nano),
            }
            for row in _limits(settings, _keys(settings))
        ],
        "held_usd": in_usd(reports.held(database)),
    }


def _doubt(row: reports.UncertainRow) -> dict[str, Any]:
    return {"run": row.run, "attempt": row.attempt, "charged_usd": in_usd(row.charged_nano)}


# --- for a reader -----------------------------------------------------------------------------


def _print(settings: Config) -> None:
    database, keys = database_of(settings), _keys(settings)
    names = {key.id: key.name for key in keys}
    rows, doubts = reports.ledger_rows(database), reports.uncertain(database)
    stdout().print(_spending_table(rows, names) if rows else Text("nothing was spent yet"))
    if limits := _limits(settings, keys):
        stdout().print(_limits_table(limits, names))
    if doubts:
        charged = usd(in_usd(sum(row.charged_nano for row in doubts)))
        text = f"{charged} of {len(doubts)} calls is uncertain: see `planhub ledger --uncertain`"
        stdout().print(Text(text, style="yellow"))


def _spending_table(rows: tuple[reports.LedgerRow, ...], names: dict[str, str]) -> Table:
    table = _table("day", "key", "mode", "model", "calls", "spent")
    for row in rows:
        cells = (row.day, _name(row.key, names), row.mode, row.model or "unknown", str(row.calls))
        table.add_row(*map(Text, cells), usd(in_usd(row.spent_nano)))
    total = usd(in_usd(sum(row.spent_nano for row in rows)))
    table.add_row("total", "", "", "", str(sum(row.calls for row in rows)), total, style="bold")
    return table


def _limits_table(rows: tuple[reports.LimitRow, ...], names: dict[str, str]) -> Table:
    table = _table("month", "whose", "spent", "held", "limit")
    for row in rows:
        owner, _, key = row.owner.partition(":")
        limit = "none" if row.limit_nano is None else usd(in_usd(row.limit_nano))
        table.add_row(
            row.window,
            Text(f"{owner} {_name(key, names)}" if key else owner),
            usd(in_usd(row.spent_nano)),
            usd(in_usd(row.held_nano)),
            limit,
        )
    return table


def _doubts_table(rows: tuple[reports.UncertainRow, ...]) -> Table | Text:
    if not rows:
        return Text("nothing is uncertain")
    table = _table("attempt", "model", "charged")
    for row in rows:
        table.add_row(
            Text(row.attempt), Text(row.model or "unknown"), usd(in_usd(row.charged_nano))
        )
    return table


def _name(key: str | None, names: dict[str, str]) -> str:
    return "" if key is None else names.get(key, key)


_AMOUNTS = {"calls", "spent", "held", "limit", "charged"}


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in _AMOUNTS else "left")
    return table
