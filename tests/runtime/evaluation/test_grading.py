"""Which answers are right, and which nobody can tell."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from runtime.evaluation.grading import Grade, grade
from runtime.evaluation.items import Item

READS = "import sys; sys.exit(0 if sys.stdin.read() == 'é right' else 1)"


def graded(text: str, folder: Path = Path(), **terms: Any) -> Grade:
    return grade(Item(id="i", prompt="p", **terms), text, folder)


@pytest.mark.parametrize(
    ("terms", "text", "right"),
    [
        ({"reference": "42"}, " 42. ", True),
        ({"reference": "42"}, "17 + 25 makes\n\n**42**", True),
        ({"reference": "42"}, "It is 42, or 43", False),
        ({"reference": "New York"}, "new  york", True),
        ({"reference": "42"}, "<think>41</think>42", True),
        ({"reference": "42"}, "", False),
        ({"contains": "If-Match"}, "Send `If-Match` along.", True),
        ({"contains": ["get", "post"]}, "GET and PATCH", False),
        ({"contains": "art"}, "to start", False),
        ({"value": {"a": [1, True]}}, '```json\n{"a": [1.0, true]}\n```', True),
        ({"value": {"a": 1}}, '{"a": true}', False),
        ({"value": {"a": 1}}, '{"a": 1, "b": 2}', False),
        ({"value": None}, "null", True),
        ({"value": 7}, "seven", False),
    ],
)
def test_comparisons(terms: dict[str, Any], text: str, right: bool) -> None:
    assert graded(text, **terms) == Grade(right)


@pytest.mark.parametrize(("text", "right"), [("é right", True), ("wrong", False)])
def test_a_checker_reads_the_answer(text: str, right: bool) -> None:
    assert graded(text, checker=[sys.executable, "-c", READS]) == Grade(right)


def test_a_checker_is_run_without_a_shell_where_its_file_is(tmp_path: Path) -> None:
    (tmp_path / "$HOME;x").touch()
    assert graded("", tmp_path, checker=["ls", "$HOME;x"]).right is True


def test_a_checker_is_given_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    asks = "import os, sys; sys.exit('OPENAI_API_KEY' in os.environ)"
    assert graded("", checker=[sys.executable, "-c", asks]).right is True


def test_a_checker_that_does_not_end_is_ended(tmp_path: Path) -> None:
    command = ["sh", "-c", "echo $$ > pid; exec sleep 600"]
    found = graded("", tmp_path, checker=command, timeout_s=0.5)
    assert found == Grade(None, "sh took longer than 0.5 s")
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_checker_that_does_not_read_still_decides() -> None:
    assert graded("x" * 1_000_000, checker=["true"]) == Grade(True)


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (["no-such-checker"], "no-such-checker: no such file or directory"),
        (["sh", "-c", "exit 3"], "sh ended with status 3"),
    ],
)
def test_a_checker_that_fails_is_no_wrong_answer(command: list[str], why: str) -> None:
    assert graded("", checker=command) == Grade(None, why)
