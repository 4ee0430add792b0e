"""A request that is repeated by name is not paid for twice, whatever became of it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from actors.errors import BudgetExceeded, Cancelled, Conflict, DeadlineExceeded, PlanError
from runtime import Planhub
from runtime.frontends.wire import decode
from runtime.frontends.wire.equality import differ_in_policy_alone, fingerprint
from runtime.keys import ApiKey
from runtime.names import KEPT_S, Names
from runtime.testing import RecordedCall, Reply
from tests.end_to_end.rig import PATIENCE_S, PROMPT, Vendors, configured, scripted_vendors

REQUEST = b'{"request": {"messages": [{"role": "user", "content": "hi"}]%s}%s}'


@pytest.fixture
def vendors() -> Iterator[Vendors]:
    with scripted_vendors() as vendors:
        yield vendors


@pytest.fixture(params=["on disk", "in memory"])
def hub(request: pytest.FixtureRequest, vendors: Vendors, tmp_path: Path) -> Iterator[Planhub]:
    database = tmp_path / "planhub.db" if request.param == "on disk" else None
    with Planhub.open(configured(vendors), database=database) as hub:
        yield hub


def spent(hub: Planhub) -> tuple[int, int]:
    """What the installation has spent, and holds."""
    (account,) = [a for a in hub.ledger().accounts if a.owner == "installation"]
    return account.spent_nano, account.held_nano


# --- equality ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (b', "parameters": {"a": 1, "b": 2}', b', "parameters": {"b": 2.0, "a": 1}', True),
        (b', "parameters": {"a": 1}', b', "parameters": {"a": true}', False),
        (b', "parameters": {"a": [1, 2]}', b', "parameters": {"a": [2, 1]}', False),
        (b', "id": "x"', b', "id": "y"', False),
    ],
)
def test_requests_are_equal_as_values(one: bytes, other: bytes, same: bool) -> None:
    """Neither the order of names nor the spelling of numbers matters."""
    prints = [fingerprint(decode(REQUEST % (part, b""))) for part in (one, other)]
    assert (prints[0] == prints[1]) is same


def test_the_policy_may_be_told_apart() -> None:
    """What is asked for, and at which terms, are told apart."""
    cheap, dear = (
        fingerprint(decode(REQUEST % (b"", b', "policy": {"max_budget_usd": %d}' % usd)))
        for usd in (1, 2)
    )
    assert cheap != dear
    assert differ_in_policy_alone(cheap, dear)
    assert not differ_in_policy_alone(cheap, fingerprint(decode(REQUEST % (b', "id": "x"', b""))))


def test_a_name_is_known_for_a_day() -> None:
    """To its owner alone; those from the journal are as good."""
    now = 1_000_000.0
    names = Names(lambda: now)
    names.load([("k", "old", b"", "r0", now - KEPT_S - 1), ("k", "n", b"", "r1", now - 5)])
    names.give(None, "n", b"", "r2")
    assert names.find("k", "old") is None
    assert [named and named.run for named in (names.find("k", "n"), names.find(None, "n"))] == [
        *("r1", "r2"),
    ]
    assert names.find("other", "n") is None
    now += KEPT_S - 1
    assert names.find("k", "n") is None
    assert names.find(None, "n") is not None


# --- runs --------------------------------------------------------------------------------------


def test_twenty_at_once_are_one_run(vendors: Vendors, hub: Planhub) -> None:
    """All have its answer."""
    vendors.openai.hold()
    vendors.anthropic.hold()
    with ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(hub.submit, PROMPT, idempotency_key="k") for _ in range(20)]
        futures = [one.result(PATIENCE_S) for one in asked]
    for vendor in vendors:
        vendor.release()
    results = [future.result(PATIENCE_S) for future in futures]
    assert len({result.to_json() for result in results}) == 1
    assert [future.replay for future in futures].count(False) == 1
    assert len(vendors.calls) == 1


def test_a_finished_run_answers_again(vendors: Vendors, hub: Planhub) -> None:
    """Nothing is bought for it; who watches is shown what is kept of it."""
    first = hub.plan(PROMPT, idempotency_key="k")
    events = list(hub.stream(PROMPT, idempotency_key="k"))
    assert [event["event"] for event in events][-1:] == ["run_finished"]
    assert events[-1]["result"]["id"] == first.id
    assert hub.plan(PROMPT, idempotency_key="k") == first
    assert len(vendors.calls) == 1


def test_a_name_survives_a_restart(vendors: Vendors, tmp_path: Path) -> None:
    """The answer is the first one, byte by byte, and the run is known by its id."""
    results = []
    for _ in range(2):
        with Planhub.open(configured(vendors), database=tmp_path / "planhub.db") as hub:
            results.append(hub.plan(PROMPT, idempotency_key="k").to_json())
            view = hub.get(hub.submit(PROMPT, idempotency_key="k").run_id)
            assert view is not None
            assert view.status == "complete"
    assert results[0] == results[1]
    assert len(vendors.calls) == 1


@pytest.mark.parametrize("fields", [{"seed": 1}, {"max_budget_usd": 1.0}])
def test_another_request_is_refused(hub: Planhub, fields: dict[str, Any]) -> None:
    """Another policy too, once there is an answer."""
    hub.plan(PROMPT, idempotency_key="k")
    with pytest.raises(Conflict, match="idempotency key used with another request") as told:
        hub.plan(PROMPT, idempotency_key="k", **fields)
    assert (told.value.http_status, told.value.code) == (409, "idempotency_conflict")


def test_a_name_is_a_key_s_own(vendors: Vendors, hub: Planhub) -> None:
    """Another key, or none, may use it for what it likes."""
    request = decode(REQUEST % (b"", b""))
    runs = {
        hub.engine.submit(request, key=key, idempotency_key="k").run_id
        for key in (None, ApiKey("a", "alice"), ApiKey("b", "bob"), ApiKey("a", "alice"))
    }
    assert len(runs) == 3


# --- after a failure ---------------------------------------------------------------------------


def test_after_a_failure_only_what_is_missing_is_bought(vendors: Vendors, hub: Planhub) -> None:
    """The first answer was paid for, its repair failed.  What was paid counts as the run's."""
    schema = {"type": "object", "required": ["a"]}
    asked: dict[str, Any] = {"output_schema": schema, "idempotency_key": "k"}
    vendors.answer(lambda call: Reply("{}") if is_first(call) else Reply(status=400))
    with pytest.raises(PlanError) as failed:
        hub.plan(PROMPT, **asked)
    bought = len(vendors.calls)
    vendors.answer(Reply('{"a": 1}'))
    result = hub.plan(PROMPT, **asked)
    assert (result.id, result.output) == (failed.value.run, {"a": 1})
    assert [is_first(call) for call in vendors.calls[bought:]] == [False]
    statuses = [call.status for call in result.calls]
    assert (statuses[0], statuses[-1], len(statuses)) == ("invalid", "ok", bought + 1)
    assert hub.plan(PROMPT, **asked) == result
    assert spent(hub) == (round(result.cost.spent_usd * 1e9), 0)


