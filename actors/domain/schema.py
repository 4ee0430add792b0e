"""JSON Schemas of requests: checked at the edge, validated against, never trusted.

A schema and an answer both come from outside, so none of it may fetch anything, run away or
raise: references stay inside the schema; its size, depth and expansion are bounded; what the
validator chokes on is a problem like any other.  What could still take long is :func:`is_heavy`,
for a process that can be killed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import islice
from typing import Any

import msgspec
from jsonschema import (
    Draft4Validator,
    Draft6Validator,
    Draft7Validator,
    Draft201909Validator,
    Draft202012Validator,
    ValidationError,
)
from jsonschema.exceptions import UnknownType
from jsonschema.protocols import Validator
from jsonschema_specifications import REGISTRY as SPECIFICATIONS  # type: ignore[import-untyped]
from msgspec import Struct
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from actors.domain.text import clipped
from actors.errors import BadRequest

MOST_BYTES = 32_768
MOST_SUBSCHEMAS = 1_000
"""One takes some 0.4 ms to check against its metaschema."""
MOST_DEPTH = 64
MOST_EXPANDED = 20_000
"""Subschemas that one value may be held against, references followed."""
HEAVY_BYTES = 16_384
MOST_STEPS = 20_000
"""Subschemas held against values, some 5 µs each, that are a moment's work."""
LIGHT_ITEMS = 16
"""Names or values of a list that are compared in the time of one such step."""
MOST_PROBLEMS = 5

NOT_JSON = "the answer is not JSON"

_DRAFTS: dict[str, Any] = {
    "http://json-schema.org/draft-04/schema": Draft4Validator,
    "http://json-schema.org/draft-06/schema": Draft6Validator,
    "http://json-schema.org/draft-07/schema": Draft7Validator,
    "https://json-schema.org/draft/2019-09/schema": Draft201909Validator,
    "https://json-schema.org/draft/2020-12/schema": Draft202012Validator,
}
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_NO_SCHEMA_IN = ("const", "enum", "default", "examples")
_DEFINITIONS = ("$defs", "definitions")
_SCHEMAS_BY_NAME = (
    *_DEFINITIONS,
    "properties",
    "patternProperties",
    "dependentSchemas",
    "dependencies",
)
_COSTLY = ("pattern", "patternProperties", "uniqueItems")
_REPEATED = (
    "items",
    "additionalItems",
    "unevaluatedItems",
    "contains",
    "additionalProperties",
    "unevaluatedProperties",
    "propertyNames",
)
_LISTS = ("enum", "required")
_CHOKES = (RecursionError, re.error, ArithmeticError, Unresolvable, UnknownType)


class _Compiled(Struct, frozen=True):
    """`steps` bounds what one value takes; where the schema `repeats`, each value within may take
    as many.
    """

    validator: Validator
    costly: bool
    steps: int
    repeats: bool


def check_schema(schema: bytes) -> None:
    """Raises :class:`BadRequest` (code `bad_schema`) unless answers can be held against it."""
    too_long = len(schema) > MOST_BYTES
    problem = f"longer than {MOST_BYTES} bytes" if too_long else _problem_of(schema)
    if problem is not None:
        raise BadRequest(f"invalid output_schema: {clipped(problem, 300)}", code="bad_schema")


def problems(schema: bytes, instance: bytes) -> tuple[str, ...]:
    """What is wrong with `instance` (JSON): at most five sentences with paths, none if valid.

    `schema` has passed :func:`check_schema`.
    """
    try:
        value = msgspec.json.decode(instance)
    except (msgspec.MsgspecError, RecursionError) as error:
        return (f"{NOT_JSON}: {error}",)
    try:
        found = list(islice(_compiled(schema).validator.iter_errors(value), MOST_PROBLEMS))
    except _CHOKES as error:
        return (f"the answer cannot be checked: {clipped(str(error), 200)}",)
    return tuple(_sentence(error) for error in found)


def is_heavy(schema: bytes, instance: bytes) -> bool:
    """Could :func:`problems` take more than a moment?"""
    compiled = _compiled(schema)
    if len(instance) > HEAVY_BYTES or compiled.costly:
        return True
    values = 1 + instance.count(b",") + instance.count(b":") if compiled.repeats else 1
    return compiled.steps * values > MOST_STEPS


@lru_cache(maxsize=128)
def _compiled(schema: bytes) -> _Compiled:
    """The registry is empty, so nothing but the schema itself can be referred to."""
    value = msgspec.json.decode(schema)
    draft = _draft(value) if isinstance(value, dict) else Draft202012Validator
    validator = draft(value, registry=Registry())
    if not isinstance(value, dict):
        return _Compiled(validator, costly=False, steps=1, repeats=False)
    expanded, recursive = _expansion(value)
    nodes = list(_nodes(value))
    costly = recursive or any(key in node for node in nodes for key in _COSTLY)
    repeats = any(key in node for node in nodes for key in _REPEATED)
    return _Compiled(validator, costly, expanded, repeats)


# --- at the edge ------------------------------------------------------------------------------


