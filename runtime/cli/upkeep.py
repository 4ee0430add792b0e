"""`planhub prune`, `planhub backup` and `planhub check --audit`: the database, looked after."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
from rich.table import Table
from rich.text import Text

from runtime.cli.ends import DONE, FAILED, WRONG_USE, CommandFailed
from runtime.cli.setup import configured, database_of
from runtime.cli.terminal import stderr, stdout, write_json
from runtime.storage import maintenance
from runtime.storage.audit import MOST_TOLD, Audit, Violation
from runtime.storage.audit import audit as audited

DAY_S = 86_400


def prune_runs(
    *, keep_days: int | None, dry_run: bool, vacuum: bool, json: bool, config: Path | None
) -> int:
    settings = configured(config)
    days = settings.journal.keep_days if keep_days is None else keep_days
    if days < 0:
        raise CommandFailed(f"--keep-days must be at least 0, got {days}", WRONG_USE)
    database = database_of(settings)
    pruned = maintenance.prune(database, time.time() - days * DAY_S, dry_run=dry_run)
    if vacuum and not dry_run:
        maintenance.vacuum(database)
    if json:
        told: dict[str, Any] = msgspec.to_builtins(pruned)
        write_json(told | {"keep_days": days, "dry_run": dry_run})
        return DONE
    would = "would remove" if dry_run else "removed"
    text = f"{would} {pruned.runs} runs older than {days} days, with {pruned.steps} steps and"
    stdout().print(Text(f"{text} {pruned.texts} texts; what they cost stays in the ledger"))
    return DONE


def backup_to(file: Path, config: Path | None) -> int:
    size = maintenance.backup(database_of(configured(config)), file)
    stderr().print(Text(f"{file}: {size / 2**20:.1f} MiB, for you alone to read"))
    return DONE


def run_audit(*, json: bool, config: Path | None) -> int:
    database = database_of(configured(config))
    audit = audited(database)
    if json:
        write_json({"database": str(database), **msgspec.to_builtins(audit)})
    else:
        _print(database, audit)
    return FAILED if audit.violations else DONE


def _print(database: Path, audit: Audit) -> None:
    console = stdout()
    beside = "beside a running planhub" if audit.engine_runs else "no planhub runs on it"
    console.print(Text(f"database  {database}: {beside}"))
    if audit.counted:
        counted = ", ".join(f"{count:,} {table}" for table, count in audit.counted.items())
        console.print(Text(f"looked at  {counted}"))
    if not audit.violations:
        console.print(Text("the books are right", style="green"))
        return
    console.print(_table(audit.violations[:MOST_TOLD]))
    for advice in dict.fromkeys(violation.advice for violation in audit.violations):
        console.print(Text(f"to do  {advice}", style="bold"))
    wrong = f"{len(audit.violations)} violations"
    more = f", {MOST_TOLD} of them shown" if len(audit.violations) > MOST_TOLD else ""
    stderr().print(Text(f"planhub: {wrong}{more}", style="red"))


def _table(violations: tuple[Violation, ...]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("rule", "where", "what is wrong"):
        table.add_column(column)
    for found in violations:
        table.add_row(Text(found.rule, style="red"), Text(found.where), Text(found.what))
    return table