def is_first(call: RecordedCall) -> bool:
    """Whether nothing has been answered before."""
    return all(message["role"] != "assistant" for message in call.messages)


def test_with_a_larger_budget_a_refused_run_goes_on(vendors: Vendors, hub: Planhub) -> None:
    """The policy may differ, and nothing else."""
    with pytest.raises(BudgetExceeded) as refused:
        hub.plan(PROMPT, idempotency_key="k", max_budget_usd=0.0)
    with pytest.raises(Conflict):
        hub.plan("something else", idempotency_key="k", max_budget_usd=1.0)
    result = hub.plan(PROMPT, idempotency_key="k", max_budget_usd=1.0)
    assert (result.id, result.cost.limit_usd) == (refused.value.run, 1.0)
    assert hub.plan(PROMPT, idempotency_key="k", max_budget_usd=1.0) == result
    assert len(vendors.calls) == 1


def test_with_more_time_a_late_run_goes_on(vendors: Vendors, hub: Planhub) -> None:
    """What was answered in time is not asked again, in another engine either."""
    vendors.openai.hold()
    vendors.anthropic.hold()
    with pytest.raises(DeadlineExceeded):
        hub.plan(PROMPT, idempotency_key="k", max_latency_ms=300)
    for vendor in vendors:
        vendor.release()
    result = hub.plan(PROMPT, idempotency_key="k")
    assert result.cost.spent_usd > 0
    assert [call.status for call in result.calls] == ["cancelled", "ok"]


def test_a_cancelled_run_goes_on(vendors: Vendors, hub: Planhub) -> None:
    vendors.openai.hold()
    vendors.anthropic.hold()
    future = hub.submit(PROMPT, idempotency_key="k")
    assert vendors.openai.wait_for(calls=1, timeout=PATIENCE_S) or vendors.anthropic.calls
    future.cancel()
    with pytest.raises(Cancelled):
        future.result(PATIENCE_S)
    for vendor in vendors:
        vendor.release()
    assert hub.plan(PROMPT, idempotency_key="k").id == future.run_id
