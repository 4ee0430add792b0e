"""Which JSON Schemas the modes of a vendor take, and as what they must be written there.

A native mode takes a part of JSON Schema, and refuses a request with anything else.  So a schema is
rewritten into what asks for the same or for less: bounds that the mode does not know are left out
(the conversation names them, and the answer is held against the whole schema anyway), and an object
that leaves open what else it may hold is closed.  One whose structure does not fit is not sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, TypeAlias

import msgspec
from msgspec import Raw, Struct

Schema: TypeAlias = dict[str, Any]


class Form(Struct, frozen=True):
    """What a vendor's native mode takes besides structure.

    `bounds` are the keywords it knows of those that only narrow a value down.  `closed`: objects
    must say that they hold nothing else; `complete`: and require all they name; `any_root`: the
    whole may be other than an object; `tuples`: it knows `prefixItems`; `recursive`: a definition
    may contain itself.
    """

    bounds: frozenset[str]
    formats: frozenset[str]
    closed: bool = True
    complete: bool = False
    recursive: bool = False
    any_root: bool = False
    tuples: bool = False
    constants: bool = True
    most_least_items: int = 2**31
    deepest: int = 64
    names: str = ""
    """What the names of properties must match, in whole."""


_NARROWING = frozenset({
    "pattern", "format", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum",
    "exclusiveMaximum", "multipleOf", "minItems", "maxItems", "uniqueItems", "minProperties",
    "maxProperties",
})  # fmt: skip
_SAYING = frozenset({
    "$comment", "default", "deprecated", "examples", "readOnly", "writeOnly", "title",
    "description",
})  # fmt: skip
"""Keywords that no value can break."""

_DEFINITIONS = ("$defs", "definitions")
_REFERENCE = re.compile(r"#(/(\$defs|definitions)/[^/%~]+)?")
_ODD_PATTERN = re.compile(r"\(\?|\\[1-9bBAZpP]")
_NO_TOOL = frozenset({"$ref", "anyOf", "oneOf", "allOf", "enum", "const", "not", "if"})
"""What may not stand at the top of a tool's schema."""


class _Unfit(Exception):
    """The schema cannot be written in this form."""


@lru_cache(maxsize=256)
def fitted(schema: bytes, form: Form) -> Raw | None:
    """`schema` as the native mode takes it; None when it does not."""
    value = msgspec.json.decode(schema)
    if not isinstance(value, dict):
        return None
    try:
        return Raw(msgspec.json.encode(_Fitting(value, form).whole()))
    except _Unfit:
        return None


@lru_cache(maxsize=256)
def as_tool(schema: bytes, form: Form) -> Raw | None:
    """`schema` as what a tool takes, which is an object always; None when it is none."""
    value = msgspec.json.decode(schema)
    if not isinstance(value, dict) or value.get("type") != "object" or _NO_TOOL & value.keys():
        return None
    draft = str(value.pop("$schema", ""))
    if "draft-04" in draft or any(isinstance(node.get("items"), list) for node in _nodes(value)):
        return None
    if not all(re.fullmatch(form.names, name) for name in _property_names(value) if form.names):
        return None
    return Raw(msgspec.json.encode(value))


def _nodes(value: Any) -> Iterator[Schema]:
    """All objects within, schemas or not."""
    waiting = [value]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


def _property_names(schema: Schema) -> Iterator[str]:
    for node in _nodes(schema):
        if isinstance(named := node.get("properties"), dict):
            yield from named


