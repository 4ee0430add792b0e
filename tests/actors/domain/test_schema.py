"""Schemas of requests: what is refused at the edge, and what is said of an answer."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.schema import MOST_BYTES, check_schema, is_heavy, problems
from actors.errors import BadRequest

DRAFT_4 = "http://json-schema.org/draft-04/schema#"
NODE = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}


def encoded(value: Any) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()


def nested(depth: int) -> Any:
    schema: Any = {"type": "string"}
    for _ in range(depth):
        schema = {"items": schema}
    return schema


def doubling(levels: int) -> Any:
    defs: dict[str, Any] = {
        f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(levels)
    }
    return {"$defs": {**defs, f"d{levels}": {}}, "$ref": "#/$defs/d0"}


@pytest.mark.parametrize(
    "schema",
    [
        True,
        {},
        {"type": "object", "properties": {"a": {"enum": [1, 2]}}},
        {"$schema": "http://json-schema.org/draft-07/schema#", "definitions": {"a": {}}},
        {"$schema": "https://json-schema.org/draft/2019-09/schema"},
        {"$defs": {"node": NODE}, "$ref": "#/$defs/node"},
        {"$id": "https://example.com/s", "$defs": {"node": NODE}, "$ref": "#/$defs/node"},
        {"$defs": {"node": {"$anchor": "here"}}, "$ref": "#here"},
        {"properties": {"$ref": {"type": "string"}, "pattern": {}, "const": {}}},
        {"const": {"$ref": "http://example.com"}},
        nested(60),
    ],
)
def test_a_schema_is_accepted(schema: Any) -> None:
    """Any draft, any reference that stays inside; names and values are no keywords."""
    check_schema(encoded(schema))


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        (b"nope", "not JSON"),
        (b"[" * 20_000, "not JSON"),
        (b"\xff", "not JSON"),
        (b'{"minLength": "\\ud800"}', "not JSON"),
        ([], "neither an object nor a boolean"),
        ("text", "neither an object nor a boolean"),
        ({"type": "objekt"}, r"\$\.type: 'objekt'"),
        ({"required": "a"}, "is not of type 'array'"),
        ({"pattern": "("}, "is not a 'regex'"),
        ({"$ref": 5}, "is not of type 'string'"),
        ({"$schema": "https://example.com/draft"}, "unknown .schema"),
        ({"$schema": 7}, "unknown .schema"),
        ({"$ref": "https://example.com/s"}, "leaves the schema"),
        ({"$ref": "file:///etc/passwd"}, "leaves the schema"),
        ({"items": [{"not": {"$dynamicRef": "other#a"}}]}, ""),
        ({"items": {"not": {"$dynamicRef": "other#a"}}}, "leaves the schema"),
        ({"$id": "https://example.com/a", "$ref": "b"}, "leaves the schema"),
        ({"$ref": "#/$defs/missing"}, "does not exist"),
        ({"$ref": "#"}, "refers to itself without end"),
        (
            {
                "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}},
                "$ref": "#/$defs/a",
            },
            "",
        ),
        (doubling(40), "expands to"),
        (nested(80), "nested deeper"),
        ({"description": "x" * MOST_BYTES}, "longer than"),
    ],
)
def test_a_schema_is_refused_with_the_reason(schema: Any, why: str) -> None:
    """400 `bad_schema`: before anything is paid."""
    with pytest.raises(BadRequest, match=f"invalid output_schema: .*{why}") as caught:
        check_schema(encoded(schema))
    assert caught.value.code == "bad_schema"
    assert len(caught.value.text) < 400


KEYWORDS = st.sampled_from(
    ["$ref", "$id", "$schema", "$defs", "$anchor", "items", "type", "allOf", "not", "properties"]
)
SCHEMAS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["#", "#/$defs/a", "object", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYWORDS, inner, max_size=4),
    max_leaves=12,
)


@given(SCHEMAS)
def test_any_json_is_accepted_or_refused(schema: Any) -> None:
    """Never a crash; what is accepted can be validated against."""
    try:
        check_schema(encoded(schema))
    except BadRequest:
        return
    assert isinstance(problems(encoded(schema), b'{"a": [1, "x"]}'), tuple)


def test_problems_are_sentences_with_paths() -> None:
    """At most five, and none for what is valid."""
    schema = encoded({"type": "array", "items": {"type": "object", "required": ["id"]}})
    assert problems(schema, b'[{"id": 1}]') == ()
    assert problems(schema, b'[{"id": 1}, {}]') == ("$[1]: 'id' is a required property",)
    assert len(problems(schema, b"[" + b"1," * 50 + b"1]")) == 5
    assert all(len(problem) < 300 for problem in problems(schema, b'"' + b"x" * 5000 + b'"'))


def test_boolean_schemas_hold() -> None:
    """True allows everything, false nothing."""
    assert problems(b"true", b"1") == ()
    assert len(problems(b"false", b"1")) == 1


@pytest.mark.parametrize("instance", [b"nope", b"", b"\xff", b"NaN", b"[" * 100_000])
def test_what_is_not_json_is_a_problem(instance: bytes) -> None:
    """It is said, not raised."""
    (problem,) = problems(b"{}", instance)
    assert problem.startswith("the answer is not JSON")


def test_what_the_validator_chokes_on_is_a_problem() -> None:
    """Depth of the answer against a recursive schema, and arithmetic that overflows."""
    recursive = encoded({"$defs": {"node": NODE}, "$ref": "#/$defs/node"})
    deep = b'{"next":' * 400 + b"{}" + b"}" * 400
    (problem,) = problems(recursive, deep)
    assert problem.startswith("the answer cannot be checked")
    (problem,) = problems(b'{"multipleOf": 0.1}', b"1" + b"0" * 400)
    assert problem.startswith("the answer")


@pytest.mark.parametrize(
    ("schema", "heavy"),
    [
        ({"type": "object"}, False),
        ({"properties": {"pattern": {"type": "string"}}}, False),
        ({"$defs": {"a": {"type": "string"}}, "items": {"$ref": "#/$defs/a"}}, False),
        ({"properties": {"a": {"pattern": "^(a+)+$"}}}, True),
        ({"patternProperties": {"^a": {}}}, True),
        ({"items": {"anyOf": [{"uniqueItems": True}]}}, True),
        ({"$defs": {"node": NODE}, "$ref": "#/$defs/node"}, True),
    ],
)
def test_what_may_take_long_is_heavy(schema: Any, heavy: bool) -> None:
    """Patterns, uniqueness, recursion: work that the answer's size does not bound."""
    assert is_heavy(encoded(schema), b"{}") is heavy


