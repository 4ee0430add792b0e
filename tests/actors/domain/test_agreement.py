"""When two answers say the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from actors.domain.agreement import MOST_COMPARED, ballot, common

SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "grade": {"enum": ["A", "a"]},
        "code": {"type": "string", "pattern": "^.+$"},
        "tags": {"type": "array", "uniqueItems": True, "items": {"$ref": "#/$defs/tag"}},
        "steps": {"type": "array", "items": {"type": "string"}},
        "pair": {"type": "array", "prefixItems": [{"type": "string"}, {"enum": ["X", "x"]}]},
        "maybe": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/set"}]},
    },
    "additionalProperties": {"const": "Any"},
    "$defs": {
        "tag": {"type": "string"},
        "set": {"type": "array", "uniqueItems": True},
        "loop": {"$ref": "#/$defs/loop"},
    },
}


def say_the_same(one: Any, other: Any, schema: Any = SCHEMA) -> bool:
    given = json.dumps(schema).encode()
    first, second = (ballot(json.dumps(value), given) for value in (one, other))
    assert first is not None
    assert second is not None
    return first == second


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"n": 1}, {"n": 1.0}, True),
        ({"n": 1}, {"n": 1.5}, False),
        ({"n": 1}, {"n": True}, False),
        ({"n": 1}, {"n": "1"}, False),
        ({"n": None}, {}, False),
        ({"n": 1, "m": 2}, {"m": 2, "n": 1}, True),
        ({"city": "  Paris. "}, {"city": "paris"}, True),
        ({"city": "Paris"}, {"city": "Lyon"}, False),
        ({"city": "1.0"}, {"city": "1"}, False),
        ({"city": "a" * 100}, {"city": "A" * 100}, False),
        ({"grade": "A"}, {"grade": "a"}, False),
        ({"code": "A"}, {"code": "a"}, False),
        ({"other": "Any"}, {"other": "any"}, False),
        ({"tags": ["x", "Y"]}, {"tags": ["y", "X"]}, True),
        ({"tags": ["x", "y"]}, {"tags": ["x"]}, False),
        ({"steps": ["x", "y"]}, {"steps": ["y", "x"]}, False),
        ({"steps": ["x", "y"]}, {"steps": ["X", "y."]}, True),
        ({"pair": ["A", "X"]}, {"pair": ["a", "X"]}, True),
        ({"pair": ["A", "X"]}, {"pair": ["A", "x"]}, False),
        ({"maybe": [1, 2]}, {"maybe": [2, 1.0]}, True),
    ],
)
def test_json_is_compared_as_its_schema_means_it(one: Any, other: Any, same: bool) -> None:
    """Numbers by value, sets without order, short texts by what they say, choices exactly."""
    assert say_the_same(one, other) is same


def test_whatever_wraps_the_json_makes_no_difference() -> None:
    schema = b'{"type":"object"}'
    fenced = '<think>7?</think>Here:\n```json\n{"n": 7.0}\n```'
    assert ballot(fenced, schema) == ballot('{"n":7}', schema)


@pytest.mark.parametrize("schema", [{"$ref": "#/$defs/loop"} | SCHEMA, {"$ref": "#x"}, True, {}])
def test_a_schema_that_says_nothing_compares_plainly(schema: Any) -> None:
    """One that leads in a circle, elsewhere, or nowhere."""
    assert say_the_same({"b": [1, 2]}, {"b": [1.0, 2]}, schema)
    assert not say_the_same({"b": [1, 2]}, {"b": [2, 1]}, schema)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("42", " **42.0** ", True),
        ("1,000", "1e3", True),
        ("0", "-0.0", True),
        ("-5", "5", False),
        ("3.5", "35", False),
        ("1" * 30, "1" * 29 + "2", False),
        ("1e999", "1e998", False),
        ("Paris", "“Paris.”", True),
        ("C++", "C", False),
        ("x²", "x2", False),
        ("yes", "<think>no?</think>Yes.", True),
    ],
)
def test_short_answers_are_compared_without_a_schema(one: str, other: str, same: bool) -> None:
    first, second = ballot(one, None), ballot(other, None)
    assert first is not None
    assert (first == second) is same


@pytest.mark.parametrize("text", ["word " * 30, "two\nlines"])
def test_a_text_agrees_with_nobody(text: str) -> None:
    """What is long or has lines is no short answer, not even to one that is the same."""
    assert ballot(text, None) is None
    assert common([ballot(text, None)] * 3, 3) is None


@pytest.mark.parametrize("text", ["no JSON", '{"a":"' + "x" * MOST_COMPARED + '"}', "[" * 5000])
def test_json_that_cannot_be_compared_agrees_with_nobody(text: str) -> None:
    assert ballot(text, b"{}") is None


@pytest.mark.parametrize(
    ("ballots", "voters", "first"),
    [
        (["a", "a"], 3, 0),
        (["b", "a", "a"], 3, 1),
        (["a", "a"], 4, None),
        (["a", "a", "b", "b"], 4, None),
        (["a", None, "a", None], 3, 0),
        ([None, None], 2, None),
        (["a"], 1, 0),
        ([], 0, None),
    ],
)
def test_most_is_more_than_half_of_the_voters(
    ballots: list[str | None], voters: int, first: int | None
) -> None:
    """Of all of them, whether or not they have answered."""
    assert common(ballots, voters) == first
