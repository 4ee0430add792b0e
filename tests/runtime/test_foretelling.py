"""What the budgets leave for a run: the least of them."""

from __future__ import annotations

from typing import Any

import pytest

from actors.protocol import Account
from runtime.foretelling import foretold
from tests.actors.strategies.driver import order
from tests.actors.test_forecast import STATES

MONTH = (
    Account("installation", "2026-11", 10_000_000_000, 6_000_000_000, 1_000_000_000),
    Account("key:k", "2026-11", 5_000_000_000, 4_000_000_000, 0),
    Account("key:other", "2026-11", 1, 1, 0),
    Account("run:other", "run", 1, 1, 0),
)


@pytest.mark.parametrize(
    ("fields", "accounts", "free_usd"),
    [
        ({}, (), None),
        ({"limit_nano": 2_000_000_000}, (), 2.0),
        ({}, MONTH, 3.0),
        ({"limit_nano": 2_000_000_000}, MONTH, 2.0),
        ({"key": "k", "key_limit_nano": 5_000_000_000}, MONTH, 1.0),
        ({"key": "new", "key_limit_nano": 500_000_000}, MONTH, 0.5),
    ],
)
def test_the_least_of_all_budgets(
    fields: dict[str, Any], accounts: tuple[Account, ...], free_usd: float | None
) -> None:
    told = foretold(order("planning", limited=True, **fields), STATES, accounts)
    assert told.cost.free_usd == free_usd
