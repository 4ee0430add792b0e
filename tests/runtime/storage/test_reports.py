"""What the command line and HTTP see of the books."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.protocol import RunClosed
from runtime.storage import reports
from tests.runtime.storage.books import (
    INSTALLATION,
    KEY,
    MONTH,
    NOW,
    began,
    commit,
    leased,
    load,
    opened,
    reserved,
    settled,
)

BOTH = (KEY, INSTALLATION)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "planhub.db"


def test_spent_held_and_limit_are_told_apart_while_an_engine_runs(path: Path) -> None:
    """Held is what its ledger may still spend; the installation comes first."""
    with opened(path) as storage:
        load(storage)
        commit(storage, began("r", "k"), leased(100), leased(50, KEY, 70))
        commit(storage, settled("r.1", 40, 25, BOTH))
        assert reports.limits(path) == (
            reports.LimitRow("installation", MONTH, 1000, 25, 75),
            reports.LimitRow("key:k", MONTH, 70, 25, 25),
        )
        assert reports.held(path) == 75


def test_before_anything_was_spent_all_is_empty(path: Path) -> None:
    """Asking is no error."""
    assert reports.ledger_rows(path) == ()
    assert reports.limits(path) == ()
    assert reports.uncertain(path) == ()
    assert reports.held(path) == 0
    assert reports.run(path, "r") is None
    assert reports.run_view(path, "r") is None


def test_spending_is_summed_by_key_model_mode_and_day(path: Path) -> None:
    """Attempts under way are no spending yet."""
    with opened(path) as storage:
        load(storage)
        commit(storage, began("a", "k"), began("b"), leased(500), leased(500, KEY))
        commit(
            storage, settled("a.1", 9, 7, BOTH), settled("a.2", 9, 5, BOTH), settled("b.1", 9, 3)
        )
        commit(storage, reserved("b.2", 9))
        rows = reports.ledger_rows(path)
    assert [(row.key, row.calls, row.spent_nano) for row in rows] == [(None, 1, 3), ("k", 2, 12)]


def test_an_uncertain_charge_is_put_right_in_its_accounts(path: Path) -> None:
    """Once; what a lost lease was charged to is corrected there alone."""
    with opened(path) as storage:
        load(storage)
        commit(storage, began("r", "k"), leased(300), leased(250, KEY), reserved("r.1", 100, BOTH))
        load(storage)
        reports.settle_uncertain(path, "r.1", 40)
        reports.settle_uncertain(path, f"lease:key:k:{MONTH}:1", 0)
        spent = {row.owner: row.spent_nano for row in reports.limits(path)}
        assert spent == {"installation": 240, "key:k": 40}
        assert [row.attempt for row in reports.uncertain(path)] == [f"lease:installation:{MONTH}:1"]
        with pytest.raises(reports.UnknownAttempt):
            reports.settle_uncertain(path, "r.1", 40)
        assert sum(row.spent_nano for row in reports.ledger_rows(path)) == 240


def test_a_run_is_viewed_as_it_stands(path: Path) -> None:
    """Running, answered, or failed with the body of its error."""
    with opened(path) as storage:
        load(storage)
        commit(storage, began("a"), began("b", "k"), began("c"))
        commit(storage, RunClosed("a", "degraded", b"{1}", 200, NOW))
        commit(storage, RunClosed("b", "cancelled", b"{2}", 499, NOW))
        views = [reports.run_view(path, run) for run in "abc"]
    assert [
        (view.key, view.status, view.result, view.error) for view in views if view is not None
    ] == [
        (None, "degraded", b"{1}", None),
        ("k", "cancelled", None, b"{2}"),
        (None, "running", None, None),
    ]
