"""Items as they are written in a file, and what is wrong with others."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.evaluation.items import BadItems, read_items
from runtime.evaluation.variants import Task, of_mode, of_model

EXAMPLES = Path(__file__).parents[3] / "examples" / "questions.jsonl"


def test_the_example_is_read() -> None:
    items = read_items(EXAMPLES)
    assert len(items) == 10
    assert items[0].asked == items[0].prompt
    assert items[-1].value == {"number": 7}


def test_blank_lines_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    path.write_text('\n{"id": "a", "prompt": "x", "value": null}\n\n')
    (item,) = read_items(path)
    assert item.value is None


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "items.jsonl:2: "),
        ('{"prompt": "x", "reference": "y"}', "missing required field `id`"),
        ('{"id": "b", "prompt": "x", "reference": "y", "modle": 1}', "unknown field `modle`"),
        ('{"id": "b", "reference": "y"}', "either a prompt or messages"),
        ('{"id": "b", "prompt": "x", "messages": [], "reference": "y"}', "either a prompt or"),
        ('{"id": "b", "prompt": "x"}', "exactly one of"),
        ('{"id": "b", "prompt": "x", "reference": "y", "value": null}', "exactly one of"),
        ('{"id": "b", "prompt": "x", "checker": []}', "length >= 1"),
        ('{"id": "a", "prompt": "x", "reference": "y"}', "there is another item a"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, line: str, words: str) -> None:
    path = tmp_path / "items.jsonl"
    path.write_text('{"id": "a", "prompt": "x", "reference": "y"}\n' + line)
    with pytest.raises(BadItems) as refused:
        read_items(path)
    assert words in str(refused.value)
    assert "items.jsonl:2: " in str(refused.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadItems, match="no such file"):
        read_items(tmp_path / "nowhere.jsonl")


def test_a_mode_may_have_options() -> None:
    variant = of_mode("vote:voters=5,early_stop=true,on_partial=refill")
    assert variant.fields == {
        "mode": "vote",
        "voters": 5,
        "early_stop": True,
        "on_partial": "refill",
    }
    with pytest.raises(ValueError, match="OPTION=VALUE"):
        of_mode("vote:voters")


def test_a_task_is_known_by_all_that_is_asked() -> None:
    item, other = read_items(EXAMPLES)[:2]
    digests = {Task(i, v).digest for i in (item, other) for v in (of_mode("vote"), of_model("m"))}
    assert len(digests) == 4
    assert Task(item, of_mode("vote")).digest in digests
