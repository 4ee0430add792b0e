"""Every key of `planhub.toml` with its default, written as one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import NODEFAULT, inspect

from runtime.config.settings import ConfigFile
from runtime.explain import allowed

_WIDTH = 36


def defaults_toml() -> str:
    """A file that says what no file says; keys without a default stand as comments."""
    return "\n".join(_lines(inspect.type_info(ConfigFile)))


def _lines(file: inspect.Type) -> Iterator[str]:
    assert isinstance(file, inspect.StructType)
    for field in file.fields:
        match field.type:
            case inspect.StructType(fields=fields):
                yield f"[{field.name}]"
                yield from map(_line, fields)
            case inspect.VarTupleType(item_type=inspect.StructType(fields=fields)):
                yield f"# [[{field.name}]]"
                yield from (_line(field, mark="# ") for field in fields)
            case _:
                yield f"[{field.name}]"
                yield '# "name" = "the id of a model"'
        yield ""


def _line(field: inspect.Field, mark: str = "") -> str:
    if field.default is NODEFAULT or field.default is None:
        text = f"# {field.name} ="
        if field.required:
            text += "  (required)"
    else:
        text = f"{mark}{field.name} = {_toml(field.default)}"
    return f"{text:<{_WIDTH}} # {allowed(field.type)}"


def _toml(value: Any) -> str:
    return json.dumps(msgspec.to_builtins(value))
