"""A schema is sent in a form that the mode takes and that asks for no more, or not at all."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.schema import problems
from runtime.dialects.anthropic import STRUCTURED
from runtime.dialects.forms import Form, as_tool, fitted
from runtime.dialects.gemini import RESPONSE
from runtime.dialects.openai import STRICT
from runtime.testing.schemas import (
    anthropic_schema_complaint,
    gemini_schema_complaint,
    openai_schema_complaint,
)
from runtime.testing.wire import RecordedCall
from runtime.transport.instances import instance

FORMS = {"openai": STRICT, "anthropic": STRUCTURED, "gemini": RESPONSE}


def an(**properties: Any) -> dict[str, Any]:
    """An object that requires all it names."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def closed(**properties: Any) -> dict[str, Any]:
    return {**an(**properties), "additionalProperties": False}


STRING, INTEGER = {"type": "string"}, {"type": "integer"}
TREE = closed(v=STRING, more={"type": "array", "items": {"$ref": "#"}})


def written(schema: Any, form: Form) -> Any:
    raw = fitted(msgspec.json.encode(schema), form)
    return None if raw is None else msgspec.json.decode(raw)


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (an(a=STRING), closed(a=STRING)),
        (an(a={"type": "string", "minLength": 1, "default": "x"}), closed(a=STRING)),
        (an(a={"type": "string", "pattern": "^a+$"}),
         closed(a={"type": "string", "pattern": "^a+$"})),
        (an(a={"type": "string", "pattern": "^(?!b)"}), closed(a=STRING)),
        (an(a={"enum": ["x", "y"]}), closed(a={"enum": ["x", "y"], "type": "string"})),
        (an(a={"enum": ["x", None], "type": ["string", "null"]}),
         closed(a={"enum": ["x", None], "type": ["string", "null"]})),
        (an(a={"oneOf": [STRING, INTEGER]}), closed(a={"anyOf": [STRING, INTEGER]})),
        (an(a=an(b=INTEGER)), closed(a=closed(b=INTEGER))),
        ({"$schema": "http://json-schema.org/draft-07/schema#", **an(a=STRING)}, closed(a=STRING)),
        ({**an(a={"$ref": "#/$defs/b"}), "$defs": {"b": an(c=STRING)}},
         {**closed(a={"$ref": "#/$defs/b"}), "$defs": {"b": closed(c=STRING)}}),
        (TREE, TREE),
    ],
)  # fmt: skip
def test_what_fits_openai_s_strict_mode(schema: Any, strict: Any) -> None:
    """Open objects are closed, bounds it does not know are left out."""
    assert written(schema, STRICT) == strict


@pytest.mark.parametrize(
    "schema",
    [
        True,
        {},
        {"type": "array", "items": STRING},
        {"type": "object"},
        {"anyOf": [an(a=STRING)]},
        {**an(a=STRING), "required": []},
        {**an(a=STRING), "required": ["a", "b"]},
        {**an(a=STRING), "additionalProperties": True},
        {**an(a=STRING), "additionalProperties": STRING},
        {**an(a=STRING), "patternProperties": {"x": STRING}},
        {**an(a=STRING), "anyOf": [{"required": ["a"]}]},
        an(a={}),
        an(a=True),
        an(a={"type": "array"}),
        an(a={"allOf": [STRING]}),
        an(a={"not": STRING}),
        an(a={"enum": ["x", 1]}),
        an(a={"$ref": "#/properties/b"}, b=STRING),
        an(a={"$ref": "#/$defs/nowhere"}),
        an(a={"$ref": "#", "minProperties": 1}),
    ],
)
def test_what_does_not_fit_openai_s_strict_mode(schema: Any) -> None:
    """Its structure asks for what the mode refuses."""
    assert written(schema, STRICT) is None


def test_what_the_other_modes_take() -> None:
    """Anthropic's leaves properties out, but knows no recursion; Gemini's leaves objects open."""
    optional = {**an(a=STRING, b=INTEGER), "required": ["a"]}
    assert written(optional, STRUCTURED) == {**optional, "additionalProperties": False}
    assert written(optional, RESPONSE) == optional
    assert written(TREE, STRUCTURED) is None
    assert written(TREE, RESPONSE) is None
    array = {"type": "array", "items": STRING, "minItems": 2}
    assert written(array, RESPONSE) == array
    assert written(array, STRUCTURED) is None
    assert written(an(a=array), STRUCTURED) == closed(a={"type": "array", "items": STRING})
    assert written(an(a={"const": "x"}), RESPONSE) == an(a={"enum": ["x"], "type": "string"})
    assert written(an(**{"a b": STRING}), STRUCTURED) is None
    assert written({"type": "object", "additionalProperties": INTEGER}, RESPONSE) is not None


