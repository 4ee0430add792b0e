"""What real vendors refuse about the schemas that answers are to meet, in their modes and tools."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from runtime.testing.wire import RecordedCall

Schema = dict[str, Any]


class Complaint(Struct, frozen=True):
    """An error that a vendor answers instead of a text."""

    status: int
    message: str
    code: str | None = None
    param: str | None = None


_PLAIN = frozenset({
    "type", "title", "description", "enum", "const", "properties", "required",
    "additionalProperties", "items", "anyOf", "$ref", "$defs", "definitions",
})  # fmt: skip
_OPENAI_KEYWORDS = _PLAIN | {
    "pattern", "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
    "multipleOf", "minItems", "maxItems",
}  # fmt: skip
_ANTHROPIC_KEYWORDS = _PLAIN | {"format", "minItems", "allOf", "default"}
_GEMINI_KEYWORDS = (_PLAIN - {"const", "definitions"}) | {
    "format", "minimum", "maximum", "minItems", "maxItems", "prefixItems", "oneOf", "$id",
    "$anchor", "definitions",
}  # fmt: skip
_AT_THE_TOP = ("anyOf", "oneOf", "allOf", "enum", "not")


def openai_schema_complaint(call: RecordedCall) -> Complaint | None:
    if (schema := call.native_schema) is not None:
        start = "Invalid schema for response_format 'answer'"
        why = _not_strict(schema)
        return Complaint(400, f"{start}: {why}", None, "response_format") if why else None
    if (forced := call.forced_tool) is not None and (why := _no_tool(forced[1])) is not None:
        message = f"Invalid schema for function '{forced[0]}': {why}"
        code, param = "invalid_function_parameters", "tools[0].function.parameters"
        return Complaint(400, message, code, param)
    return None


def anthropic_schema_complaint(call: RecordedCall) -> Complaint | None:
    if (schema := call.native_schema) is not None:
        why = _not_structured(schema)
        return Complaint(400, f"output_config.format.schema: {why}") if why else None
    if (forced := call.forced_tool) is not None:
        if (call.body.get("thinking") or {}).get("type") == "enabled":
            return Complaint(400, "Thinking may not be enabled when tool_choice forces tool use.")
        why = _no_tool(forced[1]) or _bad_name(forced[1])
        return Complaint(400, f"tools.0.custom.input_schema: {why}") if why else None
    return None


def gemini_schema_complaint(call: RecordedCall) -> Complaint | None:
    config = call.body.get("generationConfig", {})
    if (schema := call.native_schema) is not None:
        if config.get("responseMimeType") != "application/json":
            return Complaint(400, "responseJsonSchema needs response_mime_type application/json.")
        for node in _schemas(schema):
            for name in sorted(node.keys() - _GEMINI_KEYWORDS):
                place = "generation_config.response_json_schema"
                message = f"Invalid JSON payload received. Unknown name \"{name}\" at '{place}'"
                return Complaint(400, f"{message}: Cannot find field.")
    if (forced := call.forced_tool) is not None:
        if "responseMimeType" in config:
            message = "Function calling with a response mime type: 'application/json'"
            return Complaint(400, f"{message} is unsupported")
        if (why := _no_tool(forced[1])) is not None:
            return Complaint(400, f"tools[0].function_declarations[0].parameters: {why}")
    return None


def _schemas(schema: Schema | bool) -> Iterator[Schema]:
    """A schema and all that it is made of, without what is merely true or false."""
    if isinstance(schema, bool):
        return
    yield schema
    for key in ("properties", "$defs", "definitions"):
        for inner in schema.get(key, {}).values():
            yield from _schemas(inner)
    for key in ("anyOf", "oneOf", "allOf", "prefixItems"):
        for inner in schema.get(key, ()):
            yield from _schemas(inner)
    for key in ("items", "additionalProperties"):
        yield from _schemas(schema.get(key, False))


def _not_strict(schema: Schema) -> str | None:
    if schema.get("type") != "object":
        return "schema must be a JSON Schema of 'type: \"object\"'."
    for node in _schemas(schema):
        if found := sorted(node.keys() - _OPENAI_KEYWORDS):
            return f"In context=(), '{found[0]}' is not permitted."
        if "$ref" in node and len(node.keys() - {"$defs", "definitions"}) > 1:
            return "In context=(), $ref cannot have keywords."
        if not node.keys() & {"type", "anyOf", "$ref"}:
            return "In context=(), schema must have a 'type' key."
        if "properties" in node:
            if node.get("additionalProperties") is not False:
                return "'additionalProperties' is required to be supplied and to be false."
            if missing := sorted(node["properties"].keys() ^ set(node.get("required", ()))):
                return f"'required' must be an array with every key in properties: {missing[0]}."
        if node.get("type") == "array" and not isinstance(node.get("items"), dict):
            return "In context=(), array schema missing items."
    return None


def _not_structured(schema: Schema) -> str | None:
    for node in _schemas(schema):
        if found := sorted(node.keys() - _ANTHROPIC_KEYWORDS):
            return f"For '{node.get('type')}' type, property '{found[0]}' is not supported"
        if node.get("type") == "object" and node.get("additionalProperties") is not False:
            return "For 'object' type, 'additionalProperties' must be explicitly set to false"
        if node.get("minItems", 0) > 1:
            return "For 'array' type, 'minItems' values other than 0 or 1 are not supported"
    return "Recursive schemas are not supported" if _is_recursive(schema) else _bad_name(schema)


def _is_recursive(schema: Schema) -> bool:
    named = {
        f"#/{place}/{name}": inner
        for place in ("$defs", "definitions")
        for name, inner in schema.get(place, {}).items()
    }
    root = {key: value for key, value in schema.items() if key not in ("$defs", "definitions")}

    def leads_back(node: Schema, seen: tuple[str, ...]) -> bool:
        for inner in _schemas(node):
            if (target := inner.get("$ref")) is None:
                continue
            if target in seen or leads_back(named[target], (*seen, target)):
                return True
        return False

    named["#"] = root
    return leads_back(root, ("#",))


def _no_tool(schema: Schema) -> str | None:
    if schema.get("type") != "object":
        return f"schema must be a JSON Schema of 'type: \"object\"', got {schema.get('type')}."
    at_the_top = [key for key in _AT_THE_TOP if key in schema]
    return f"schema must not have {at_the_top[0]!r} at the top level." if at_the_top else None


def _bad_name(schema: Schema) -> str | None:
    for node in _schemas(schema):
        for name in node.get("properties", ()):
            if not re.fullmatch(r"[a-zA-Z0-9_.-]{1,64}", name):
                return "properties: Property keys should match pattern '^[a-zA-Z0-9_.-]{1,64}$'"
    return None