def test_a_long_answer_is_heavy() -> None:
    """Whatever the schema."""
    assert not is_heavy(b"{}", b" " * 16_384)
    assert is_heavy(b"{}", b" " * 16_385)


@pytest.mark.parametrize(
    "schema",
    [
        {"$schema": DRAFT_4, "enum": [{"a": i} for i in range(2_900)]},
        {"type": [i if i % 2 else str(i) for i in range(4_800)]},
        {"anyOf": [{}] * 9_000},
        {"anyOf": [True] * 6_000},
        {"required": [str(i) for i in range(4_000)]},
    ],
    ids=["values in pairs", "types", "empty", "booleans", "names"],
)  # fmt: skip
def test_a_schema_is_checked_in_steps_that_its_size_bounds(schema: Any) -> None:
    """No form of 32 KiB takes long to look at: nothing in it is held against everything else."""
    body = encoded(schema)
    assert len(body) <= MOST_BYTES
    steps = 0

    def count(frame: FrameType, event: str, arg: object) -> None:
        nonlocal steps
        steps += event == "call"

    sys.setprofile(count)
    try:
        with suppress(BadRequest):
            check_schema(body)
    finally:
        sys.setprofile(None)
    assert steps < 50 * MOST_BYTES


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"items": {"anyOf": [{"type": "string"}] * 990}}, [1] * 2_000),
        ({"items": {"enum": list(range(6_000))}}, [5_999] * 3_000),
        ({"items": {"required": [str(i) for i in range(4_000)]}}, [{}] * 3_000),
        ({"additionalProperties": {"enum": [""] * 9_000}}, dict.fromkeys(map(str, range(999)))),
    ],
    ids=["anyOf", "enum", "required", "properties"],
)  # fmt: skip
def test_much_against_much_is_heavy(schema: Any, value: Any) -> None:
    """A schema and an answer of some KiB each can multiply to a minute."""
    check_schema(encoded(schema))
    assert is_heavy(encoded(schema), encoded(value))


def test_an_ordinary_answer_is_not_heavy() -> None:
    """Fifty tasks of ten fields each are held against their schema at once."""
    fields = {f"field_{i}": {"type": "string"} for i in range(10)}
    schema = {"type": "array", "items": {"type": "object", "properties": fields}}
    value = [dict.fromkeys(fields, "some words")] * 50
    assert not is_heavy(encoded(schema), encoded(value))
