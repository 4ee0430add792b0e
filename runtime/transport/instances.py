"""JSON Schemas in prompts, and values that meet the simple ones: how a stand-in for a model obeys.

Serves the simulated vendor and the scripted one.  Covers `type`, `properties`, `required`, `items`,
`enum`, `const`, local `$ref`, `anyOf`, `oneOf`, `allOf` and the bounds of numbers, strings and
arrays; not `pattern`.  The values of an `enum` differ from item to item of an array while there are
enough: one finding for each label.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Any, TypeAlias

from actors.domain.text import values_in

Schema: TypeAlias = dict[str, Any]
Words: TypeAlias = Callable[[str], str]
"""A text for a property of that name."""

_MARKS = ("properties", "items", "enum", "const", "anyOf", "oneOf", "allOf", "$ref", "$schema")
_TYPES = ("object", "array", "string", "integer", "number", "boolean", "null")
_DEEPEST = 12
_MOST_VALUES = 2_000
_LONGEST = 10_000

UNDECIDED = ("tie", "none")
"""What a verdict's choice may be besides a label."""


def find_schema(text: str) -> Schema | None:
    """The JSON Schema that a text asks to be met: the first after its last mention of one."""
    said = text[max(text.rfind("JSON Schema"), 0) :]
    return next((value for _, _, value in values_in(said) if _is_schema(value)), None)


def is_verdict(schema: Schema) -> bool:
    """Whether a schema is that of a choice among labels, `tie` and `none`."""
    match schema:
        case {"type": "object", "properties": {"choice": {"enum": list(values)}}}:
            texts = all(isinstance(value, str) for value in values)
            return texts and len(values) > len(UNDECIDED) and set(UNDECIDED) <= set(values)
    return False


def _is_schema(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    kind = value.get("type")
    typed = isinstance(kind, str) and kind in _TYPES
    return (typed and len(value) <= 2) or any(mark in value for mark in _MARKS)


def instance(schema: Schema, random: Random, words: Words) -> Any:
    """A value that meets `schema`: the same for the same draws.  None for a senseless schema."""
    try:
        return _Builder(schema, random, words).build(schema, "", 0)
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
        return None


class _Builder:
    def __init__(self, root: Schema, random: Random, words: Words) -> None:
        self.root = root
        self.random = random
        self.words = words
        self.place = -1  # in the innermost array, or -1 outside of any
        self.left = _MOST_VALUES

    def build(self, schema: Any, name: str, depth: int) -> Any:
        self.left -= 1
        if not isinstance(schema, dict) or self.left < 0:
            return self.words(name)
        schema = self._flat(schema, depth)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._one_of(schema["enum"])
        kind = schema.get("type") or _implied(schema)
        if isinstance(kind, list):
            kind = next((k for k in kind if k != "null"), "null")
        match kind:
            case "object":
                return self.object(schema, depth)
            case "array":
                return self.array(schema, name, depth)
            case "integer":
                return self.integer(schema)
            case "number":
                return self.number(schema)
            case "boolean":
                return self.random.random() < 0.5
            case "null":
                return None
        return self.string(schema, name)

    def _flat(self, schema: Schema, depth: int) -> Schema:
        """With its reference, alternative and conjunction put into its place."""
        if depth > _DEEPEST:
            return schema
        flat = dict(schema)
        parts: list[Any] = [self._referred(flat.pop("$ref"))] if "$ref" in flat else []
        parts += flat.pop("allOf", [])
        for choice in ("anyOf", "oneOf"):
            parts += [p for p in flat.pop(choice, []) if p != {"type": "null"}][:1]
        for part in parts:
            if isinstance(part, dict):
                flat = _merged(flat, self._flat(part, depth + 1))
        return flat

    def _referred(self, reference: Any) -> Any:
        found: Any = self.root
        for step in str(reference).removeprefix("#").strip("/").split("/"):
            if step:
                found = found.get(step, {}) if isinstance(found, dict) else {}
        return found

    def _one_of(self, values: list[Any]) -> Any:
        decided = [value for value in values if value not in UNDECIDED] or values
        return self.random.choice(decided) if self.place < 0 else decided[self.place % len(decided)]

    def object(self, schema: Schema, depth: int) -> dict[str, Any]:
        properties = schema.get("properties", {})
        required = schema.get("required", [])
        wanted = required if depth > _DEEPEST // 2 else [*properties, *required]
        return {k: self.build(properties.get(k, {}), k, depth + 1) for k in dict.fromkeys(wanted)}

    def array(self, schema: Schema, name: str, depth: int) -> list[Any]:
        first = [self.build(s, name, depth + 1) for s in schema.get("prefixItems", [])]
        least, most = schema.get("minItems", 0), schema.get("maxItems", math.inf)
        usual = 0 if depth > _DEEPEST // 2 else 2
        size = int(min(max(least, usual, len(first)), most, _MOST_VALUES))
        items, outer, values = schema.get("items", {}), self.place, first
        for self.place in range(len(first), size):
            values.append(self.build(items, name, depth + 1))
        self.place = outer
        return values

    def string(self, schema: Schema, name: str) -> str:
        text = _FORMATS.get(schema.get("format", ""), "") or self.words(name)
        least, most = schema.get("minLength", 0), schema.get("maxLength")
        return text.ljust(min(least, _LONGEST), ".")[:most]

    def integer(self, schema: Schema) -> int:
        step = schema.get("multipleOf", 1)
        low, high = _bounds(schema, step)
        first = math.ceil(low / step)
        count = 4 if high == math.inf else max(math.floor(high / step) - first, 0)
        return int((first + self.random.randint(0, min(count, 4))) * step)

    def number(self, schema: Schema) -> float:
        if "multipleOf" in schema:
            return self.integer(schema)
        low, high = _bounds(schema, 0)
        low = math.nextafter(low, math.inf) if "exclusiveMinimum" in schema else low
        return low + 0.5 * ((low + 1 if high == math.inf else high) - low)


_FORMATS = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "email": "someone@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def _implied(schema: Schema) -> str:
    if "properties" in schema or "required" in schema:
        return "object"
    return "array" if "items" in schema or "prefixItems" in schema else "string"


def _merged(a: Schema, b: Schema) -> Schema:
    merged = {**b, **a}
    if "properties" in a and "properties" in b:
        merged["properties"] = {**b["properties"], **a["properties"]}
    if "required" in a and "required" in b:
        merged["required"] = [*a["required"], *b["required"]]
    return merged


def _bounds(schema: Schema, step: float) -> tuple[float, float]:
    low = schema.get("minimum", schema.get("exclusiveMinimum", -step if step else 0) + step)
    high = schema.get("maximum", schema.get("exclusiveMaximum", math.inf) - step)
    if "minimum" not in schema and "exclusiveMinimum" not in schema:
        low = min(0, high)
    return low, high
