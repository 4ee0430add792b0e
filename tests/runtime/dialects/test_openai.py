"""OpenAI's chat completions, values in and values out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from actors.domain.model import Usage
from actors.protocol import CallAnswered, CallErrored
from runtime.dialects.openai import OpenAIDialect
from runtime.secret import Secret
from runtime.transport.port import HttpResponse
from tests.runtime.dialects.calls import KEY, QUESTION, body, call, response


def dialect() -> OpenAIDialect:
    return OpenAIDialect("https://api.openai.com/v1/", Secret(KEY))


def completion(
    content: Any = "Two.", finish: str = "stop", usage: Any = None, **message: Any
) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content, **message},
                "finish_reason": finish,
            }
        ],
        "usage": usage or {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15},
    }


def decoded(said: Any, status: int = 200, **headers: str) -> Any:
    return dialect().decode(call(), response(said, status, **headers))


# --- encoding ---------------------------------------------------------------------------------


def test_a_request_has_its_address_its_headers_and_its_limits() -> None:
    """One slash, the key as a bearer token, and the order's own time."""
    request = dialect().encode(call())
    assert request.url == "https://api.openai.com/v1/chat/completions"
    assert dict(request.headers)["authorization"] == f"Bearer {KEY}"
    assert dict(request.headers)["content-type"] == "application/json"
    assert request.timeout_s == 30.0


def test_a_server_without_a_key_gets_no_authorization() -> None:
    """Local servers want none."""
    request = OpenAIDialect("http://localhost:11434/v1").encode(call())
    assert "authorization" not in dict(request.headers)


def test_the_conversation_is_spliced_in_as_it_is() -> None:
    """Byte for byte, whatever its roles, white space and escapes."""
    messages = b'[ {"role":"developer",  "content":"\\u00e9\\ud83d\\ude00"} , {"role":"user"} ]'
    plain = call()
    odd = replace(plain, order=replace(plain.order, messages=messages))
    assert messages in dialect().encode(odd).body


def test_parameters_reach_the_vendor() -> None:
    """The user's, with the order's temperature and seed before them."""
    order = call(parameters={"top_p": 0.5, "temperature": 0.9}, temperature=0.0, seed=7)
    assert body(dialect().encode(order)) == {
        "model": "gpt-4",
        "messages": QUESTION,
        "max_tokens": 100,
        "top_p": 0.5,
        "temperature": 0.0,
        "seed": 7,
        "stream": False,
    }


def test_what_the_engine_owns_cannot_be_overridden() -> None:
    """No parameter changes the model, the conversation, the limit or the form of the answer."""
    owned = {"model": "other", "messages": [], "stream": True, "n": 5, "max_tokens": 9**9}
    sent = body(dialect().encode(call(parameters={**owned, "max_completion_tokens": 9**9})))
    assert sent == {"model": "gpt-4", "messages": QUESTION, "max_tokens": 100, "stream": False}


@pytest.mark.parametrize("upstream", ["o1", "o3-mini", "o4-mini", "gpt-5", "gpt-5.2", "gpt-6-luna"])
def test_reasoning_families_are_known_by_name(upstream: str) -> None:
    """They count `max_completion_tokens` and refuse to have their sampling set."""
    sent = body(dialect().encode(call(upstream, temperature=0.2, parameters={"top_p": 0.1})))
    assert "max_tokens" not in sent
    assert sent["max_completion_tokens"] == 100
    assert "temperature" not in sent
    assert "top_p" not in sent


@pytest.mark.parametrize("upstream", ["gpt-4", "gpt-4o", "gpt-5-chat-latest", "llama-3", "o"])
def test_other_models_keep_the_usual_names(upstream: str) -> None:
    """Also those whose names begin alike."""
    sent = body(dialect().encode(call(upstream, temperature=0.2)))
    assert (sent["max_tokens"], sent["temperature"]) == (100, 0.2)


# --- answers ----------------------------------------------------------------------------------


def test_an_answer_has_its_text_and_usage() -> None:
    """Cached tokens are taken out of the prompt's, reasoning stays a part of the output."""
    usage = {
        "prompt_tokens": 1000,
        "completion_tokens": 300,
        "total_tokens": 1300,
        "prompt_tokens_details": {"cached_tokens": 600, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 250},
    }
    answered = decoded(completion(usage=usage))
    assert answered.ticket == "1.1"
    assert answered.answer.text == "Two."
    assert answered.answer.usage == Usage(input=400, cache_read=600, output=300, reasoning=250)
    assert answered.answer.usage_known
    assert not answered.answer.truncated


