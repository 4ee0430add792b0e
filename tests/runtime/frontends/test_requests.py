"""The checks of a request's body: every text, and the order in which they are made."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.errors import BadRequest
from runtime.frontends.wire import PlanRequest, checked, decode, decode_map, plan_request

MESSAGES = [{"role": "user", "content": "Design a REST API"}]


def body(**parts: Any) -> bytes:
    return msgspec.json.encode({"request": {"messages": MESSAGES}, **parts})


def refusal(given: bytes, content_type: str | None = "application/json") -> tuple[int, str, str]:
    """Why a body is refused; as msgpack, where it can be that, for the same reason."""
    with pytest.raises(BadRequest) as caught:
        decode(given, content_type)
    why = caught.value.http_status, caught.value.code, caught.value.text
    with suppress(ValueError, OverflowError, RecursionError):
        as_map = msgspec.msgpack.encode(json.loads(given))
        if why[0] == 400 and why[1] != "bad_json":
            with pytest.raises(BadRequest) as again:
                decode_map(as_map)
            assert (again.value.http_status, again.value.code, again.value.text) == why
    return why


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("given", "code", "text"),
    [
        (b"", "bad_json", "bad json"),
        (b"{", "bad_json", "bad json"),
        (b"{} trailing", "bad_json", "bad json"),
        (b'{"request": NaN}', "bad_json", "bad json"),
        (b'{"request": "\xff"}', "bad_json", "bad json"),
        (b"[]", "bad_request", "body must be an object, got []"),
        (b"{}", "messages_required", "messages required"),
        (b'{"request": {}}', "messages_required", "messages required"),
        (b'{"request": {"messages": []}}', "messages_required", "messages required"),
        (b'{"request": {"messages": null}}', "messages_required", "messages required"),
        (
            b'{"request": {"messages": "hi"}}',
            "bad_request",
            'request.messages must be an array, got "hi"',
        ),
        (
            b'{"request": {"messages": [{"role": "robot", "content": "hi"}]}}',
            "bad_request",
            "request.messages[0].role must be one of assistant, developer, system, user,"
            ' got "robot"',
        ),
        (
            b'{"request": {"messages": [{"role": "user", "content": 7}]}}',
            "bad_request",
            "request.messages[0].content must be a string or an array, got 7",
        ),
        (
            b'{"request": {"messages": [{"role": "user", "content": ""}]}}',
            "bad_request",
            "request.messages[0].content must be a non-empty text, got nothing",
        ),
        (
            b'{"request": {"messages": [{"role": "user", "content":'
            b' [{"type": "image_url", "image_url": {"url": "x"}}]}]}}',
            "bad_request",
            'request.messages[0].content[0] must be a text part, got "image_url"',
        ),
        (body(modle=1), "unknown_field", "unknown field: modle"),
        (body(stream=0), "bad_request", "stream must be true or false, got 0"),
        (
            body(policy={"max_budget": 1}),
            "unknown_field",
            "unknown field: policy.max_budget",
        ),
        (
            b'{"request": {"messages": [{"role": "user", "content": "x", "name": "y"}]}}',
            "unknown_field",
            "unknown field: request.messages[0].name",
        ),
        (
            body(policy={"max_budget_usd": -1}),
            "bad_request",
            "policy.max_budget_usd must be a number between 0 and 1000000000, got -1",
        ),
        (
            body(policy={"max_budget_usd": "0.5"}),
            "bad_request",
            'policy.max_budget_usd must be a number between 0 and 1000000000, got "0.5"',
        ),
        (
            body(policy={"profile": "best"}),
            "bad_request",
            "policy.profile must be one of adversarial, cheap, high_confidence, normal, planning,"
            ' got "best"',
        ),
        (
            body(orchestration={"voters": 11}),
            "bad_request",
            "orchestration.voters must be an integer between 1 and 10, got 11",
        ),
        (
            body(orchestration={"primary_min_weight": 11}),
            "bad_request",
            "orchestration.primary_min_weight must be an integer between 0 and 10, got 11",
        ),
        (
            body(orchestration={"return_plan_only": "yes"}),
            "bad_request",
            'orchestration.return_plan_only must be true or false, got "yes"',
        ),
        (
            body(orchestration=["vote"]),
            "bad_request",
            'orchestration must be an object, got ["vote"]',
        ),
    ],
)
def test_each_fault_has_its_text(given: bytes, code: str, text: str) -> None:
    """A malformed body is answered with the code and the words that clients rely on."""
    assert refusal(given) == (400, code, text)


@pytest.mark.parametrize("iterations", [-1, 11, 1.5, 2.0, "2", True, [1]])
def test_iterations_out_of_range(iterations: Any) -> None:
    """Whatever is not an integer from 0 to 10 has the one text that the API has for it."""
    expected = (400, "bad_iterations", "iterations must be between 0 and 10")
    assert refusal(body(orchestration={"iterations": iterations})) == expected


@pytest.mark.parametrize("mode", ["debate", "", "Vote", 3])
def test_unknown_modes(mode: Any) -> None:
    """A mode that this version does not have is unknown, whether or not another one has it."""
    expected = (400, "unknown_mode", "unknown orchestration mode")
    assert refusal(body(orchestration={"mode": mode})) == expected


def test_faults_are_found_in_their_order() -> None:
    """Content type, JSON, unknown fields, messages, iterations, mode, the rest."""
    faults: dict[str, Any] = {
        "extra": 1,
        "request": {"messages": []},
        "orchestration": {"iterations": 11, "mode": "debate", "voters": 99},
    }
    found = [refusal(b"{", "text/plain")[1], refusal(b"{")[1]]
    for mend in (
        lambda: faults.pop("extra"),
        lambda: faults["request"].update(messages=MESSAGES),
        lambda: faults["orchestration"].pop("iterations"),
        lambda: faults["orchestration"].pop("mode"),
    ):
        found.append(refusal(msgspec.json.encode(faults))[1])
        mend()
    found.append(refusal(msgspec.json.encode(faults))[1])
    assert found == [
        "bad_content_type", "bad_json", "unknown_field", "messages_required", "bad_iterations",
        "unknown_mode", "bad_request",
    ]  # fmt: skip


@pytest.mark.parametrize("content_type", [None, "", "text/plain", "application/x-json"])
def test_the_body_must_be_called_json(content_type: str | None) -> None:
    expected = (415, "bad_content_type", "content type must be application/json")
    assert refusal(body(), content_type) == expected


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=utf-8"])
def test_json_by_any_spelling(content_type: str) -> None:
    assert decode(body(), content_type)


# --- what JSON can say and nobody could carry -------------------------------------------------

TOO_DEEP = "the body must not be nested deeper than 200 levels"


@pytest.mark.parametrize(
    "given",
    [
        b"[" * 100_000 + b"]" * 100_000,
        body(extra=nested(300)),
        msgspec.json.encode({"request": {"messages": MESSAGES, "meta": {"a": nested(198)}}}),
        body(orchestration={"output_schema": {"a": nested(300)}}),
    ],
    ids=["unreadable", "in an unknown field", "just too deep", "in a schema"],
)
def test_nesting_is_bounded(given: bytes) -> None:
    """Deeper than 200 levels is refused wherever it is, without a crash."""
    assert refusal(given) == (400, "bad_request", TOO_DEEP)


def test_nesting_up_to_the_bound() -> None:
    asked = {"messages": MESSAGES, "meta": {"a": nested(197)}}
    assert decode(msgspec.json.encode({"request": asked}))


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (
            b'{"request": {"messages": [{"role": "user", "content": "\\ud800"}]}}',
            "request.messages[0].content must be text that can be encoded: a lone surrogate",
        ),
        (
            b'{"request": {"messages": [{"role": "user", "content": "x"}],'
            b' "meta": {"\\udc00": 1}}}',
            "request.meta must be text that can be encoded: a lone surrogate",
        ),
        (
            b'{"request": {"messages": [{"role": "user", "content": "x"}],'
            b' "parameters": {"seed": 18446744073709551616}}}',
            "request.parameters.seed must be an integer of at most 64 bits",
        ),
        (
            b'{"request": {"messages": [{"role": "user", "content": "x"}],'
            b' "parameters": {"top_p": 1e999}}}',
            "request.parameters.top_p must be a finite number, got inf",
        ),
        (
            body()[:-1] + b', "orchestration": {"seed": -' + b"9" * 5000 + b"}}",
            "orchestration.seed must be an integer of at most 64 bits",
        ),
    ],
)
def test_values_that_cannot_be_passed_on(given: bytes, text: str) -> None:
    """Lone surrogates, integers beyond 64 bits and endless numbers are refused by name."""
    assert refusal(given) == (400, "bad_request", text)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (b'{"request": {"messages": [], "meta": {"a": ' + b"9" * 30 + b"}}}", "messages_required"),
        (
            b'{"request": {"messages": [], "meta": {"a": 1e999}}, "policy": {"x": 1}}',
            "unknown_field",
        ),
        (body(orchestration={"iterations": 10}).replace(b"10", b"1" * 30), "bad_iterations"),
        (body(orchestration={"mode": "x", "seed": 10}).replace(b"10", b"1" * 30), "unknown_mode"),
        (body(orchestration={"output_schema": 5}), "bad_schema"),
    ],
)
def test_numbers_that_are_too_large_come_last(given: bytes, code: str) -> None:
    """They are of `the rest`: what is checked before them is complained of before them."""
    assert refusal(given)[1] == code


@given(st.binary(max_size=60))
def test_whatever_comes_is_answered(given: bytes) -> None:
    """No body makes the check raise anything but a complaint about the request."""
    with pytest.raises(BadRequest):
        decode(given)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats()
        | st.text("abz\x00\ud800", max_size=5),
        lambda inner: st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["request", "messages", "role", "content", "orchestration", "mode",
                             "iterations", "policy", "parameters", "type", "text", "zzz"]),
            inner, max_size=4,
        ),
        max_leaves=12,
    )
)  # fmt: skip
def test_whatever_is_built_is_answered(given: Any) -> None:
    """A request made of any data is either a request or a complaint."""
    with suppress(BadRequest):
        assert isinstance(checked(given), PlanRequest)


# --- requests built in Python -----------------------------------------------------------------


def test_keywords_find_their_part() -> None:
    """The fields of all parts are keywords of one call."""
    request = plan_request("hi", mode="vote", max_budget_usd=0.5, id="a", strip_think=True)
    assert request.wants.mode == "vote"
    assert request.policy is not None
    assert request.policy.max_budget_usd == 0.5
    assert request.request is not None
    assert (request.request.id, request.request.messages[0].text) == ("a", "hi")  # type: ignore[index]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"budget": 1}, "unknown field: budget"),
        ({"iterations": 11}, "iterations must be between 0 and 10"),
        (
            {"max_budget_usd": float("nan")},
            "policy.max_budget_usd must be a finite number, got nan",
        ),
        ({"messages": []}, "unknown field: messages"),
    ],
)
def test_python_is_checked_like_http(fields: dict[str, Any], text: str) -> None:
    """A keyword is refused as the same field of a body is; a budget of nan is not `no budget`."""
    with pytest.raises(BadRequest) as caught:
        plan_request("hi", **fields)
    assert caught.value.text == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00Z"),
        (b"abc", "YWJj"),
        ({"b": (2.0, None)}, {"b": [2.0, None]}),
    ],
)
def test_what_python_has_more_words_for_is_what_its_json_is(value: Any, text: Any) -> None:
    request = plan_request("hi", parameters={"a": value}).request
    assert request is not None
    assert request.parameters == {"a": text}


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ({"meta": {"a": b"x"}}, "request.meta.a must be data that JSON can hold"),
        ({"meta": {"a": {1: 2}}}, "request.meta.a must be an object with text for its keys"),
        ({"parameters": {"a": msgspec.msgpack.Ext(1, b"")}},
         "request.parameters.a must be data that JSON can hold"),
        ({"parameters": {"a": float("nan")}},
         "request.parameters.a must be a finite number, got nan"),
        ({"id": b"x"}, "request.id must be data that JSON can hold"),
    ],
)  # fmt: skip
def test_what_only_msgpack_can_hold_is_refused(part: dict[str, Any], text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        decode_map(msgspec.msgpack.encode({"request": {"messages": MESSAGES, **part}}))
    assert caught.value.text == text


@pytest.mark.parametrize("given", [b"", b"\xc1", b"\x81\xa1\xff\x01", b"\x80\x80"])
def test_what_is_not_msgpack(given: bytes) -> None:
    with pytest.raises(BadRequest, match="bad json"):
        decode_map(given)


@given(st.binary(max_size=100))
def test_whatever_msgpack_comes_is_answered(given: bytes) -> None:
    with suppress(BadRequest):
        decode_map(given)


def test_a_map_is_read_as_its_json_is() -> None:
    plain = {
        "request": {"messages": MESSAGES, "parameters": {"temperature": 0.5, "x": [None, 1]}},
        "orchestration": {"mode": "vote", "voters": 2},
        "policy": {"max_budget_usd": 1},
    }
    assert decode_map(msgspec.msgpack.encode(plain)) == decode(msgspec.json.encode(plain))
