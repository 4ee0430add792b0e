"""Anthropic's messages, values in and values out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.model import Usage
from actors.protocol import CallAnswered, CallErrored
from runtime.dialects.anthropic import OPENING, AnthropicDialect
from runtime.secret import Secret
from runtime.testing.strictness import anthropic_complaint
from runtime.testing.wire import RecordedCall
from runtime.transport.port import HttpResponse
from tests.runtime.dialects.calls import KEY, QUESTION, body, call, response


def dialect() -> AnthropicDialect:
    return AnthropicDialect("https://api.anthropic.com", Secret(KEY))


def message(*content: Any, stop: str = "end_turn", usage: Any = None) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "content": list(content),
        "stop_reason": stop,
        "usage": usage or {"input_tokens": 12, "output_tokens": 3},
    }


def text(value: str) -> dict[str, str]:
    return {"type": "text", "text": value}


def decoded(said: Any) -> Any:
    return dialect().decode(call(), response(said))


def sent(*messages: tuple[str, Any]) -> dict[str, Any]:
    said = [{"role": role, "content": content} for role, content in messages]
    return body(dialect().encode(call("claude", said)))


# --- encoding ---------------------------------------------------------------------------------


@pytest.mark.parametrize("base", ["https://proxy/a", "https://proxy/a/v1", "https://proxy/a/v1/"])
def test_the_address_has_one_v1(base: str) -> None:
    """Whether the base has it or not."""
    assert AnthropicDialect(base).encode(call()).url == "https://proxy/a/v1/messages"


def test_a_request_has_the_vendors_headers() -> None:
    """The key and the version of the format."""
    headers = dict(dialect().encode(call()).headers)
    assert headers["x-api-key"] == KEY
    assert headers["anthropic-version"] == "2023-06-01"
    assert headers["content-type"] == "application/json"
    assert "authorization" not in headers


def test_a_plain_conversation_stays_as_it_is() -> None:
    """`max_tokens` is always there."""
    assert body(dialect().encode(call("claude"))) == {
        "model": "claude",
        "max_tokens": 100,
        "messages": QUESTION,
        "stream": False,
    }


def test_system_and_developer_texts_are_lifted_out_in_order() -> None:
    """Wherever they stood."""
    request = sent(("system", "Be brief."), ("user", "Hi"), ("developer", "In French."))
    assert request["system"] == [text("Be brief."), text("In French.")]
    assert request["messages"] == [{"role": "user", "content": "Hi"}]


def test_a_conversation_of_instructions_only_becomes_the_users() -> None:
    """The vendor wants at least one message."""
    request = sent(("system", "Say hello."))
    assert "system" not in request
    assert request["messages"] == [{"role": "user", "content": [text("Say hello.")]}]


def test_other_roles_become_the_users_under_their_name() -> None:
    """Nothing of a tool's output is lost."""
    request = sent(("user", "Hi"), ("tool", "42 °C"))
    assert request["messages"][1] == {"role": "user", "content": [text("[tool]"), text("42 °C")]}


def test_a_conversation_that_the_assistant_begins_is_opened_for_it() -> None:
    """The user must be first."""
    assert sent(("assistant", "Hi"), ("user", "Hi"))["messages"][0] == OPENING


def test_parts_stay_parts_and_blank_messages_are_left_out() -> None:
    """The vendor refuses messages without text."""
    request = sent(("user", [text("a"), text("b")]), ("assistant", " \n"), ("user", "c"))
    assert request["messages"] == [
        {"role": "user", "content": [text("a"), text("b")]},
        {"role": "user", "content": "c"},
    ]


ROLES = st.sampled_from(["system", "developer", "user", "assistant", "tool", "function"])


@given(st.lists(st.tuples(ROLES, st.text(min_size=1)), min_size=1))
def test_every_conversation_with_text_is_accepted_with_all_its_text(
    turns: list[tuple[str, str]],
) -> None:
    """The strict vendor has nothing to say, and no word is missing."""
    turns = [(role, f"x{words}") for role, words in turns]
    request = sent(*turns)
    headers = dict(dialect().encode(call()).headers)
    assert anthropic_complaint(RecordedCall("/v1/messages", headers, request), KEY, {}) is None
    said = [
        block["text"]
        for turn in [{"content": request.get("system", [])}, *request["messages"]]
        for block in ([text(turn["content"])] if isinstance(turn["content"], str)
                      else turn["content"])
    ]  # fmt: skip
    for _, words in turns:
        said.remove(words)


