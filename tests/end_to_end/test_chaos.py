"""Everything at once: vendors that fail at random, requests of all modes, clients that give up."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from runtime import PlanError, Planhub
from runtime.testing import RecordedCall, Reply, judging
from tests.end_to_end.rig import (
    PATIENCE_S,
    PROMPT,
    Vendors,
    configured,
    held_nano,
    inside,
    nano,
    pool,
    spent_nano,
    until,
)

REQUESTS = 80
FAULTS = (
    Reply("the server had an error", status=500),
    Reply("slow down", status=429, headers={"retry-after-ms": "20"}),
    Reply("your account is closed", status=403),
    Reply(fault="garbage"),
    Reply(fault="noise"),
    Reply(fault="truncate"),
    Reply(fault="hang"),
    Reply(fault="close"),
    Reply(fault="reset"),
    Reply(""),
    Reply("a plan that breaks of", finish="length"),
)


class Failing:
    """Answers three calls of four."""

    def __init__(self, seed: int) -> None:
        self._draws = Random(seed)
        self._answer = judging()

    def __call__(self, call: RecordedCall) -> Reply:
        if self._draws.random() < 0.25:
            return self._draws.choice(FAULTS)
        return self._answer(call)


def fields(draws: Random) -> dict[str, Any]:
    """A request of any mode; some in a hurry, some without money."""
    wanted: dict[str, Any] = {
        "mode": draws.choice(["planning", "adversarial", "vote", "refine", "fuse"]),
        "on_partial": draws.choice(["accept", "refill", "fail"]),
        "max_latency_ms": draws.choice([50, 3_000, 3_000]),
    }
    if draws.random() < 0.2:
        wanted["max_budget_usd"] = draws.choice([0.000_1, 0.002, 0.02])
    return wanted


@pytest.mark.parametrize("seed", [1, 2])
def test_every_request_ends_and_every_sum_is_right(
    vendors: Vendors, seed: int, tmp_path: Path
) -> None:
    """In an answer or an error that says what it cost; then nothing is held, owed or running."""
    draws = Random(seed)
    vendors.openai.answers(Failing(seed))
    vendors.anthropic.answers(Failing(-seed))
    settings = {"first_byte_timeout_s": 0.1, "max_concurrency": 8}
    config = configured(vendors, provider=settings)
    with Planhub.open(config, database=tmp_path / "planhub.db") as hub:
        cells = inside(hub, hub.engine.system.statistics).cells
        futures = [hub.submit(PROMPT, **fields(draws)) for _ in range(REQUESTS)]
        for future in draws.sample(futures, REQUESTS // 10):
            future.cancel()
        ends = [_end(future) for future in futures]
        assert {type(end).__name__ for end in ends} <= {
            "PlanResult", "AllModelsFailed", "NoEligibleModel", "BudgetExceeded",
            "DeadlineExceeded", "Cancelled",
        }  # fmt: skip
        spent = sum(_spent(end) for end in ends)
        assert (spent_nano(hub), held_nano(hub)) == (spent, 0)
        for end in ends:
            assert sum(nano(_field(call, "cost_usd")) for call in end.calls or ()) == _spent(end)
        ledger = hub.ledger()
        assert (ledger.unknown_settlements, ledger.overruns) == (0, 0)

        def is_quiet() -> bool:
            now = inside(hub, hub.engine.system.statistics)
            return (now.cells, now.asks, now.mailboxed) == (cells, 0, 0)

        assert until(is_quiet)
        kernel = inside(hub, hub.engine.system.statistics)
        assert kernel.restarts == 0
        assert set(kernel.dead_letters) <= {"absent", "stopped"}  # to runs that have just ended
        assert until(lambda: all(_is_idle(hub, vendor.dialect) for vendor in vendors))


def _is_idle(hub: Planhub, provider: str) -> bool:
    status = pool(hub, provider)
    return (status.leased, status.waiting) == (0, 0)


def _end(future: Any) -> Any:
    try:
        return future.result(PATIENCE_S)
    except PlanError as error:
        return error


def _spent(end: Any) -> int:
    return nano(_field(end.cost, "spent_usd")) if end.cost else 0


def _field(told: Any, name: str) -> Any:
    return told[name] if isinstance(told, dict) else getattr(told, name)
