"""Figures with their intervals."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from runtime.evaluation.figures import Estimate, figures, wilson
from runtime.evaluation.picture import draw
from runtime.evaluation.results import Outcome


def outcome(
    right: bool | None, cost_usd: float = 0.01, seconds: float = 2.0, error: str | None = None
) -> Outcome:
    return Outcome(
        task="t", item="i", variant="v", run="r", right=right, cost_usd=cost_usd,
        seconds=seconds, error=error,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("right", "of", "low", "high"),
    [
        (8, 10, 0.4902, 0.9433),
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (50, 100, 0.4038, 0.5962),
    ],
)
def test_wilson_as_in_the_tables(right: int, of: int, low: float, high: float) -> None:
    told = wilson(right, of)
    assert (told.low, told.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


def test_nothing_is_known_of_nothing() -> None:
    told = figures("v", [])
    assert told.quality == told.right_per_usd == Estimate(None, None, None)


def test_ratios_are_of_the_sums() -> None:
    told = figures("v", [outcome(True), outcome(False, 0.03), outcome(True), outcome(True)])
    assert told.right_per_usd.value == pytest.approx(3 / 0.06)
    assert told.right_per_second.value == pytest.approx(3 / 8)
    low, high = told.right_per_usd.low, told.right_per_usd.high
    assert low is not None
    assert high is not None
    assert low < 3 / 0.06 < high
    assert told == figures("v", [outcome(True), outcome(False, 0.03), outcome(True), outcome(True)])


def test_more_items_make_narrower_intervals() -> None:
    few = [outcome(place % 3 > 0, 0.01 * (1 + place % 2)) for place in range(12)]
    widths = []
    for told in (figures("v", few), figures("v", few * 25)):
        for of in (told.quality, told.right_per_usd):
            assert of.low is not None
            assert of.high is not None
            widths.append(of.high - of.low)
    assert widths[2] < widths[0] / 3
    assert widths[3] < widths[1] / 3


def test_no_answer_is_wrong_and_no_grade_is_nothing() -> None:
    told = figures("v", [outcome(True), outcome(False, error="models_failed"), outcome(None)])
    assert (told.right, told.graded, told.failed, told.ungraded) == (1, 2, 1, 1)
    assert told.cost_usd == pytest.approx(0.03)


def test_what_is_free_has_no_ratio_to_its_price() -> None:
    assert figures("v", [outcome(True, 0.0)]).right_per_usd.value is None


def test_the_picture_names_every_variant(tmp_path: Path) -> None:
    path = tmp_path / "worth.svg"
    told = [figures("v", [outcome(True)]), figures("nobody", [])]
    draw(path, told)
    svg = path.read_text()
    assert "v: 100%, 2.0 s" in svg
    assert "nobody" not in svg
    assert "<script" not in svg


def test_drawing_leaves_the_import_system_as_it_should_be(tmp_path: Path) -> None:
    draw(tmp_path / "worth.svg", [figures("v", [outcome(True)])])
    assert version("planhub")
    assert all(hasattr(finder, "find_spec") for finder in sys.meta_path)