def test_reasoning_counted_beside_the_output_is_output() -> None:
    """Where the total says that more was generated than `completion_tokens`, it is billed."""
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 115,
        "completion_tokens_details": {"reasoning_tokens": 100},
    }
    assert decoded(completion(usage=usage)).answer.usage == Usage(10, output=105, reasoning=100)


@pytest.mark.parametrize(
    "usage", [None, {}, {"prompt_tokens": 5}, {"prompt_tokens": -1, "completion_tokens": 1}, "much"]
)
def test_an_answer_without_readable_usage_is_estimated(usage: Any) -> None:
    """The text was paid for and is kept; its usage says that it is a guess."""
    said = completion("x" * 40)
    said["usage"] = usage
    answer = decoded(said).answer
    assert answer.text == "x" * 40
    assert not answer.usage_known
    assert answer.usage.input > 0
    assert answer.usage.output == 11


def test_an_answer_cut_off_is_truncated() -> None:
    """`length` is an answer, not a failure."""
    assert decoded(completion(finish="length")).answer.truncated


def test_text_in_parts_is_joined_and_reasoning_fields_are_not_text() -> None:
    """As servers with thinking models send it."""
    parts = [{"type": "thinking", "thinking": "…"}, {"type": "text", "text": "Two"}]
    said = completion([*parts, {"type": "text", "text": "."}], reasoning_content="Let me count.")
    assert decoded(said).answer.text == "Two."


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (completion(None, refusal="I cannot"), "refused"),
        (completion("Tw", "content_filter"), "refused"),
        (completion(None), "empty"),
        (completion(" \n "), "empty"),
        (completion("", "length"), "empty"),
        (completion(None, "tool_calls", tool_calls=[{"id": "1"}]), "empty"),
        (completion("Two.", tool_calls=[{"id": "1"}]), "empty"),
    ],
)
def test_what_is_no_text_is_a_billed_failure(said: Any, kind: str) -> None:
    """The usage comes with it."""
    errored = decoded(said)
    assert (errored.kind, errored.usage) == (kind, Usage(input=12, output=3))
    assert errored.written


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"<html>Welcome to the hotel's network</html>",
        b"[]",
        b"null",
        b"{}",
        b'{"choices": []}',
        b'{"choices": {}}',
        b'{"choices": [{"message": {"content": 5}}]}',
        b'{"choices": [{"message": {"content": "\\ud800"}}]}',
        b'{"choices": [{"message": {"content": "\xff"}}]}',
        b'{"choices": [{"message": {"content": NaN}}]}',
        b'{"choices": [{"message": {"content": "x"}}]',
        b'{"choices": ' + b"[" * 100_000,
        b'{"x": ' * 100_000,
    ],
)
def test_what_cannot_be_read_is_malformed(said: bytes) -> None:
    """Wrong types, depth, surrogates and cut off JSON alike; never an exception."""
    errored = decoded(said)
    assert (errored.kind, errored.usage) == ("malformed", None)


@given(st.binary(), st.sampled_from([200, 201, 301, 400, 404, 429, 500]))
def test_no_bytes_make_it_raise(said: bytes, status: int) -> None:
    """Whatever came, with whatever status, ends in one of the two outcomes."""
    assert isinstance(
        dialect().decode(call(), HttpResponse(status, {}, said)), CallAnswered | CallErrored
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
KEYS = ("choices", "message", "content", "usage", "prompt_tokens", "finish_reason", "error", "code")


@given(
    st.recursive(
        JSON,
        lambda inner: (
            st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
        ),
        max_leaves=12,
    ),
    st.sampled_from([200, 400, 429, 500]),
)
def test_no_json_makes_it_raise(said: Any, status: int) -> None:
    """Nor does the right shape with the wrong things in it."""
    try:
        answer = response(said, status)
    except (ValueError, OverflowError):  # integers that JSON bytes cannot be made of here
        return
    assert isinstance(dialect().decode(call(), answer), CallAnswered | CallErrored)
