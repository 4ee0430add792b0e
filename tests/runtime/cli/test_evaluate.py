"""`planhub evaluate` as its user sees it, offline."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from shutil import copy
from typing import Any

import pytest

from tests.end_to_end.rig import until
from tests.end_to_end.shell import WITHIN_S, Shell

EXAMPLES = Path(__file__).parents[3] / "examples" / "questions.jsonl"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy(EXAMPLES, tmp_path / "questions.jsonl")
    return tmp_path


def evaluated(folder: Path, *more: str, status: int = 0) -> Any:
    ran = Shell(folder).run("evaluate", "questions.jsonl", "--json", *more)
    assert ran.returncode == status, ran.stderr
    return json.loads(ran.stdout)


def test_the_example_tells_ways_apart(folder: Path) -> None:
    """A heavier model says more, so it is right more often; and the picture is drawn."""
    ways = ("--model", "sim-sprinter", "--model", "sim-sage", "--picture", "worth.svg")
    told = evaluated(folder, "--max-budget-usd", "20", *ways)
    light, heavy = told["variants"]
    assert (light["variant"], heavy["variant"]) == ("sim-sprinter", "sim-sage")
    assert light["graded"] == heavy["graded"] == 10
    assert light["quality"]["high"] < heavy["quality"]["value"]
    assert light["right_per_usd"]["value"] > heavy["right_per_usd"]["value"]
    assert told["left_out"] == 0
    assert "sim-sage" in (folder / "worth.svg").read_text()


def test_another_judge_does_not_buy_the_candidates_again(folder: Path) -> None:
    first = evaluated(folder, "--max-budget-usd", "20", "--mode", "vote:voters=2")
    again = ("--mode", "vote:voters=2", "--judge", "sim-sprinter")
    told = evaluated(folder, "--max-budget-usd", "20", *again)
    same, anew = told["variants"]
    assert [same] == first["variants"]
    assert anew["variant"] == "vote:voters=2 judged by sim-sprinter"
    assert anew["graded"] == 10
    assert anew["cost_usd"] < same["cost_usd"]
    assert evaluated(folder, "--max-budget-usd", "20", *again) == told


def test_money_that_is_used_up_is_said(folder: Path) -> None:
    told = evaluated(folder, "--max-budget-usd", "0.1", status=3)
    assert told["left_out"] > 0
    assert told["spent_usd"] <= 0.1
    ran = Shell(folder).run("evaluate", "questions.jsonl", "--max-budget-usd", "0.1")
    assert ran.returncode == 3
    assert "planning" in ran.stdout
    assert "left out" in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.jsonl", "--max-budget-usd", "1"], "cannot read nowhere.jsonl: no such file"),
        (["questions.jsonl"], "--max-budget-usd"),
        (["questions.jsonl", "--max-budget-usd", "-1"], "is not an amount of money"),
        (["questions.jsonl", "--max-budget-usd", "1", "--mode", "debate"], "unknown orchestration"),
        (["questions.jsonl", "--max-budget-usd", "1", "--mode", "vote:voters=11"], "voters"),
        (["questions.jsonl", "--max-budget-usd", "1", "--mode", "vote:x"], "OPTION=VALUE"),
        (["questions.jsonl", "--max-budget-usd", "1", "--model", "gpt-9"], "unknown model: gpt-9"),
        (["questions.jsonl", "--max-budget-usd", "1", "--at-once", "0"], "--at-once"),
    ],
)
def test_wrong_use_costs_nothing(folder: Path, arguments: list[str], words: str) -> None:
    ran = Shell(folder).run("evaluate", *arguments)
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (2, "", 1)
    assert words in ran.stderr
    assert "planhub.db" not in {path.name for path in folder.rglob("*")}


def test_its_help_teaches(folder: Path) -> None:
    said = Shell(folder).run("evaluate", "--help").stdout
    for words in ("reference", "contains", "checker", "without a shell", "95 %", "--judge"):
        assert words in said


def test_an_interrupted_evaluation_goes_on(folder: Path) -> None:
    """What had ended is there; what had begun is carried on under its name."""
    shell = Shell(folder)
    ways = ("evaluate", "questions.jsonl", "--max-budget-usd", "20", "--mode", "refine")
    kept = folder / "questions.results.jsonl"
    with shell.begin(*ways) as process:
        until(lambda: kept.exists() and kept.read_bytes().count(b'"outcome"') >= 2)
        process.send_signal(signal.SIGINT)
        assert process.wait(WITHIN_S) == 130
    before = _outcomes(kept)
    assert 2 <= len(before) < 10
    told = evaluated(folder, "--max-budget-usd", "20", "--mode", "refine")
    after = _outcomes(kept)
    assert after[: len(before)] == before
    assert len(after) == told["variants"][0]["graded"] == 10
    spent = json.loads(shell.run("ledger", "--json").stdout)["rows"]
    assert sum(row["spent_usd"] for row in spent) == pytest.approx(told["spent_usd"])


def _outcomes(path: Path) -> list[bytes]:
    return [line for line in path.read_bytes().splitlines() if b'"outcome"' in line]
