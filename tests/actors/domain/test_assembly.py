"""One value made of several."""

from __future__ import annotations

from typing import Any

import pytest

from actors.domain.agreement import form_of
from actors.domain.assembly import Said, assembled, closest

FORM = form_of(b'{"properties":{"tags":{"uniqueItems":true}}}')


def said(*values: Any, weights: tuple[int, ...] = ()) -> list[Said]:
    given = weights or (5,) * len(values)
    return [Said(value, weight) for value, weight in zip(values, given, strict=True)]


@pytest.mark.parametrize(
    ("values", "whole"),
    [
        (({"a": 1, "b": 1}, {"a": 1, "b": 2}, {"a": 2, "b": 2}), {"a": 1, "b": 2}),
        (({"a": {"x": 1, "y": 1}}, {"a": {"x": 1, "y": 2}}, {"a": {"x": 2, "y": 2}}),
         {"a": {"x": 1, "y": 2}}),
        (({"a": 1}, {"a": 1, "b": 1}, {"a": 2}), {"a": 1}),
        (({"b": 1}, {"a": 1, "b": 1}, {"a": 2}), {"b": 1, "a": 1}),
        (({"a": "Yes."}, {"a": "yes"}, {"a": "no"}), {"a": "Yes."}),
        (({"tags": ["x", "y"]}, {"tags": ["y", "x"]}, {"tags": []}), {"tags": ["x", "y"]}),
        (({"a": {"x": 1}}, {"a": {"x": 2}}, {"a": 3}), {"a": {"x": 1}}),
        (({"a": None}, {"a": None}, {}), {"a": None}),
        ((1, 2, 2), 2),
        (([1, 2], [1, 3], [2, 3]), [1, 2]),
        (({},), {}),
    ],
)  # fmt: skip
def test_each_field_is_what_most_say(values: tuple[Any, ...], whole: Any) -> None:
    """Objects are taken apart, arrays are not; what most leave out is left out."""
    assert assembled(said(*values), FORM) == whole


def test_a_tie_is_the_heaviest_voters() -> None:
    """In each field by itself; with equal weights, the first one's."""
    values = ({"a": 1, "b": 1}, {"a": 2, "b": 2}, {"a": 3, "b": 1})
    assert assembled(said(*values, weights=(3, 9, 5)), FORM) == {"a": 2, "b": 1}
    assert assembled(said(*values), FORM) == {"a": 1, "b": 1}


def test_the_closest_has_most_fields_in_common() -> None:
    """Ties by weight, then by place."""
    values = ({"a": 1, "b": 9}, {"a": 1, "b": 2, "c": 3}, {"a": 7, "b": 2})
    whole = {"a": 1, "b": 2}
    assert closest(said(*values), whole, FORM) == 1
    assert closest(said(*values[::2], weights=(1, 2)), whole, FORM) == 1
    assert closest(said(*values[::2]), whole, FORM) == 0