def test_parameters_are_translated() -> None:
    """`stop` has another name, a temperature is at most 1, and what only OpenAI knows stays out."""
    parameters = {
        "stop": "END",
        "top_k": 5,
        "frequency_penalty": 1,
        "logit_bias": {},
        "user": "u",
        "top_p": None,
    }
    request = body(dialect().encode(call("claude", parameters=parameters, temperature=1.7, seed=3)))
    given = {k: v for k, v in request.items() if k not in ("model", "messages", "max_tokens")}
    assert given == {"stop_sequences": ["END"], "top_k": 5, "temperature": 1, "stream": False}


def test_a_list_of_stops_stays_a_list() -> None:
    """As does what is already in this vendor's terms."""
    request = body(dialect().encode(call("claude", parameters={"stop": ["A", "B"]})))
    assert request["stop_sequences"] == ["A", "B"]


def test_of_temperature_and_top_p_only_the_first_is_sent() -> None:
    """The vendor refuses both at once."""
    request = body(dialect().encode(call("claude", parameters={"temperature": 0, "top_p": 0.5})))
    assert request["temperature"] == 0
    assert "top_p" not in request
    assert body(dialect().encode(call("claude", parameters={"top_p": 0.5})))["top_p"] == 0.5


@pytest.mark.parametrize("upstream", ["claude-opus-4-7", "claude-sonnet-5-5"])
def test_models_with_fixed_sampling_are_known_by_name(upstream: str) -> None:
    """They refuse to have it set."""
    request = body(dialect().encode(call(upstream, temperature=0.5, parameters={"top_k": 3})))
    assert "temperature" not in request
    assert "top_k" not in request


# --- answers ----------------------------------------------------------------------------------


def test_an_answer_has_its_text_and_usage() -> None:
    """Cached tokens are not a part of the input here; thinking is not a part of the text."""
    usage = {
        "input_tokens": 100,
        "cache_read_input_tokens": 600,
        "cache_creation_input_tokens": 50,
        "output_tokens": 300,
    }
    thinking = {"type": "thinking", "thinking": "Let me count.", "signature": "x"}
    answer = decoded(message(thinking, text("Two"), text("."), usage=usage)).answer
    assert answer.text == "Two."
    assert answer.usage == Usage(input=100, cache_read=600, cache_write=50, output=300)


@pytest.mark.parametrize("stop", ["max_tokens", "model_context_window_exceeded"])
def test_an_answer_cut_off_is_truncated(stop: str) -> None:
    """An answer, not a failure."""
    assert decoded(message(text("Tw"), stop=stop)).answer.truncated


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (message(text("I"), stop="refusal"), "refused"),
        (message(), "empty"),
        (message(text("  ")), "empty"),
        (message({"type": "thinking", "thinking": "…"}, stop="max_tokens"), "empty"),
        (message(text("Let me look"), {"type": "tool_use", "id": "1"}), "empty"),
        (message(text("Let me look"), stop="tool_use"), "empty"),
    ],
)
def test_what_is_no_text_is_a_billed_failure(said: Any, kind: str) -> None:
    """The usage comes with it."""
    errored = decoded(said)
    assert (errored.kind, errored.usage) == (kind, Usage(input=12, output=3))


def test_an_answer_without_usage_is_estimated() -> None:
    """And says so."""
    said = message(text("Two."))
    del said["usage"]
    assert not decoded(said).answer.usage_known


@pytest.mark.parametrize(
    "said", [b"", b"[]", b"{}", b'{"content": "text"}', b'{"content": [5]}', b"[" * 100_000]
)
def test_what_cannot_be_read_is_malformed(said: bytes) -> None:
    """Never an exception."""
    assert decoded(said).kind == "malformed"


@given(st.binary(), st.sampled_from([200, 400, 529]))
def test_no_bytes_make_it_raise(said: bytes, status: int) -> None:
    """Whatever came ends in one of the two outcomes."""
    outcome = dialect().decode(call(), HttpResponse(status, {}, said))
    assert isinstance(outcome, CallAnswered | CallErrored)
