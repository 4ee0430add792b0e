"""Dry runs: what an order would come to, with models and budgets as they stand."""

from __future__ import annotations

from collections.abc import Sequence

from actors.forecast import forecast
from actors.protocol import Account, ModelState, Order
from runtime.frontends.wire import DryRun, dry_run


def foretold(order: Order, states: Sequence[ModelState], accounts: Sequence[Account]) -> DryRun:
    """Takes milliseconds, so not for the engine's thread.  Raises Internal."""
    return dry_run(forecast(order, states, _free_nano(order, accounts)))


def _free_nano(order: Order, accounts: Sequence[Account]) -> int | None:
    """What the budgets leave for a run; None without any."""
    of_key = f"key:{order.key}"
    left = {of_key: order.key_limit_nano, "run": order.limit_nano}
    for account in accounts:
        if account.owner in (of_key, "installation"):
            left[account.owner] = account.left_nano
    return min((nano for nano in left.values() if nano is not None), default=None)