class _Fitting:
    """One schema on its way into a form."""

    def __init__(self, schema: Schema, form: Form) -> None:
        self._schema = schema
        self._form = form
        self._definition = "#"
        self._uses: dict[str, set[str]] = {"#": set()}

    def whole(self) -> Schema:
        rest = {k: v for k, v in self._schema.items() if k not in ("$schema", *_DEFINITIONS)}
        if not self._form.any_root and rest.get("type") != "object":
            raise _Unfit
        fitted = self._node(rest, 0)
        for place in _DEFINITIONS:
            if isinstance(named := self._schema.get(place), dict):
                fitted[place] = {k: self._defined(f"#/{place}/{k}", v) for k, v in named.items()}
        self._check_references()
        return fitted

    def _defined(self, place: str, node: Any) -> Schema:
        self._definition = place
        self._uses[place] = set()
        return self._node(node, 0)

    def _check_references(self) -> None:
        """All lead somewhere; and in a form that is not recursive none leads back."""
        left = dict(self._uses)
        if not set().union(*left.values()) <= left.keys():
            raise _Unfit
        while ends := [name for name, uses in left.items() if not uses & left.keys()]:
            for name in ends:
                del left[name]
        if left and not self._form.recursive:
            raise _Unfit

    def _node(self, node: Any, depth: int) -> Schema:
        if not isinstance(node, dict) or depth > self._form.deepest:
            raise _Unfit
        if "$ref" in node:
            return self._reference(node)
        fitted: Schema = {}
        for key, value in node.items():
            fitted |= self._keyword(key, value, depth + 1)
        return self._typed(node, fitted)

    def _reference(self, node: Schema) -> Schema:
        """Stands alone, or the modes refuse it."""
        target = node["$ref"]
        if not isinstance(target, str) or not _REFERENCE.fullmatch(target):
            raise _Unfit
        if node.keys() - _SAYING != {"$ref"}:
            raise _Unfit
        self._uses[self._definition].add(target)
        return {"$ref": target}

    def _keyword(self, key: str, value: Any, depth: int) -> Schema:
        match key:
            case "type" | "required" | "enum" | "title" | "description":
                return {key: value}
            case "const":
                return {key: value} if self._form.constants else {"enum": [value]}
            case "properties":
                return {key: self._properties(value, depth)}
            case "items":
                return {key: self._node(value, depth)}
            case "prefixItems" if self._form.tuples:
                return {key: [self._node(one, depth) for one in value]}
            case "anyOf" | "oneOf":
                return {"anyOf": [self._node(one, depth) for one in value]}
            case "additionalProperties":
                return self._additional(value, depth)
            case _ if key in _NARROWING:
                return {key: value} if self._knows(key, value) else {}
            case _ if key in _SAYING:
                return {}
        raise _Unfit

    def _properties(self, named: Schema, depth: int) -> Schema:
        if self._form.names and not all(re.fullmatch(self._form.names, name) for name in named):
            raise _Unfit
        return {name: self._node(value, depth) for name, value in named.items()}

    def _additional(self, value: Any, depth: int) -> Schema:
        if value is False or (value is True and not self._form.closed):
            return {"additionalProperties": value}
        if self._form.closed:
            raise _Unfit
        return {"additionalProperties": self._node(value, depth)}

    def _knows(self, key: str, value: Any) -> bool:
        match key:
            case "format":
                return value in self._form.formats
            case "pattern" if _ODD_PATTERN.search(value):
                return False
            case "minItems" if value > self._form.most_least_items:
                return False
            case "exclusiveMinimum" | "exclusiveMaximum" if isinstance(value, bool):
                return False  # as the fourth draft has it
        return key in self._form.bounds

    def _typed(self, node: Schema, fitted: Schema) -> Schema:
        """Each has a type, or is a choice among such and nothing else."""
        if "anyOf" in fitted:
            if ("anyOf" in node and "oneOf" in node) or fitted.keys() - _SAYING != {"anyOf"}:
                raise _Unfit
            return fitted
        if "type" not in fitted and fitted.keys() & {"enum", "const"}:
            fitted["type"] = self._type_of(fitted.get("enum", [fitted.get("const")]))
        kinds = fitted.get("type", [])
        kinds = [kinds] if isinstance(kinds, str) else kinds
        has_items, has_names = fitted.keys() & {"items", "prefixItems"}, "properties" in fitted
        if not kinds or ("array" in kinds) != bool(has_items):
            raise _Unfit
        if ("object" in kinds) != has_names and (self._form.closed or has_names):
            raise _Unfit
        return self._object(fitted) if has_names else fitted

    def _type_of(self, values: list[Any]) -> str:
        """The one type that values without a named one have."""
        kinds = {type(value) for value in values}
        names = {str: "string", int: "integer", bool: "boolean"}
        if len(kinds) != 1 or not kinds <= names.keys():
            raise _Unfit
        if bool in kinds and not self._form.constants:
            raise _Unfit
        return names[kinds.pop()]

    def _object(self, fitted: Schema) -> Schema:
        named, required = fitted["properties"].keys(), set(fitted.get("required", ()))
        if not required <= named or (self._form.complete and required != named):
            raise _Unfit
        if self._form.complete:
            fitted.setdefault("required", [])
        return fitted | {"additionalProperties": False} if self._form.closed else fitted