@lru_cache(maxsize=128)
def _problem_of(schema: bytes) -> str | None:
    try:
        value = msgspec.json.decode(schema)
    except (msgspec.MsgspecError, RecursionError) as error:
        return f"not JSON: {error}"
    if isinstance(value, bool):
        return None
    if not isinstance(value, dict):
        return "neither an object nor a boolean"
    try:
        return (
            _too_deep(value)
            or _too_many(value)
            or _unknown_draft(value)
            or _breaks_metaschema(value)
            or _leaves_itself(value)
            or _expands_too_far(value)
            or _cannot_be_used(schema)
        )
    except RecursionError:
        return "refers to itself without end"
    except _CHOKES as error:
        return str(error)


def _too_deep(schema: dict[str, Any]) -> str | None:
    level: list[Any] = [schema]
    for _ in range(MOST_DEPTH):
        level = [inner for value in level for inner in _inside(value)]
        if not level:
            return None
    return f"nested deeper than {MOST_DEPTH}"


def _too_many(schema: dict[str, Any]) -> str | None:
    held = (held for node in _nodes(schema) for held in _held(node))
    subschemas = 1 + sum(isinstance(value, dict | bool) for value in held)
    return f"{subschemas} subschemas" if subschemas > MOST_SUBSCHEMAS else None


def _unknown_draft(schema: dict[str, Any]) -> str | None:
    return None if _draft(schema) else f"unknown $schema {schema['$schema']!r}"


def _breaks_metaschema(schema: dict[str, Any]) -> str | None:
    draft = _draft(schema)
    metaschema = _metaschemas().contents(draft.ID_OF(draft.META_SCHEMA))
    checker = draft(metaschema, registry=_metaschemas(), format_checker=draft.FORMAT_CHECKER)
    error = next(checker.iter_errors(schema), None)
    return None if error is None else _sentence(error)


@cache
def _metaschemas() -> Registry[Any]:
    """Without `uniqueItems`: what appears twice does no harm, and looking for it takes as long as
    the square of a list.
    """
    kept = ((uri, _any_items(SPECIFICATIONS.contents(uri))) for uri in SPECIFICATIONS)
    return Registry().with_contents(kept)


def _any_items(metaschema: Any) -> Any:
    match metaschema:
        case dict():
            unique = metaschema.get("uniqueItems") is True
            named = metaschema.items()
            return {k: _any_items(v) for k, v in named if not (unique and k == "uniqueItems")}
        case list():
            return [_any_items(value) for value in metaschema]
        case _:
            return metaschema


def _leaves_itself(schema: dict[str, Any]) -> str | None:
    for target in (target for node in _nodes(schema) for target in _targets(node)):
        if not target.startswith("#"):
            return f"reference {target!r} leaves the schema; only #… is allowed"
    return None


def _expands_too_far(schema: dict[str, Any]) -> str | None:
    expanded, _ = _expansion(schema)
    return f"expands to {expanded} subschemas" if expanded > MOST_EXPANDED else None


def _cannot_be_used(schema: bytes) -> str | None:
    """A trial: a schema that is nothing but a reference to itself never ends."""
    for _ in _compiled(schema).validator.iter_errors(None):
        return None
    return None


# --- what a schema is made of -----------------------------------------------------------------


def _draft(schema: dict[str, Any]) -> Any:
    """The validator's class, None for a draft that nobody knows."""
    named = schema.get("$schema", "https://json-schema.org/draft/2020-12/schema")
    return _DRAFTS.get(str(named).removesuffix("#"))


def _nodes(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    waiting = [schema]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(_subschemas(node))


def _subschemas(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (held for held in _held(node) if isinstance(held, dict))


def _held(node: dict[str, Any]) -> Iterator[Any]:
    """What stands where a schema may stand."""
    for key, value in node.items():
        if key in _NO_SCHEMA_IN:
            continue
        by_name = key in _SCHEMAS_BY_NAME and isinstance(value, dict)
        yield from value.values() if by_name else value if isinstance(value, list) else (value,)


def _targets(node: dict[str, Any]) -> Iterator[str]:
    return (node[key] for key in _REFERENCES if isinstance(node.get(key), str))


def _expansion(schema: dict[str, Any]) -> tuple[int, bool]:
    """How many subschemas there are with references followed, and whether one contains itself: the
    work can then double at each level of an answer.  Long lists of values count as subschemas.

    Raises `Unresolvable` for a reference that leads nowhere.
    """
    resolver = Registry().resolver_with_root(DRAFT202012.create_resource(schema))
    sizes: dict[int, int | None] = {}
    recursive = False

    def size(node: object) -> int:
        nonlocal recursive
        if not isinstance(node, dict):
            return 1
        if id(node) in sizes:
            known = sizes[id(node)]
            recursive = recursive or known is None
            return known or 1
        sizes[id(node)] = None
        used = {key: value for key, value in node.items() if key not in _DEFINITIONS}
        inner = [*_subschemas(used), *(resolver.lookup(to).contents for to in _targets(node))]
        listed = sum(len(node[key]) for key in _LISTS if isinstance(node.get(key), list))
        total = sizes[id(node)] = 1 + listed // LIGHT_ITEMS + sum(map(size, inner))
        return total

    return size(schema), recursive


def _inside(value: object) -> Iterator[Any]:
    match value:
        case dict():
            yield from value.values()
        case list():
            yield from value


def _sentence(error: ValidationError) -> str:
    return f"{error.json_path}: {clipped(error.message, 200)}"
