"""`planhub check`, `prune` and `backup`, as their users see them."""

from __future__ import annotations

from pathlib import Path

from runtime.cli.commands.options import ConfigFile, Json, Switch


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


def backup(file: Path, /, *, config: ConfigFile = None) -> int:
    """Copy the database, also while it is in use.

    Parameters
    ----------
    file
        Where to; it must not exist.
    """
    from runtime.cli.upkeep import backup_to

    return backup_to(file, config)
