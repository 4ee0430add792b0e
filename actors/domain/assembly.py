"""One JSON value made of several: in each field what most of them say.

A field is whatever is no object: objects are taken apart, arrays are not.  A field that most
leave out is left out.  Where equally many say different things, the heaviest of those who say
them decides, then whoever comes first.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, NamedTuple

from actors.domain.agreement import Form, key


class Said(NamedTuple):
    """Somebody's value, of one place, and his weight."""

    value: Any
    weight: int


class _Absent:
    """Stands where a field is not there."""


_ABSENT = _Absent()


def assembled(said: Sequence[Said], form: Form) -> Any:
    """What most of them say of each field."""
    most = _most(said, lambda one: one.value is _ABSENT)
    if most[0].value is not _ABSENT:
        most = _most(most, lambda one: _said(one, form))
    if not isinstance(most[0].value, dict):
        return most[0].value
    found = {name: assembled(_of(most, name), form.field(name)) for name in _names(most)}
    return {name: value for name, value in found.items() if value is not _ABSENT}


def closest(said: Sequence[Said], whole: Any, form: Form) -> int:
    """The place of the value with most fields that are as in `whole`; ties as above."""
    fields = set(_fields(whole, form))
    alike = [len(fields & set(_fields(one.value, form))) for one in said]
    return max(range(len(said)), key=lambda place: (alike[place], said[place].weight, -place))


def _most(said: Sequence[Said], about: Callable[[Said], Hashable]) -> list[Said]:
    """The largest group of those who say the same."""
    groups: dict[Hashable, list[Said]] = {}
    for one in said:
        groups.setdefault(about(one), []).append(one)
    return max(groups.values(), key=lambda group: (len(group), max(one.weight for one in group)))


def _said(one: Said, form: Form) -> Hashable:
    """Objects are taken apart before they are compared."""
    return dict if isinstance(one.value, dict) else key(one.value, form)


def _of(said: Sequence[Said], name: str) -> list[Said]:
    return [Said(one.value.get(name, _ABSENT), one.weight) for one in said]


def _names(said: Sequence[Said]) -> Iterator[str]:
    return iter(dict.fromkeys(name for one in said for name in one.value))


def _fields(value: Any, form: Form, *path: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Each field with where it is and what it says."""
    if isinstance(value, dict) and value:
        for name, held in value.items():
            yield from _fields(held, form.field(name), *path, name)
    else:
        yield path, key(value, form)
