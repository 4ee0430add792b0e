"""How judges do: what is counted, and the rates that follow."""

from __future__ import annotations

import pytest

from actors.domain.judges import JudgeRecord, judge_records
from actors.protocol import JudgeVerdict


def test_each_judge_has_its_record() -> None:
    """An unreadable verdict is no verdict; a second look that failed is none."""
    records = judge_records(
        [
            JudgeVerdict("b", "one", narrow=True, second_look="flipped", candidates=3),
            JudgeVerdict("b", "one", narrow=True, second_look="failed", candidates=3),
            JudgeVerdict("b", "tie", second_look="confirmed", candidates=3),
            JudgeVerdict("b", "none", candidates=3),
            JudgeVerdict("b", "unreadable"),
            JudgeVerdict("a", "tie", second_look="settled", candidates=2),
        ]
    )
    assert records == (
        JudgeRecord("a", verdicts=1, ties=1, second_looks=1),
        JudgeRecord(
            "b", verdicts=4, ties=1, nones=1, narrow=2, unreadable=1, second_looks=2, flips=1
        ),
    )
    assert (records[1].tie_rate, records[1].flip_rate) == (0.25, 0.5)
    assert records[1].unreadable_rate == 0.2


def test_what_nobody_has_done_has_no_rate() -> None:
    record = JudgeRecord("a")
    assert (record.tie_rate, record.flip_rate, record.unreadable_rate) == (None, None, None)
    assert record.family_lift is None


def test_kin_count_where_there_is_a_choice_between_families() -> None:
    """Of three candidates one is of its family and wins each time: three times chance."""
    (record,) = judge_records(
        [
            JudgeVerdict("a", "one", candidates=3, kin=1, chose_kin=True),
            JudgeVerdict("a", "one", candidates=3, kin=1, chose_kin=True),
            JudgeVerdict("a", "one", candidates=3, kin=3, chose_kin=True),
            JudgeVerdict("a", "one", candidates=3, kin=0),
            JudgeVerdict("a", "tie", candidates=3, kin=1),
        ]
    )
    assert record.family_lift == pytest.approx(3.0)
