"""When two answers say the same, and what most of them say.

Answers can be compared where a schema gives them a form, or where they are short.  What makes no
difference to what is said makes none here:

- numbers are equal by value, whatever their spelling (`1` and `1.0`);
- arrays whose schema says `uniqueItems` are sets, other arrays have an order;
- texts are compared without case, spacing, quotes, emphasis or a full stop, unless the schema lists
  the values, has a pattern or a format for them, or they are long;
- objects are equal field by field, in any order.

A short answer without a schema is a number where it reads as one, else a text.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from decimal import Context, Decimal
from typing import Any, NamedTuple

import msgspec

from actors.domain.text import json_in, visible

SHORT = 80
"""Characters of a text that is compared by what it says, not by how it is written."""
MOST_COMPARED = 8_192
"""Characters of an answer that are compared in a moment; longer ones agree with nobody."""
MOST_DEPTH = 64

_AROUND = {'"': '"', "'": "'", "`": "`", "*": "*", "“": "”", "«": "»", "„": "“"}
_NUMBER = re.compile(r"[+-]?(\d+|\d{1,3}(,\d{3})+)(\.\d*)?(e[+-]?\d{1,3})?")
_AS_WRITTEN = ("enum", "const", "pattern", "format")
_EXACTLY = Context(prec=SHORT)


def ballot(text: str, schema: bytes | None) -> str | None:
    """What an answer says, such that answers that say the same are equal; None for one that cannot
    be compared.  With a `schema` (JSON) it is the JSON in the text that counts.
    """
    if schema is None:
        said = visible(text).strip()
        return _short(said) if len(said) <= SHORT and "\n" not in said else None
    return next((key(value, form_of(schema)) for value in parsed(text)), None)


def parsed(text: str) -> tuple[Any, ...]:
    """The JSON value in an answer; nothing where there is none that can be compared."""
    found = json_in(text)
    if found is None or len(found) > MOST_COMPARED:
        return ()
    value = msgspec.json.decode(found)
    return () if _is_deep(value) else (value,)


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MOST_DEPTH):
        level = [inner for held in level for inner in _inside(held)]
    return bool(level)


def _inside(value: Any) -> Iterable[Any]:
    match value:
        case dict():
            return value.values()
        case list():
            return value
        case _:
            return ()


def common(ballots: Sequence[str | None], voters: int) -> int | None:
    """The first answer of those on which more than half of so many `voters` agree, if any do."""
    counted = Counter(said for said in ballots if said is not None)
    for said, times in counted.most_common(1):
        if times >= majority(voters):
            return ballots.index(said)
    return None


def majority(voters: int) -> int:
    """How many of them are more than half."""
    return voters // 2 + 1


# --- values -----------------------------------------------------------------------------------


class Form(NamedTuple):
    """All that a schema, `root`, says about one place of an answer, references followed."""

    root: dict[str, Any]
    schemas: tuple[dict[str, Any], ...]

    @property
    def is_set(self) -> bool:
        return any(schema.get("uniqueItems") is True for schema in self.schemas)

    @property
    def is_as_written(self) -> bool:
        return any(word in schema for schema in self.schemas for word in _AS_WRITTEN)

    def field(self, name: str) -> Form:
        """What it says about a field of an object there."""
        return self._inside(_field(schema, name) for schema in self.schemas)

    def item(self, place: int) -> Form:
        """What it says about an item of an array there."""
        return self._inside(_item(schema, place) for schema in self.schemas)

    def _inside(self, held: Iterable[Any]) -> Form:
        return Form(self.root, tuple(_applied(held, self.root)))


def form_of(schema: bytes) -> Form:
    """What a schema (JSON) says about an answer as a whole."""
    root = msgspec.json.decode(schema)
    return Form(root, tuple(_applied([root], root))) if isinstance(root, dict) else Form({}, ())


def key(value: Any, form: Form) -> str:
    """A JSON value, such that values that say the same are equal."""
    return _text(_canonical(value, form))


def _canonical(value: Any, form: Form) -> Any:
    match value:
        case str():
            return value if len(value) > SHORT or form.is_as_written else _said(value)
        case float() if value.is_integer():
            return int(value)
        case list():
            items = [_canonical(item, form.item(place)) for place, item in enumerate(value)]
            return sorted(items, key=_text) if form.is_set else items
        case dict():
            return {name: _canonical(held, form.field(name)) for name, held in value.items()}
        case _:
            return value


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


# --- schemas ----------------------------------------------------------------------------------


def _field(schema: dict[str, Any], name: str) -> Any:
    properties = schema.get("properties")
    if isinstance(properties, dict) and name in properties:
        return properties[name]
    return schema.get("additionalProperties")


def _item(schema: dict[str, Any], place: int) -> Any:
    """Tuples are written in two ways."""
    items = schema.get("items")
    if "prefixItems" in schema:
        first, rest = schema["prefixItems"], items
    else:
        first, rest = items, schema.get("additionalItems")
    if not isinstance(first, list):
        return items
    return first[place] if place < len(first) else rest


def _applied(held: Iterable[Any], root: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """These schemas, and those that they say hold in the same place."""
    seen: set[int] = set()
    left = list(held)
    while left:
        schema = left.pop()
        if not isinstance(schema, dict) or id(schema) in seen:
            continue
        seen.add(id(schema))
        yield schema
        left += [one for word in ("allOf", "anyOf", "oneOf") for one in schema.get(word, ())]
        left.append(_at(root, schema.get("$ref")))


def _at(root: dict[str, Any], target: Any) -> Any:
    """What a reference such as `#/$defs/name` leads to; None where it is of another kind."""
    if not isinstance(target, str) or not re.fullmatch("#(/.*)?", target):
        return None
    place: Any = root
    for part in target.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        place = place.get(name) if isinstance(place, dict) else None
    return place


# --- texts ------------------------------------------------------------------------------------


def _short(text: str) -> str:
    said = _said(text)
    if not _NUMBER.fullmatch(said):
        return said
    number = Decimal(said.replace(",", "")).normalize(_EXACTLY)
    return str(number) if number else "0"


def _said(text: str) -> str:
    said = " ".join(unicodedata.normalize("NFC", text).casefold().split())
    while True:
        bare = said.removesuffix(".").strip()
        if len(bare) > 1 and _AROUND.get(bare[0]) == bare[-1]:
            bare = bare[1:-1].strip()
        if bare == said or not bare:
            return said
        said = bare
