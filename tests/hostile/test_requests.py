"""Bodies of requests: each is an order, or is refused in words that can be sent back."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.errors import MOST_COMPLAINT, BadRequest
from actors.protocol import Order
from runtime.frontends.wire import Edge, decode, error_body, to_order
from runtime.frontends.wire.values import MAX_DEPTH
from tests.hostile.material import REPEATABLE, VALUES, deep, doubled, spoilt, written

EDGE = Edge(models=frozenset({"gpt-4", "claude"}), aliases={"best": "gpt-4"}, limit_nano=10**9)
WHOLE: dict[str, Any] = {
    "request": {
        "messages": [
            {"role": "user", "content": "Why?"},
            {"role": "user", "content": [{"type": "text", "text": "And how?"}]},
        ],
        "id": "mine",
        "model_hint": "best",
        "estimated_input_tokens": 10,
        "parameters": {"temperature": 0.2, "max_tokens": 1024, "stop": ["x"]},
        "meta": {"a": {"b": [1]}},
        "output_schema": {"type": "object", "required": ["a"]},
    },
    "orchestration": {
        "mode": "vote",
        "iterations": 2,
        "primary_model_id": "gpt-4",
        "primary_min_weight": 5,
        "return_plan_only": False,
        "voters": 2,
        "voter_model_ids": ["gpt-4", "claude"],
        "on_partial": "accept",
        "seed": 1,
    },
    "policy": {"max_budget_usd": 0.5, "max_latency_ms": 60000, "profile": "planning"},
    "output_format": {"strip_think": False},
    "stream": False,
    "dry_run": None,
}
SPOILT = spoilt(WHOLE).map(written)


def read(body: bytes) -> Order | None:
    """The order, whole enough for a mailbox; None when it was refused in a sentence."""
    order = _order_or_refusal(body)
    if isinstance(order, BadRequest):
        told = msgspec.json.decode(error_body(order))
        assert told["code"]
        assert 0 < len(told["error"]) < 2 * MOST_COMPLAINT
        assert 400 <= order.http_status < 500
        return None
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(order), type=Order) == order
    return order


def _order_or_refusal(body: bytes) -> Order | BadRequest:
    try:
        return to_order(decode(body), EDGE, run="r", seed=1, created=0, key_limit_nano=None)
    except BadRequest as refusal:
        return refusal


def test_the_whole_is_an_order() -> None:
    """What is spoilt below was sound."""
    assert read(written(WHOLE)) is not None


@REPEATABLE
@given(SPOILT)
def test_a_body_with_something_wrong_in_it(body: bytes) -> None:
    """Taken as it stands, or refused."""
    read(body)


@REPEATABLE
@given(st.binary(max_size=200) | VALUES.map(written) | doubled(SPOILT))
def test_a_body_of_any_kind(body: bytes) -> None:
    """Bytes, values, names that come twice."""
    read(body)


@REPEATABLE
@given(SPOILT, st.data())
def test_a_body_that_is_cut_off_or_scratched(body: bytes, data: st.DataObject) -> None:
    """In the middle of a name, of a character, of a number."""
    place = data.draw(st.integers(0, len(body)))
    scratch = data.draw(st.binary(max_size=3))
    read(body[:place])
    read(body[:place] + scratch + body[place:])


@pytest.mark.parametrize("depth", [MAX_DEPTH - 5, MAX_DEPTH, MAX_DEPTH + 1, 1_000, 100_000])
@given(st.data())
@REPEATABLE
def test_a_body_that_is_deep(depth: int, data: st.DataObject) -> None:
    """Wherever the depths are, and whether or not they end."""
    abyss = data.draw(deep(depth))
    head, tail = b'{"request": {"messages": [{"role": "user", "content": "x"}]', b"}}"
    place = data.draw(
        st.sampled_from([b', "meta": {"a": ', b', "output_schema": {"a": ', b', "x": '])
    )
    close = b"}" if b"{" in place else b""
    order = read(head + place + abyss + close + tail)
    assert order is None or depth < MAX_DEPTH
    assert read(abyss) is None


@pytest.mark.parametrize("digits", [20, 400, 5_000, 1_000_000])
def test_a_number_that_is_long(digits: int) -> None:
    """Reading it does not take the square of its length."""
    number = b"9" * digits
    for text in (number, b"-" + number, number + b".5", b"0." + number, b"1e" + number):
        parameters = (
            b'{"request":{"messages":[{"role":"user","content":"x"}],"parameters":{"a":%b}}}'
        )
        order = read(parameters % text)
        assert order is None or text.startswith((b"0.", b"9" * 20))
        read(b'{"orchestration":{"seed":%b}}' % text)


@REPEATABLE
@given(st.text(max_size=40) | st.sampled_from(["application/json; x" * 900, "a/" + "+" * 20_000]))
def test_a_content_type_of_any_kind(content_type: str) -> None:
    """It is JSON's, or refused."""
    with suppress(BadRequest):
        assert decode(written(WHOLE), content_type)
