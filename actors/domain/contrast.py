"""What answers to one question have in common, and where they part, as far as that can be counted.

Of answers in the form of a schema it is told field by field, of short ones as a whole, of others
nothing.  Only labels and the schema's own words are used: what an answer says stays in its fence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from actors.domain.agreement import Form, ballot, form_of, key, parsed


def contrast(texts: Mapping[str, str], schema: bytes | None) -> tuple[str, ...]:
    """A line for everything that can be said of the answers, by their labels."""
    values = _objects(texts) if schema is not None else {}
    if schema is not None and len(values) == len(texts):
        return tuple(_fields(values, form_of(schema)))
    said = {label: ballot(text, schema) for label, text in texts.items()}
    return () if None in said.values() else (f"The answers: {_parted(_groups(said))}.",)


def _objects(texts: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    values = ((label, value) for label, text in texts.items() for value in parsed(text))
    return {label: value for label, value in values if isinstance(value, dict)}


def _fields(values: Mapping[str, dict[str, Any]], form: Form) -> Iterator[str]:
    """What all say first, then what they differ in, then what only some speak of."""
    common, differing, partial = [], [], []
    for name in _names(form):
        said = {
            label: key(value[name], form.field(name))
            for label, value in values.items()
            if name in value
        }
        groups = _groups(said)
        if len(groups) > 1:
            differing.append(f"Contradictory, {name}: {_parted(groups)}.")
        elif 0 < len(said) < len(values):
            partial.append(f"Unique, {name}: only {_listed(list(said))} has it.")
        elif said:
            common.append(name)
    if common:
        yield f"Common, the same in all: {', '.join(common)}."
    yield from differing
    yield from partial


def _names(form: Form) -> Iterator[str]:
    properties = (schema.get("properties") for schema in form.schemas)
    yield from dict.fromkeys(name for held in properties if isinstance(held, dict) for name in held)


def _groups(said: Mapping[str, str | None]) -> list[list[str]]:
    """The labels of those that say the same, the most first."""
    groups: dict[str | None, list[str]] = {}
    for label, says in said.items():
        groups.setdefault(says, []).append(label)
    return sorted(groups.values(), key=len, reverse=True)


def _parted(groups: Sequence[Sequence[str]]) -> str:
    if len(groups[0]) == 1:
        return "each says something else"
    said = [f"{_listed(group)} say the same" for group in groups if len(group) > 1]
    alone = [group[0] for group in groups if len(group) == 1]
    if alone:
        said.append(f"{_listed(alone)} something else" + (" each" if len(alone) > 1 else ""))
    return ", ".join(said)


def _listed(labels: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(labels[:-1]), labels[-1]]))
