"""What nobody sends by mistake: values, texts and bodies that break a careless reader."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

REPEATABLE = settings(
    max_examples=150,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

NUMBERS = st.one_of(
    st.integers(),
    st.sampled_from([-1, 0, 2**31, 2**53 + 1, 2**63, 2**64, -(2**63) - 1, 10**400]),
    st.floats(),
    st.sampled_from([1e308, -0.0, float("nan"), float("inf"), float("-inf")]),
)
TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["", "\ud800", "\x00", "\u202e", "9" * 5_000, "a" * 5_000, "null", "{", "../.."]
    ),
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)


@st.composite
def spoilt(draw: st.DrawFn, whole: Any) -> Any:
    """`whole` with one to three of its values replaced, removed, repeated or added to."""
    value = json.loads(json.dumps(whole))
    for _ in range(draw(st.integers(1, 3))):
        value = _spoil(draw, value)
    return value


def _spoil(draw: st.DrawFn, value: Any) -> Any:
    if isinstance(value, dict) and value and draw(st.integers(0, 5)):
        name = draw(st.sampled_from(sorted(value)))
        if draw(st.integers(0, 6)) == 0:
            return {key: kept for key, kept in value.items() if key != name}
        return {**value, name: _spoil(draw, value[name])}
    if isinstance(value, list) and value and draw(st.integers(0, 5)):
        place = draw(st.integers(0, len(value) - 1))
        return [*value[:place], _spoil(draw, value[place]), *value[place + 1 :]]
    return draw(VALUES)


def written(value: Any) -> bytes:
    """As JSON, lone surrogates, infinite numbers and all."""
    return json.dumps(value).encode()


def deep(depth: int, inner: bytes = b"1") -> st.SearchStrategy[bytes]:
    """Arrays in arrays, or objects in objects, closed or not."""
    return st.sampled_from(
        [
            b"[" * depth + inner + b"]" * depth,
            b'{"a":' * depth + inner + b"}" * depth,
            b"[" * depth,
            b'{"a":' * depth,
        ]
    )


@st.composite
def doubled(draw: st.DrawFn, bodies: st.SearchStrategy[bytes]) -> bytes:
    """An object whose first name comes a second time, with another value."""
    body = draw(bodies)
    if not body.startswith(b'{"'):
        return body
    name = body[: body.index(b'"', 2) + 1]
    return name + b": " + json.dumps(draw(SCALARS)).encode() + b", " + body[1:]
