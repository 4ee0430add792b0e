"""Says what is wrong with data that does not fit a type: the field, the value, what is allowed.

msgspec checks fast and stops at a message such as "Invalid enum value 'x'".  When it has refused,
these functions walk the same type beside the data and find the words for a person.  Paths are
written as `orchestration.voters` and `request.messages[0].role`.
"""

from __future__ import annotations

from functools import cache
from math import isfinite
from typing import Any, TypeGuard

import msgspec
from msgspec import inspect

MAX_SHOWN = 60


def unknown_field(data: Any, of: Any) -> str | None:
    """The path of the first field that `of` does not have, where its structs forbid such."""
    return _unknown(data, _node(of), "")


def misfit(data: Any, of: Any, path: str = "") -> str | None:
    """A sentence about the first value that does not fit, or None when all do."""
    return _misfit(data, _node(of), path)


def show(value: Any) -> str:
    """A value as JSON, cut short; of what JSON cannot hold, what it is."""
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    try:
        text = msgspec.json.encode(value, enc_hook=str).decode(errors="replace")
    except (TypeError, ValueError, RecursionError):
        return f"a {type(value).__name__}"
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"


@cache
def _node(of: Any) -> inspect.Type:
    return inspect.type_info(of)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


# --- unknown fields ---------------------------------------------------------------------------


def _unknown(data: Any, node: inspect.Type, path: str) -> str | None:
    match _member(data, node):
        case inspect.StructType(fields=fields, forbid_unknown_fields=forbidding):
            known = {field.encode_name: field.type for field in fields}
            children = [(key, known.get(key), _join(path, str(key))) for key in data]
            if forbidding and (strangers := [at for _, of, at in children if of is None]):
                return strangers[0]
            pairs = [(data[key], of, at) for key, of, at in children if of is not None]
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
            pairs = [(value, item, f"{path}[{i}]") for i, value in enumerate(data)]
        case inspect.DictType(value_type=of):
            pairs = [(value, of, _join(path, str(key))) for key, value in data.items()]
        case _:
            return None
    found = (_unknown(value, of, at) for value, of, at in pairs)
    return next((path for path in found if path is not None), None)


def _member(data: Any, node: inspect.Type) -> inspect.Type | None:
    """The type itself, or the member of a union, whose kind the data is of."""
    members = node.types if isinstance(node, inspect.UnionType) else (node,)
    return next((member for member in members if _is_kind(data, member)), None)


def _is_kind(data: Any, node: inspect.Type) -> bool:
    match node:
        case inspect.StructType() | inspect.DictType():
            return isinstance(data, dict)
        case inspect.ListType() | inspect.VarTupleType():
            return isinstance(data, list)
        case inspect.IntType():
            return isinstance(data, int) and not isinstance(data, bool)
        case inspect.FloatType():
            return _is_number(data)
        case inspect.StrType():
            return isinstance(data, str)
        case inspect.BoolType():
            return isinstance(data, bool)
        case inspect.NoneType():
            return data is None
        case inspect.LiteralType(values=values):
            return any(data is value or data == value for value in values)
        case _:
            return True


def _is_number(data: Any) -> TypeGuard[float]:
    return isinstance(data, int | float) and not isinstance(data, bool)


# --- values that do not fit -------------------------------------------------------------------


def _misfit(data: Any, node: inspect.Type, path: str) -> str | None:
    member = _member(data, node)
    if member is None or not _within(data, member):
        return f"{path or 'body'} must be {allowed(node)}, got {show(data)}"
    match member:
        case inspect.StructType(fields=fields):
            found = (_field_misfit(data, field, path) for field in fields)
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
            found = (_misfit(value, item, f"{path}[{i}]") for i, value in enumerate(data))
        case inspect.DictType(value_type=of):
            found = (_misfit(value, of, _join(path, str(key))) for key, value in data.items())
        case _:
            return None
    return next((sentence for sentence in found if sentence is not None), None)


def _field_misfit(data: dict[str, Any], field: inspect.Field, path: str) -> str | None:
    at = _join(path, field.encode_name)
    if field.encode_name in data:
        return _misfit(data[field.encode_name], field.type, at)
    return f"{at} is required: {allowed(field.type)}" if field.required else None


def _within(data: Any, node: inspect.Type) -> bool:
    match node:
        case (
            inspect.IntType(ge=least, le=most, gt=above)
            | inspect.FloatType(ge=least, le=most, gt=above)
        ):
            return (
                (least is None or data >= least)
                and (most is None or data <= most)
                and (above is None or data > above)
            )
        case (
            inspect.StrType(min_length=least, max_length=most)
            | inspect.ListType(min_length=least, max_length=most)
            | inspect.VarTupleType(min_length=least, max_length=most)
        ):
            return len(data) >= (least or 0) and (most is None or len(data) <= most)
        case _:
            return True


# --- what is allowed --------------------------------------------------------------------------


def allowed(node: inspect.Type) -> str:
    """What a type takes, in words: `an integer between 0 and 10`."""
    match node:
        case inspect.IntType(ge=least, le=most):
            return "an integer" + _range(least, most)
        case inspect.FloatType(ge=least, le=most, gt=above):
            return "a number" + (_range(least, most) if above is None else _above(above, most))
        case inspect.StrType(min_length=least, max_length=most):
            long = f" of at most {most} characters" if most else ""
            return ("a non-empty string" if least else "a string") + long
        case inspect.BoolType():
            return "true or false"
        case inspect.LiteralType(values=values):
            return "one of " + ", ".join(map(str, values))
        case inspect.ListType(min_length=least, max_length=most):
            long = f" of {least or 0} to {most} entries" if most is not None else ""
            return ("an array" if long or not least else "a non-empty array") + long
        case inspect.VarTupleType():
            return "an array"
        case inspect.UnionType(types=types):
            words = [allowed(of) for of in types if not isinstance(of, inspect.NoneType)]
            return " or ".join(words)
        case _:
            return "an object"


def _range(least: float | None, most: float | None) -> str:
    if least is not None and most is not None:
        return f" between {_plain(least)} and {_plain(most)}"
    return f" of at least {_plain(least)}" if least is not None else ""


def _above(above: float, most: float | None) -> str:
    upto = f" and at most {_plain(most)}" if most is not None else ""
    return f" above {_plain(above)}{upto}"


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) else f"{number:g}"
