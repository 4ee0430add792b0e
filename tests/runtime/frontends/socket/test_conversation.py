"""A connection's talk, from bytes to bytes."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.errors import Unauthorized
from runtime.frontends.socket.conversation import Conversation, Limits, State
from runtime.frontends.socket.messages import BadFrame, Cancel, Hello, Plan, read_said
from tests.runtime.frontends.socket.talk import HELLO, heard, plan, said

LIMITS = Limits(max_frame_bytes=2_000, max_request_bytes=1_000, max_in_flight=2)


def orders(conversation: Conversation, data: bytes) -> list[Any]:
    """What the client wants, where every hello is welcome."""
    conversation.receive(data)
    found = []
    while (order := conversation.next()) is not None:
        if isinstance(order, Hello):
            conversation.welcome()
        else:
            found.append(order)
    return found


def opened() -> Conversation:
    conversation = Conversation(LIMITS, "planhub 0")
    assert orders(conversation, said(HELLO)) == []
    assert told(conversation) == [{"type": "welcome", "version": 1, "server": "planhub 0"}]
    return conversation


def told(conversation: Conversation) -> list[Any]:
    return heard(b"".join(conversation.take()))


def complaint(conversation: Conversation) -> tuple[Any, int, str, str]:
    (message,) = told(conversation)
    assert message["type"] == "error"
    return message["id"], message["status"], message["body"]["code"], message["body"]["error"]


def test_a_hello_and_a_plan_at_once() -> None:
    conversation = Conversation(LIMITS, "planhub 0")
    (order,) = orders(conversation, said(HELLO, plan("a", events=True)))
    assert isinstance(order, Plan)
    assert (order.id, order.events, order.idempotency_key) == ("a", True, None)
    conversation.answer("a", b'{"id": "r", "cost": {"spent_usd": 0.5}}')
    assert told(conversation)[1] == {
        "type": "result",
        "id": "a",
        "body": {"id": "r", "cost": {"spent_usd": 0.5}},
    }


@pytest.mark.parametrize(
    ("first", "text"),
    [
        (plan(), "hello must come first, and once"),
        ({"type": "ping", "id": 1}, "hello must come first, and once"),
        ({"type": "hello", "version": 2}, "version must be 1, got 2"),
        ({"type": "hello"}, "version is required: an integer"),
        ({"type": "hello", "version": 1, "token": "x"}, "unknown field: token"),
        (
            {"type": "hello", "version": 1, "api_key": 5},
            "api_key must be a string, got 5",
        ),
    ],
)
def test_what_is_no_hello_ends_the_connection(first: Any, text: str) -> None:
    conversation = Conversation(LIMITS, "planhub 0")
    assert orders(conversation, said(first, HELLO, plan())) == []
    assert complaint(conversation)[::3] == (None, text)
    assert conversation.state is State.OVER


def test_a_bad_key_ends_it() -> None:
    conversation = Conversation(LIMITS, "planhub 0")
    conversation.receive(said({**HELLO, "api_key": "wrong"}, plan()))
    assert isinstance(conversation.next(), Hello)
    assert conversation.next() is None
    conversation.end(Unauthorized("missing or invalid api key"))
    assert complaint(conversation) == (None, 401, "unauthorized", "missing or invalid api key")
    assert conversation.next() is None


def test_a_second_hello_ends_it() -> None:
    conversation = opened()
    assert orders(conversation, said(HELLO, plan())) == []
    assert complaint(conversation)[:2] == (None, 400)


@pytest.mark.parametrize(
    ("data", "status", "text"),
    [
        ((2_001).to_bytes(4, "big"), 413, "a frame must have at most 2000 bytes, got 2001"),
        (b"\0\0\0\1\xc1", 400, "a frame must be one msgpack map: this is not msgpack"),
        (b"\0\0\0\0", 400, "a frame must be one msgpack map: this is not msgpack"),
        (b"\0\0\0\2\x80\x80", 400, "a frame must be one msgpack map: this is not msgpack"),
        (said([1]), 400, "a frame must be one msgpack map with text for its keys"),
        (said({1: 2}), 400, "a frame must be one msgpack map with text for its keys"),
        (said({"id": 1}), 400, "type must be one of hello, plan, cancel, ping, got null"),
        (said({"type": "plam", "id": 1}), 400,
         'type must be one of hello, plan, cancel, ping, got "plam"'),
        (said({"type": "plan", "body": {}}), 400,
         "id is required: a string of at most 4096 characters or an integer"),
        (said({"type": "ping", "id": [1]}), 400,
         "id must be a string of at most 4096 characters or an integer, got [1]"),
    ],
)  # fmt: skip
def test_what_is_about_no_request_ends_it(data: bytes, status: int, text: str) -> None:
    """And is the last thing that is said: what runs is not answered any more."""
    conversation = opened()
    orders(conversation, said(plan(7)))
    assert orders(conversation, data + said(plan(8))) == []
    conversation.answer(7, b"{}")
    about, got, _, error = complaint(conversation)
    assert (about, got, error) == (None, status, text)


@pytest.mark.parametrize(
    ("frame", "code", "text"),
    [
        (plan(3, budget=1), "unknown_field", "unknown field: budget"),
        ({"type": "plan", "id": 3}, "bad_request", "body is required: an object"),
        (plan(3, events="yes"), "bad_request", 'events must be true or false, got "yes"'),
        ({"type": "cancel", "id": 3, "why": 1}, "unknown_field", "unknown field: why"),
    ],
)
def test_what_is_about_a_request_is_its_answer(frame: Any, code: str, text: str) -> None:
    conversation = opened()
    (order,) = orders(conversation, said(frame, plan(4)))
    assert order.id == 4
    assert complaint(conversation) == (3, 400, code, text)


def test_an_id_is_used_by_one_at_a_time() -> None:
    conversation = opened()
    assert len(orders(conversation, said(plan(1), plan(1)))) == 1
    assert complaint(conversation)[:3] == (1, 400, "bad_request")
    conversation.answer(1, b'{"id": "r"}')
    assert len(orders(conversation, said(plan(1)))) == 1
    assert len(orders(conversation, said(plan("1")))) == 1


def test_more_than_may_be_in_flight() -> None:
    conversation = opened()
    assert len(orders(conversation, said(plan(1), plan(2), plan(3)))) == 2
    assert complaint(conversation)[:3] == (3, 429, "rate_limited")
    conversation.fail(1, Unauthorized("no"))
    assert len(orders(conversation, said(plan(3)))) == 1


def test_a_request_that_is_too_large() -> None:
    """Is refused alone."""
    conversation = opened()
    long = plan(1, body={"request": {"messages": "x" * 1_000}})
    (order,) = orders(conversation, said(long, plan(2)))
    assert order.id == 2
    assert complaint(conversation) == (1, 413, "too_large", "request too large")


def test_a_cancel_is_passed_on_while_it_can_do_something() -> None:
    conversation = opened()
    cancel = {"type": "cancel", "id": 1}
    assert orders(conversation, said(cancel)) == []
    assert orders(conversation, said(plan(1), cancel))[1:] == [Cancel(id=1)]
    conversation.answer(1, b'{"id": "r"}')
    assert orders(conversation, said(cancel)) == []
    assert [message["type"] for message in told(conversation)] == ["result"]


def test_a_ping() -> None:
    conversation = opened()
    assert orders(conversation, said({"type": "ping", "id": "p"})) == []
    assert told(conversation) == [{"type": "pong", "id": "p"}]


def test_an_answer_that_does_not_fit_says_where_it_is() -> None:
    conversation = opened()
    orders(conversation, said(plan(1)))
    result = {"id": "r", "text": "x" * 2_000}
    conversation.show(1, {"event": "text", "run": "r", "text": "x" * 2_000})
    last = {"event": "run_finished", "run": "r", "seq": 2, "at": "now", "result": result}
    conversation.show(1, last)
    conversation.answer(1, msgspec.json.encode(result))
    event, error = told(conversation)
    assert (event["body"]["event"], event["body"]["seq"]) == ("run_failed", 2)
    assert (error["status"], error["body"]["id"]) == (413, "r")
    assert event["body"]["error"] == error["body"]


def test_no_event_comes_after_the_answer() -> None:
    conversation = opened()
    orders(conversation, said(plan(1, events=True)))
    conversation.show(1, {"event": "run_started"})
    conversation.answer(1, b'{"id": "r"}')
    conversation.show(1, {"event": "late"})
    assert [message["type"] for message in told(conversation)] == ["event", "result"]


def test_a_key_is_not_shown() -> None:
    assert "secret" not in repr(Hello(version=1, api_key="secret"))


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=9)
    | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["type", "id", "body", "events", "x"]), inner, max_size=4)
    | st.dictionaries(st.integers(0, 9), inner, max_size=2),
    max_leaves=12,
)  # fmt: skip
kinds = st.sampled_from(["hello", "plan", "cancel", "ping", "result", ""])


@given(st.lists(st.tuples(kinds, values), max_size=6), st.binary(max_size=60))
def test_whatever_is_said_is_answered_or_taken(frames: list[Any], rest: bytes) -> None:
    """Nothing raises; an error without an id is the last word."""
    conversation = opened()
    for kind, value in frames:
        message = {**value, "type": kind} if isinstance(value, dict) else value
        try:
            data = said(message)
        except TypeError:  # keys of two kinds
            continue
        orders(conversation, data)
    orders(conversation, rest)
    answers = told(conversation)
    ends = [i for i, message in enumerate(answers) if message.get("id", 0) is None]
    assert ends in ([], [len(answers) - 1])
    assert bool(ends) == (conversation.state is State.OVER)


@given(st.binary(max_size=200))
def test_any_payload_is_read_or_refused(payload: bytes) -> None:
    with suppress(BadFrame):
        read_said(payload)
