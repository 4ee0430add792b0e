"""The questions of an evaluation: a file with one JSON object a line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

MOST_TIMEOUT_S = 600.0


class BadItems(Exception):
    """The file cannot be used; the text names the line and what is wrong with it."""


class Item(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A question, as `prompt` or `messages`, and one way to tell a right answer:

    - `reference`: the answer, or its last line, says just this; case, spaces and punctuation aside
    - `contains`: each of these texts occurs in it, likewise
    - `value`: its JSON is this
    - `checker`: this command, given the answer on standard input, ends with status 0; with 1 for
      a wrong answer.  It is run without a shell, in the folder of the file, for `timeout_s` at most

    With an `output_schema` the answer must meet it.
    """

    id: Annotated[str, Meta(min_length=1, max_length=200)]
    prompt: str | None = None
    messages: list[dict[str, Any]] | None = None
    output_schema: dict[str, Any] | None = None
    reference: str | None = None
    contains: str | list[str] | None = None
    value: Any | UnsetType = UNSET
    checker: Annotated[list[str], Meta(min_length=1)] | None = None
    timeout_s: Annotated[float, Meta(gt=0, le=MOST_TIMEOUT_S)] = 10.0

    @property
    def asked(self) -> str | list[dict[str, Any]]:
        return self.prompt if self.messages is None else self.messages  # type: ignore[return-value]  # one of them is there

    @property
    def terms(self) -> bytes:
        """What decides whether an answer is right, as bytes to compare."""
        terms = (self.reference, self.contains, self.value, self.checker)
        plain = [None if term is UNSET else [term] for term in terms]
        return msgspec.json.encode(plain, order="deterministic")


def read_items(path: Path) -> tuple[Item, ...]:
    """The items of a file; blank lines do not count.  Raises BadItems."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "not UTF-8 text"
        raise BadItems(f"cannot read {path}: {why.lower()}") from error
    items: dict[str, Item] = {}
    for number, line in enumerate(lines, 1):
        if line.strip():
            item = _item(line, f"{path}:{number}")
            if item.id in items:
                raise BadItems(f"{path}:{number}: there is another item {item.id}")
            items[item.id] = item
    if not items:
        raise BadItems(f"{path}: there is no item in it")
    return tuple(items.values())


def _item(line: str, place: str) -> Item:
    try:
        item = msgspec.json.decode(line, type=Item)
    except msgspec.DecodeError as error:
        raise BadItems(f"{place}: {error}") from error
    if (item.prompt is None) == (item.messages is None):
        raise BadItems(f"{place}: item {item.id} must have either a prompt or messages")
    ways = (item.reference, item.contains, item.checker, None if item.value is UNSET else True)
    if sum(way is not None for way in ways) != 1:
        wanted = "reference, contains, value and checker"
        raise BadItems(f"{place}: item {item.id} must have exactly one of {wanted}")
    return item
