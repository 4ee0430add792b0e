"""Words for data that does not fit its type."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from runtime.explain import misfit, show, unknown_field


class Inner(Struct, forbid_unknown_fields=True):
    kind: Literal["a", "b"]
    share: Annotated[float, Meta(gt=0, le=1)] = 1.0


class Outer(Struct, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=1, max_length=5)]
    count: Annotated[int, Meta(ge=1)] = 1
    inner: Inner | None = None
    many: list[Inner] = []
    named: dict[str, Inner] = {}
    either: str | list[int] = ""
    flag: bool = False
    open: Any = None


A = {"kind": "a"}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([], "body must be an object, got []"),
        ({}, "name is required: a non-empty string of at most 5 characters"),
        ({"name": ""}, 'name must be a non-empty string of at most 5 characters, got ""'),
        ({"name": "x", "count": 0}, "count must be an integer of at least 1, got 0"),
        ({"name": "x", "count": True}, "count must be an integer of at least 1, got true"),
        ({"name": "x", "flag": 0}, "flag must be true or false, got 0"),
        ({"name": "x", "inner": 3}, "inner must be an object, got 3"),
        ({"name": "x", "inner": {"kind": "c"}}, 'inner.kind must be one of a, b, got "c"'),
        (
            {"name": "x", "many": [A, A | {"share": 0}]},
            "many[1].share must be a number above 0 and at most 1, got 0",
        ),
        ({"name": "x", "named": {"k": {}}}, "named.k.kind is required: one of a, b"),
        ({"name": "x", "either": 1.5}, "either must be a string or an array, got 1.5"),
        ({"name": "x", "either": ["y"]}, 'either[0] must be an integer, got "y"'),
        ({"name": "x", "open": [{"what": "ever"}]}, None),
    ],
)
def test_the_first_misfit(data: Any, words: str | None) -> None:
    """The path, what is allowed there, and the value."""
    assert misfit(data, Outer) == words


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ({"nmae": 1}, "nmae"),
        ({"inner": {"x": 1}}, "inner.x"),
        ({"many": [A, {"x": 1}]}, "many[1].x"),
        ({"named": {"k": {"x": 1}}}, "named.k.x"),
        ({"open": {"x": 1}}, None),
        ({"inner": None, "many": "no list"}, None),
    ],
)
def test_the_first_unknown_field(data: Any, path: str | None) -> None:
    assert unknown_field(data, Outer) == path


def test_values_are_shown_short() -> None:
    assert len(show("x" * 1000)) == 60
    assert show(float("inf")) == "inf"


LEAVES = (
    st.none() | st.booleans() | st.integers(-2, 12) | st.floats(0, 2) | st.text("abz", max_size=6)
)
DATA = st.fixed_dictionaries(
    {},
    optional={
        "name": LEAVES,
        "count": LEAVES,
        "inner": LEAVES | st.fixed_dictionaries({"kind": st.sampled_from(["a", "z"])}),
        "many": st.lists(st.fixed_dictionaries({"kind": LEAVES}), max_size=2),
        "either": LEAVES | st.lists(LEAVES, max_size=2),
        "flag": LEAVES,
        "extra": LEAVES,
    },
)


@given(DATA)
def test_there_are_words_for_whatever_msgspec_refuses(data: Any) -> None:
    """And none for what it takes."""
    explained = unknown_field(data, Outer) or misfit(data, Outer)
    try:
        msgspec.convert(data, Outer)
    except msgspec.ValidationError:
        assert explained is not None
    else:
        assert explained is None
