"""A run that somebody wants outlives its engine; where that cannot be, it ends and says why."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from actors.errors import Draining, PlanError
from runtime import Planhub
from runtime.runs import RunView
from runtime.storage import journal, reports
from runtime.testing import RecordedCall, Reply, echo, judging
from tests.end_to_end.rig import PATIENCE_S, PROMPT, Vendors, configured, scripted_vendors, until

HANG = Reply(fault="hang")


@pytest.fixture
def vendors() -> Iterator[Vendors]:
    with scripted_vendors() as vendors:
        yield vendors


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "planhub.db"


def judge_hangs(call: RecordedCall) -> Reply:
    vote = echo(call)
    return vote if judging(otherwise=lambda _: vote)(call) is vote else HANG


def asked(vendors: Vendors, calls: int) -> None:
    assert until(lambda: len(vendors.calls) == calls)


def interrupted(vendors: Vendors, path: Path, *, content: bool = True) -> str:
    """A vote under the name `k` whose judge is being asked when the engine ends; its id."""
    vendors.answer(judge_hangs)
    config = configured(vendors, journal={"store_content": content})
    with Planhub.open(config, database=path) as hub:
        future = hub.submit(PROMPT, mode="vote", idempotency_key="k")
        asked(vendors, 4)
    with pytest.raises(Draining):
        future.result(0)
    vendors.answer(judging())
    return future.run_id


def changed(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(sql)


def ended(hub: Planhub, run: str) -> RunView:
    def view() -> RunView | None:
        seen = hub.get(run)
        return None if seen is None or seen.status == "running" else seen

    found = until(view)
    assert found is not None
    return found


def test_what_was_answered_is_not_asked_again(vendors: Vendors, path: Path) -> None:
    """The judge alone is; all that it cost is in the answer and in the books."""
    run = interrupted(vendors, path)
    assert [row.status for row in journal.runs(path)] == ["running"]
    with Planhub.open(configured(vendors), database=path) as hub:
        result = hub.plan(PROMPT, mode="vote", idempotency_key="k")
        (account,) = hub.ledger().accounts
    assert (result.id, len(vendors.calls)) == (run, 5)
    assert result.response["judge_decided"]
    assert [call.role for call in result.calls].count("voter") == 3
    assert account.spent_nano == round(result.cost.spent_usd * 1e9)
    assert [row.cost_nano for row in journal.runs(path)] == [account.spent_nano]
    assert reports.held(path) == 0


def test_it_is_carried_on_as_often_as_it_takes(vendors: Vendors, path: Path) -> None:
    """Nothing is lost by being interrupted again."""
    run = interrupted(vendors, path)
    vendors.answer(judge_hangs)
    for calls in (5, 6):
        with Planhub.open(configured(vendors), database=path):
            asked(vendors, calls)
    vendors.answer(judging())
    with Planhub.open(configured(vendors), database=path) as hub:
        assert ended(hub, run).status == "complete"
    assert len(vendors.calls) == 7


@pytest.mark.parametrize(
    ("sql", "code", "text"),
    [
        ("UPDATE steps SET body = x'00' WHERE number = 1", "journal_damaged", "is damaged"),
        ("UPDATE runs SET \"order\" = x'00'", "journal_damaged", "its order cannot be read"),
    ],
)
def test_a_damaged_journal_is_not_carried_on(
    vendors: Vendors, path: Path, sql: str, code: str, text: str
) -> None:
    """The run ends in an error that says so; whoever asks again hears the same."""
    run = interrupted(vendors, path)
    changed(path, sql)
    with Planhub.open(configured(vendors), database=path) as hub:
        error = json.loads(ended(hub, run).error or b"")
        assert (error["code"], error["id"]) == (code, run)
        assert text in error["error"]
        with pytest.raises(PlanError, match=text) as told:
            hub.plan(PROMPT, mode="vote", idempotency_key="k")
    assert (told.value.http_status, told.value.code) == (500, code)
    assert len(vendors.calls) == 4


def test_another_version_s_run_is_closed(
    vendors: Vendors, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same answers might lead it elsewhere."""
    run = interrupted(vendors, path)
    monkeypatch.setattr("runtime.survival.VERSIONS", {"vote": "another"})
    with Planhub.open(configured(vendors), database=path) as hub:
        view = ended(hub, run)
    assert view.status == "failed"
    error = json.loads(view.error or b"")
    text = "the run was begun by another version of its strategy"
    assert (error["code"], error["error"]) == ("version_changed", text)
    assert len(vendors.calls) == 4


def test_without_content_a_run_begins_anew(vendors: Vendors, path: Path) -> None:
    """It is closed; asked for again by its name, it counts what it has cost."""
    run = interrupted(vendors, path, content=False)
    config = configured(vendors, journal={"store_content": False})
    with Planhub.open(config, database=path) as hub:
        assert ended(hub, run).status == "failed"
        result = hub.plan(PROMPT, mode="vote", idempotency_key="k")
        (account,) = hub.ledger().accounts
    assert (result.id, len(vendors.calls)) == (run, 8)
    assert account.spent_nano == round(result.cost.spent_usd * 1e9)


def test_what_nobody_wants_is_cancelled(vendors: Vendors, path: Path) -> None:
    """With its engine."""
    vendors.answer(judge_hangs)
    with Planhub.open(configured(vendors), database=path) as hub:
        future = hub.submit(PROMPT, mode="vote")
        asked(vendors, 4)
    with pytest.raises(PlanError) as told:
        future.result(PATIENCE_S)
    assert told.value.code == "cancelled"
    assert [row.status for row in journal.runs(path)] == ["cancelled"]


def test_what_had_hardly_begun_is_carried_on_too(vendors: Vendors, path: Path) -> None:
    """Whether or not it had been admitted when its engine ended."""
    for vendor in vendors:
        vendor.hold()
    with Planhub.open(configured(vendors), database=path) as hub:
        future = hub.submit(PROMPT, idempotency_key="k")
    for vendor in vendors:
        vendor.release()
    assert [(row.id, row.status) for row in journal.runs(path)] == [(future.run_id, "running")]
    with Planhub.open(configured(vendors), database=path) as hub:
        assert hub.plan(PROMPT, idempotency_key="k").id == future.run_id
