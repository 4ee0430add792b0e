"""Ledger and database together: kill it at any point, and the books still balance."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.protocol import Commit, LoadBooks
from runtime.storage import reports
from tests.actors.desk import Desk
from tests.runtime.storage.books import crashed, load, opened

LIMIT = 10_000


def work(desk: Desk, runs: list[list[int]]) -> None:
    """Each run makes its calls of ten tokens' hold, and pays what is said for each."""
    for number, costs in enumerate(runs):
        run = f"r{number}"
        desk.admit(run, 20, key="k", key_limit=5_000)
        desk.store_all()
        for attempt, cost in enumerate(costs):
            desk.reserve(f"{run}.{attempt}", 10)
            if cost < 10:
                desk.settle(f"{run}.{attempt}", cost)
        if len(costs) % 2:
            desk.end(run)


@settings(max_examples=15)
@given(
    st.lists(st.lists(st.integers(0, 10), max_size=4), max_size=4),
    st.integers(0, 30),
)
def test_a_kill_at_any_point_leaves_books_that_balance(runs: list[list[int]], kill: int) -> None:
    """No outcome without money, no money without outcome, nothing beyond the limit: what is spent
    is the sum over all attempts, the uncertain ones included, and no less than what was settled.
    """
    desk = Desk(LIMIT)
    work(desk, runs)
    commits = [message for message in (*desk.taken, *desk.inbox) if isinstance(message, Commit)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "planhub.db"
        with opened(path) as storage:
            storage.handle([LoadBooks("ledger", "t", desk.context.wall_time)])
            for message in commits[:kill]:
                storage.handle([message])
            with opened(crashed(path)) as survivor:
                accounts = {account.owner: account for account in load(survivor).accounts}
                rows = reports.ledger_rows(survivor._path)
    settled = sum(cost for costs in runs for cost in costs if cost < 10)
    if accounts:
        spent = accounts["installation"].spent_nano
        assert spent == sum(row.spent_nano for row in rows) <= LIMIT
        assert accounts["key:k"].spent_nano <= 5_000
        if kill >= len(commits):
            assert spent >= settled
