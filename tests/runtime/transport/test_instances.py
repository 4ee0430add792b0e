"""Schemas are found in prompts, and met."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from runtime.transport.instances import find_schema, instance, is_verdict


def built(schema: Any, seed: int = 0) -> Any:
    return instance(schema, Random(seed), lambda name: f"some {name}")


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a", "b"]},
        {"properties": {"a": {"type": "string", "minLength": 20, "maxLength": 25}}},
        {"type": "array", "items": {"type": "integer"}, "minItems": 3, "maxItems": 4},
        {"type": "array", "items": {"type": "boolean"}, "maxItems": 1},
        {"type": "array", "prefixItems": [{"const": 1}, {"type": "null"}], "items": {"const": 2}},
        {"type": "array", "items": {"enum": ["a", "b", "c"]}, "minItems": 3, "uniqueItems": True},
        {"type": "integer", "minimum": 3, "maximum": 4},
        {"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 5},
        {"type": "integer", "maximum": -7},
        {"type": "integer", "multipleOf": 5, "minimum": 11},
        {"type": "number", "exclusiveMinimum": 0, "maximum": 0.5},
        {"type": "number", "minimum": 0, "maximum": 1},
        {"type": "number", "multipleOf": 0.5},
        {"type": ["null", "string"]},
        {"enum": [1, "two", None]},
        {"const": {"a": [1]}},
        {"anyOf": [{"type": "null"}, {"type": "string"}]},
        {"oneOf": [{"type": "integer"}, {"type": "string"}]},
        {
            "allOf": [
                {"properties": {"a": {"type": "integer"}}, "required": ["a"]},
                {"properties": {"b": {"type": "boolean"}}, "required": ["b"]},
            ],
            "type": "object",
        },
        {
            "$defs": {"point": {"type": "object", "required": ["x"],
                                "properties": {"x": {"type": "number"}}}},
            "type": "array", "items": {"$ref": "#/$defs/point"}, "minItems": 1,
        },
        {"type": "object", "properties": {"next": {"$ref": "#"}, "n": {"type": "integer"}}},
    ],
)  # fmt: skip
def test_an_instance_is_valid(schema: Any) -> None:
    """For whatever draws, and the same for the same."""
    for seed in range(10):
        Draft202012Validator(schema).validate(built(schema, seed))
        assert built(schema, seed) == built(schema, seed)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {k: {"$ref": "#"} for k in "abcdefghij"}},
        {"type": "array", "minItems": 10**9, "items": {"type": "array", "minItems": 10**9}},
        {"type": "string", "minLength": 10**12},
        {"$ref": "#"},
    ],
)
def test_a_bomb_stays_small(schema: Any) -> None:
    """A schema is anybody's text."""
    assert len(json.dumps(built(schema))) < 1_000_000


@settings(max_examples=50)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
            st.sampled_from(
                ["type", "properties", "items", "enum", "$ref", "allOf", "anyOf", "required",
                 "minimum", "maximum", "multipleOf", "minItems", "minLength", "const"]
            ),
            inner | st.sampled_from(["object", "array", "string", "integer", "number", "#"]),
            max_size=4,
        ),
        max_leaves=10,
    )
)  # fmt: skip
def test_no_schema_makes_it_raise(schema: Any) -> None:
    """Senseless ones have senseless instances."""
    built(schema)


def test_the_schema_asked_for_is_found() -> None:
    """The one after the last mention of a schema, beside other JSON."""
    text = 'Given {"a": 1} and {"type": "x"}.\nValid against this JSON Schema:\n\n{"type":"object"}'
    assert find_schema(text) == {"type": "object"}
    assert find_schema('{"properties": {}} then {"answer": 5}') == {"properties": {}}
    assert find_schema("Give me a JSON Schema for tasks") is None
    assert find_schema("{" * 100_000) is None


@pytest.mark.parametrize(
    ("choice", "verdict"),
    [
        ({"enum": ["A", "B", "tie", "none"]}, True),
        ({"enum": ["tie", "A", "none"]}, True),
        ({"enum": ["tie", "none"]}, False),
        ({"enum": ["A", "B"]}, False),
        ({"enum": [1, "tie", "none"]}, False),
        ({"enum": 5}, False),
        (5, False),
    ],
)
def test_a_verdict_is_known_by_its_choice(choice: Any, verdict: bool) -> None:
    """Labels, and both ways of not choosing."""
    assert is_verdict({"type": "object", "properties": {"choice": choice}}) is verdict
