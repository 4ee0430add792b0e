"""Which method takes what, by the class of it: one look-up, however many classes there are.

A `match` asks class after class, and asking is dear where a class is a Struct.  So a method that
:func:`handles` something says what by the type of its first argument, and :func:`table` sees to it
that each member of a union has its method.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from operator import attrgetter
from typing import Any, TypeAlias, TypeVar, get_args, get_type_hints

Method = TypeVar("Method", bound=Callable[..., Any])

Table: TypeAlias = Mapping[type, Callable[[Any], Callable[..., Any]]]
"""For each class what gives, of the object that handles it, the method that does."""

_MARK = "__handles__"


def handles(method: Method) -> Method:
    """Marks a method that takes what the type of its first argument names: a class or a union."""
    setattr(method, _MARK, True)
    return method


def table(owner: type, union: Any, parts: Mapping[str, type] | None = None) -> Table:
    """The methods that handle `union`: those of `owner`, and those of its `parts`, which are the
    classes of some of its attributes.  Empty where nothing is marked at all.

    Raises TypeError for a class that no method handles, or more than one.
    """
    names: dict[type, str] = {}
    for kind, name in _handled(owner, parts or {}):
        if names.setdefault(kind, name) != name:
            raise TypeError(f"{owner.__name__} handles {kind.__name__} more than once")
    kinds = _members(union) if names else ()
    if missing := [kind.__name__ for kind in kinds if kind not in names]:
        raise TypeError(f"{owner.__name__} does not handle {', '.join(missing)}")
    return {kind: attrgetter(names[kind]) for kind in kinds}


def _handled(owner: type, parts: Mapping[str, type]) -> Iterator[tuple[type, str]]:
    for where, whose in (("", owner), *((f"{name}.", part) for name, part in parts.items())):
        for above in whose.__mro__:
            for name, method in vars(above).items():
                if hasattr(method, _MARK):
                    first = next(iter(get_type_hints(method).values()))
                    yield from ((kind, where + name) for kind in _members(first))


def _members(union: Any) -> tuple[type, ...]:
    return get_args(union) or (union,)
