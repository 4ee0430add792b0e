"""`planhub ledger`, as its users see it."""

from __future__ import annotations

from cyclopts import App

from runtime.cli.commands.options import ConfigFile, Json, Switch

ledger = App(
    name="ledger",
    help="Show what was spent, by key, model, mode and day, and how the limits stand.",
    help_epilogue="",
)


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
