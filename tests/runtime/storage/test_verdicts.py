"""How judges did is on record with the end of their run, once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.judges import JudgeRecord, judge_records
from actors.protocol import JudgeVerdict, RunClosed
from runtime.storage import reports
from runtime.storage.maintenance import prune
from runtime.storage.remembered import MOST_JUDGED, Remembered
from tests.runtime.storage.books import NOW, began, commit, load, opened

VERDICTS = (
    JudgeVerdict("j", "unreadable"),
    JudgeVerdict("k", "one", True, "flipped", 3, 1, True),
)


def closed(run: str, *verdicts: JudgeVerdict) -> RunClosed:
    return RunClosed(run, "complete", b"{}", 200, NOW + 1, verdicts)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "planhub.db"


def test_an_end_that_is_told_twice_counts_once(path: Path) -> None:
    """A ledger that fell over the news is told again."""
    with opened(path) as storage:
        load(storage)
        commit(storage, began("r"), closed("r", *VERDICTS))
        commit(storage, closed("r", *VERDICTS))
    assert reports.judges(path) == judge_records(VERDICTS)


def test_records_outlive_the_engine_and_the_runs(path: Path) -> None:
    """What was asked and answered is pruned, how judges did is not."""
    for run in ("a", "b"):
        with opened(path) as storage:
            epoch = load(storage).epoch
            commit(storage, began(run), closed(run, *VERDICTS), epoch=epoch)
    assert prune(path, NOW + 9).runs == 2
    assert reports.judges(path) == judge_records(VERDICTS * 2)


def test_before_anybody_has_judged_there_is_nothing(path: Path) -> None:
    assert reports.judges(path) == ()


VERDICT: Any = st.builds(
    JudgeVerdict,
    st.sampled_from(["a", "b"]),
    st.sampled_from(["one", "tie", "none"]),
    st.booleans(),
    st.sampled_from([None, "confirmed", "settled", "flipped", "failed"]),
    st.just(3),
    st.integers(0, 3),
    st.booleans(),
) | st.builds(JudgeVerdict, st.sampled_from(["a", "b"]), st.just("unreadable"))


@given(st.lists(VERDICT, max_size=20))
def test_the_database_counts_as_the_rules_do(
    tmp_path_factory: pytest.TempPathFactory, verdicts: list[JudgeVerdict]
) -> None:
    path = tmp_path_factory.mktemp("judges") / "planhub.db"
    with opened(path) as storage:
        load(storage)
        commit(storage, began("r"), closed("r", *verdicts))
    for counted, expected in zip(reports.judges(path), judge_records(verdicts), strict=True):
        assert _without_chance(counted) == _without_chance(expected)
        assert counted.kin_by_chance == pytest.approx(expected.kin_by_chance)


def _without_chance(record: JudgeRecord) -> list[Any]:
    names = record.__struct_fields__
    return [getattr(record, name) for name in names if name != "kin_by_chance"]


def test_without_a_database_the_latest_runs_count() -> None:
    """Each once; the oldest are forgotten beyond a bound."""
    remembered = Remembered()
    remembered.write(closed("first", JudgeVerdict("old", "tie")))
    for number in range(MOST_JUDGED):
        remembered.write(closed(f"r{number}", JudgeVerdict("new", "one")))
        remembered.write(closed(f"r{number}", JudgeVerdict("new", "one")))
    assert remembered.judges() == (JudgeRecord("new", verdicts=MOST_JUDGED),)