@pytest.mark.parametrize(
    ("schema", "fits"),
    [
        (an(a={"not": STRING}), True),
        ({"type": "object"}, True),
        ({"type": "object", "$schema": "http://json-schema.org/draft-07/schema#"}, True),
        ({"type": "object", "$schema": "http://json-schema.org/draft-04/schema#"}, False),
        (an(a={"type": "array", "items": [STRING]}), False),
        ({"type": "array", "items": STRING}, False),
        ({**an(a=STRING), "anyOf": [{"required": ["a"]}]}, False),
        (True, False),
    ],
)
def test_a_tool_takes_any_object(schema: Any, fits: bool) -> None:
    raw = as_tool(msgspec.json.encode(schema), STRICT)
    assert (raw is not None) is fits
    if raw is not None:
        assert "$schema" not in msgspec.json.decode(raw)


# --- any schema -----------------------------------------------------------------------------------

LEAVES = st.sampled_from([
    STRING, INTEGER, {"type": "boolean"}, {"type": ["string", "null"]}, {"enum": ["x", "y"]},
    {"type": "string", "format": "date"}, {"type": "string", "minLength": 2},
    {"type": "integer", "minimum": 2, "maximum": 9}, {"const": 3}, {}, True, {"not": STRING},
    {"$ref": "#/$defs/d"}, {"$ref": "#"}, {"type": "number", "description": "n"},
])  # fmt: skip


def _wider(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    named = st.dictionaries(st.sampled_from(["a", "b", "c d"]), inner, min_size=1)
    return st.one_of(
        st.builds(_object, named, st.booleans(), st.sampled_from([None, False, True])),
        st.builds(
            lambda i, n: {"type": "array", "items": i, "minItems": n}, inner, st.integers(0, 3)
        ),
        st.builds(lambda a, b, k: {k: [a, b]}, inner, inner, st.sampled_from(["anyOf", "oneOf"])),
    )


def _object(named: dict[str, Any], all_of_it: bool, more: bool | None) -> dict[str, Any]:
    required = list(named) if all_of_it else list(named)[:1]
    schema = {"type": "object", "properties": named, "required": required}
    return schema if more is None else {**schema, "additionalProperties": more}


SCHEMAS = st.recursive(LEAVES, _wider, max_leaves=6).flatmap(
    lambda s: st.sampled_from([s, _object({"a": s}, all_of_it=True, more=None)])
)


@given(schema=SCHEMAS)
def test_no_strict_vendor_refuses_what_fits(schema: Any) -> None:
    """Whatever the schema: it is sent as the vendor takes it, or not in that way."""
    if isinstance(schema, dict):
        schema = {**schema, "$defs": {"d": an(x=STRING)}}
    data = msgspec.json.encode(schema)
    native = {name: fitted(data, form) for name, form in FORMS.items()}
    tools = {name: as_tool(data, form) for name, form in FORMS.items()}
    if (raw := native["openai"]) is not None:
        body = {"response_format": {"json_schema": {"schema": msgspec.json.decode(raw)}}}
        assert openai_schema_complaint(_call(body)) is None
    if (raw := native["anthropic"]) is not None:
        body = {"output_config": {"format": {"schema": msgspec.json.decode(raw)}}}
        assert anthropic_schema_complaint(_call(body)) is None
    if (raw := native["gemini"]) is not None:
        config = {"responseMimeType": "application/json"}
        body = {"generationConfig": {**config, "responseJsonSchema": msgspec.json.decode(raw)}}
        assert gemini_schema_complaint(_call(body)) is None
    if (raw := tools["anthropic"]) is not None:
        tool = {"name": "answer", "input_schema": msgspec.json.decode(raw)}
        assert anthropic_schema_complaint(_call(_forced(tool))) is None


def _call(body: dict[str, Any]) -> RecordedCall:
    return RecordedCall("/", {}, body)


def _forced(tool: Any) -> dict[str, Any]:
    return {"tools": [tool], "tool_choice": {"type": "tool", "name": "answer"}}


@given(schema=SCHEMAS, seed=st.integers(0, 9))
def test_what_fits_asks_for_nothing_that_the_schema_forbids(schema: Any, seed: int) -> None:
    """But for bounds that are left out, of which there are none here."""
    data = msgspec.json.encode(schema)
    if any(word in data for word in (b"minLength", b"minItems", b"$ref", b"oneOf", b"date")):
        return
    for form in FORMS.values():
        if (raw := fitted(data, form)) is not None:
            made = instance(msgspec.json.decode(raw), Random(seed), lambda name: f"w {name}")
            assert problems(data, msgspec.json.encode(made)) == ()
