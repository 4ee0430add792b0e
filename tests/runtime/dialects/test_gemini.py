"""Gemini's generateContent, values in and values out."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.model import Usage
from actors.protocol import CallAnswered, CallErrored
from runtime.dialects.gemini import OPENING, GeminiDialect
from runtime.secret import Secret
from runtime.testing.strictness import gemini_complaint
from runtime.testing.wire import RecordedCall
from runtime.transport.port import HttpResponse
from tests.runtime.dialects.calls import KEY, body, call, response

TOLD = {"promptTokenCount": 12, "candidatesTokenCount": 3, "totalTokenCount": 15}


def dialect() -> GeminiDialect:
    return GeminiDialect("https://generativelanguage.googleapis.com", Secret(KEY))


def said(*parts: Any, finish: str | None = "STOP", usage: Any = None) -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": list(parts)}, "finishReason": finish}
    return {"candidates": [candidate], "usageMetadata": usage or TOLD}


def text(value: str) -> dict[str, str]:
    return {"text": value}


def decoded(answer: Any, status: int = 200) -> Any:
    return dialect().decode(call(), response(answer, status))


def sent(*messages: tuple[str, Any], **order: Any) -> dict[str, Any]:
    turns = [{"role": role, "content": content} for role, content in messages]
    return body(dialect().encode(call("m", turns or None, **order)))


# --- encoding ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "upstream", "url"),
    [
        ("https://g", "gemini-x", "https://g/v1beta/models/gemini-x:generateContent"),
        ("https://g/v1beta/", "gemini-x", "https://g/v1beta/models/gemini-x:generateContent"),
        ("https://g/v1", "tunedModels/a", "https://g/v1/tunedModels/a:generateContent"),
        ("https://g/p", "odd name?", "https://g/p/v1beta/models/odd%20name%3F:generateContent"),
    ],
)
def test_the_model_is_in_the_address(base: str, upstream: str, url: str) -> None:
    """Below one version, whether the base has it or not."""
    assert GeminiDialect(base).encode(call(upstream)).url == url


def test_the_key_is_in_a_header() -> None:
    """Never in the address, which is logged."""
    request = dialect().encode(call())
    assert dict(request.headers)["x-goog-api-key"] == KEY
    assert KEY not in request.url


def test_a_plain_conversation() -> None:
    assert sent() == {
        "contents": [{"role": "user", "parts": [text("How many moons has Mars?")]}],
        "generationConfig": {"maxOutputTokens": 100},
    }


def test_instructions_are_lifted_out_and_turns_alternate() -> None:
    request = sent(
        ("system", "Be brief."),
        ("assistant", "Hello"),
        ("user", "Hi"),
        ("user", [text("a"), text(" ")]),
        ("developer", "In French."),
        ("tool", "42 °C"),
        ("assistant", None),
    )
    assert request["systemInstruction"] == {"parts": [text("Be brief."), text("In French.")]}
    assert request["contents"] == [
        {"role": "user", "parts": [text(OPENING)]},
        {"role": "model", "parts": [text("Hello")]},
        {"role": "user", "parts": [text("Hi"), text("a"), text("[tool]"), text("42 °C")]},
    ]


def test_a_conversation_of_instructions_only_becomes_the_users() -> None:
    request = sent(("system", "Say hello."))
    assert "systemInstruction" not in request
    assert request["contents"] == [{"role": "user", "parts": [text("Say hello.")]}]


ROLES = st.sampled_from(["system", "developer", "user", "assistant", "tool", "function"])


@given(st.lists(st.tuples(ROLES, st.text(min_size=1)), min_size=1))
def test_every_conversation_with_text_is_accepted_with_all_its_text(
    turns: list[tuple[str, str]],
) -> None:
    turns = [(role, f"x{words}") for role, words in turns]
    made = [{"role": role, "content": words} for role, words in turns]
    request = dialect().encode(call("m", made))
    path = request.url.removeprefix("https://generativelanguage.googleapis.com")
    recorded = RecordedCall(path, dict(request.headers), body(request))
    assert gemini_complaint(recorded, KEY, {}) is None
    contents = [*recorded.body["contents"], recorded.body.get("systemInstruction", {"parts": []})]
    words = [part["text"] for turn in contents for part in turn["parts"]]
    for _, one in turns:
        words.remove(one)


def test_parameters_are_translated() -> None:
    """Into this vendor's names and ranges; what only OpenAI knows stays out, and what is of the
    whole request does not stand in the configuration.
    """
    parameters = {
        "stop": "END",
        "top_p": 0.5,
        "topK": 5,
        "frequency_penalty": 1,
        "user": "u",
        "candidateCount": 3,
        "thinkingConfig": {"thinkingLevel": "low"},
        "safetySettings": [],
    }
    request = sent(parameters=parameters, temperature=2.5, seed=2**40 + 7)
    assert request["safetySettings"] == []
    assert request["generationConfig"] == {
        "maxOutputTokens": 100,
        "stopSequences": ["END"],
        "topP": 0.5,
        "topK": 5,
        "frequencyPenalty": 1,
        "thinkingConfig": {"thinkingLevel": "low"},
        "temperature": 2,
        "seed": 7,
    }


def test_a_parameter_that_is_refused_is_left_out_from_then_on() -> None:
    asked, order = dialect(), call("m", parameters={"top_k": 5})
    message = "Invalid JSON payload received. Unknown name \"topK\" at 'generation_config': Cannot"
    error = {"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}}
    refused = asked.decode(order, response(error, 400))
    assert isinstance(refused, CallErrored)
    assert (refused.kind, refused.detail) == ("parameter", "m takes no topK")
    assert "topK" not in body(asked.encode(order))["generationConfig"]


@pytest.mark.parametrize(
    ("words", "field"),
    [
        ("Developer instruction is not enabled for models/m", "systemInstruction"),
        ("Penalty is not enabled for models/m", "presencePenalty"),
        ("Thinking level is not supported for this model.", "thinkingConfig"),
    ],
)
def test_a_field_that_an_error_calls_otherwise(words: str, field: str) -> None:
    """An instruction is then told by the user, so that nothing of it is lost."""
    parameters = {"presence_penalty": 1, "frequency_penalty": 1, "thinkingConfig": {}}
    messages = [
        {"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hi"},
    ]  # fmt: skip
    asked, order = dialect(), call("m", messages, parameters=parameters)
    assert field in str(body(asked.encode(order)))
    told = error(400, "INVALID_ARGUMENT", words)
    assert asked.decode(order, response(told, 400)).kind == "parameter"
    sent = body(asked.encode(order))
    assert field not in str(sent)
    assert "frequencyPenalty" not in str(sent) or field != "presencePenalty"
    assert "Be brief." in str(sent)
    assert [turn["role"] for turn in sent["contents"]] == ["user", "model"]


# --- answers ----------------------------------------------------------------------------------


def test_an_answer_has_its_text_and_usage() -> None:
    """Cached tokens are a part of the prompt; thoughts are output beside what is written."""
    usage = {
        "promptTokenCount": 700,
        "cachedContentTokenCount": 600,
        "candidatesTokenCount": 30,
        "thoughtsTokenCount": 270,
        "totalTokenCount": 1000,
    }
    thought = {"text": "Let me count.", "thought": True}
    answer = decoded(said(thought, text("Two"), text("."), usage=usage)).answer
    assert answer.text == "Two."
    assert answer.usage == Usage(input=100, cache_read=600, output=300, reasoning=270)


def test_what_is_nought_is_not_told() -> None:
    """As when all was thought and nothing written."""
    usage = {"promptTokenCount": 9, "thoughtsTokenCount": 5, "totalTokenCount": 14}
    errored = decoded(said(finish="MAX_TOKENS", usage=usage))
    assert (errored.kind, errored.usage) == ("empty", Usage(input=9, output=5, reasoning=5))


def test_an_answer_cut_off_is_truncated() -> None:
    assert decoded(said(text("Tw"), finish="MAX_TOKENS")).answer.truncated


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (said(text("I"), finish="SAFETY"), "refused"),
        (said(text("I"), finish="IMAGE_SAFETY"), "refused"),
        (said(finish="RECITATION"), "refused"),
        (said(text("I"), finish="PROHIBITED_CONTENT"), "refused"),
        ({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": TOLD}, "refused"),
        (said(), "empty"),
        (said(text(" ")), "empty"),
        (said({"functionCall": {"name": "f", "args": {}}}), "empty"),
        (said(finish="MALFORMED_FUNCTION_CALL"), "empty"),
        (said(finish="UNEXPECTED_TOOL_CALL"), "empty"),
        (said(text("I"), finish="OTHER"), "malformed"),
        ({"usageMetadata": TOLD}, "malformed"),
    ],
)
def test_what_is_no_text_is_a_billed_failure(answer: Any, kind: str) -> None:
    errored = decoded(answer)
    assert (errored.kind, errored.usage) == (kind, Usage(input=12, output=3))


@pytest.mark.parametrize("raw", [b"", b"[]", b'{"candidates": 5}', b"[" * 100_000])
def test_what_cannot_be_read_is_malformed(raw: bytes) -> None:
    assert decoded(raw).kind == "malformed"


@given(st.binary(), st.sampled_from([200, 400, 503]))
def test_no_bytes_make_it_raise(raw: bytes, status: int) -> None:
    """Whatever came ends in one of the two outcomes."""
    outcome = dialect().decode(call(), HttpResponse(status, {}, raw))
    assert isinstance(outcome, CallAnswered | CallErrored)


# --- errors -----------------------------------------------------------------------------------


def error(code: int, status: str, message: str, *details: Any) -> Any:
    told = {"code": code, "message": message, "status": status, "details": list(details)}
    return {"error": told}


RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.07s"}
QUOTA = "You exceeded your current quota, please check your plan and billing details."
TOO_LONG = "The input token count (1048577) exceeds the maximum number of tokens allowed (1048576)."


@pytest.mark.parametrize(
    ("told", "kind", "wait"),
    [
        (error(429, "RESOURCE_EXHAUSTED", QUOTA, RETRY), "rate_limited", 34.07),
        (error(429, "RESOURCE_EXHAUSTED", QUOTA), "fatal", None),
        (error(503, "UNAVAILABLE", "The model is overloaded."), "transient", None),
        (error(400, "INVALID_ARGUMENT", "API key not valid."), "fatal", None),
        (error(400, "INVALID_ARGUMENT", TOO_LONG), "context_overflow", None),
        (error(404, "NOT_FOUND", "models/m is not found"), "fatal", None),
    ],
)
def test_an_error_is_of_its_kind(told: Any, kind: str, wait: float | None) -> None:
    """A quota that will be there again soon is a rate; the wait is in the body."""
    errored = decoded(told, told["error"]["code"])
    assert (errored.kind, errored.retry_after_s, errored.usage) == (kind, wait, None)
    in_a_list = decoded(msgspec.json.encode([told]), told["error"]["code"])
    assert in_a_list.kind == kind
