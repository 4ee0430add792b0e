"""Answers that are streamed say the same as answers in one piece, and are whole or none."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from actors.domain.model import Usage
from actors.protocol import CallAnswered, CallErrored
from runtime.dialects.anthropic import AnthropicDialect
from runtime.dialects.gemini import GeminiDialect
from runtime.dialects.openai import OpenAIDialect
from runtime.dialects.port import Dialect
from runtime.dialects.sse import EventReader, events_in, is_event_stream
from runtime.testing import streams, wire
from runtime.testing.wire import Format
from tests.runtime.dialects.calls import body, call, response

FORMATS: tuple[Format, ...] = ("openai", "anthropic", "gemini")
DIALECTS: dict[Format, Callable[[str], Dialect]] = {
    "openai": OpenAIDialect,
    "anthropic": AnthropicDialect,
    "gemini": GeminiDialect,
}
TRUNCATED: dict[Format, str] = {
    "openai": "length",
    "anthropic": "max_tokens",
    "gemini": "MAX_TOKENS",
}
TEXT = "Mars has two moons: Phobos — “fear” — and Deimos.\r\n\ndata: [DONE]\n🌑🌕"
USAGE = Usage(input=100, cache_read=11, output=42)
CALL = call("m", parameters={"top_k": 5})
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)


def dialect(format: Format) -> Dialect:
    return DIALECTS[format]("http://v")


def streamed(format: Format, text: str = TEXT, usage: Usage | None = USAGE, **more: Any) -> bytes:
    return b"".join(streams.stream(format, "m", text, usage, more.get("finish")))


def event(data: Any) -> bytes:
    return b"data: " + msgspec.json.encode(data) + b"\n\n"


def chunk(finish: str | None = None, **delta: Any) -> bytes:
    return event({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})


DONE = b"data: [DONE]\n\n"


def read(format: Format, data: bytes) -> CallAnswered | CallErrored:
    return dialect(format).decode(CALL, response(data))


def answer(format: Format, data: bytes) -> CallAnswered:
    outcome = read(format, data)
    assert isinstance(outcome, CallAnswered), outcome
    return outcome


def failure(format: Format, data: bytes) -> CallErrored:
    outcome = read(format, data)
    assert isinstance(outcome, CallErrored), outcome
    return outcome


def shown(format: Format, pieces: list[bytes]) -> str:
    deltas = dialect(format).deltas()
    return "".join(map(deltas.feed, pieces))


# --- what comes whole -----------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
@given(text=TEXTS, cuts=st.lists(st.integers(0, 4_000)), truncated=st.booleans())
def test_a_stream_is_its_answer_however_it_is_split(
    format: Format, text: str, cuts: list[int], truncated: bool
) -> None:
    """The same text, usage and ending as in one piece; its deltas are that text."""
    finish = TRUNCATED[format] if truncated else None
    data = streamed(format, text, finish=finish)
    whole = wire.answer(format, "m", text, USAGE, finish)
    assert answer(format, data) == answer(format, msgspec.json.encode(whole))
    places = sorted({0, len(data), *(cut % len(data) for cut in cuts)})
    pieces = [data[a:b] for a, b in itertools.pairwise(places)]
    assert shown(format, pieces) == text


@pytest.mark.parametrize("format", FORMATS)
def test_every_byte_for_itself(format: Format) -> None:
    data = streamed(format)
    assert shown(format, [bytes([byte]) for byte in data]) == TEXT


@pytest.mark.parametrize("format", FORMATS)
def test_a_stream_that_is_cut_is_no_answer(format: Format) -> None:
    """Wherever that is, before the last byte of its end mark; what came is never more than it."""
    data = streamed(format)
    end = len(data.rstrip())
    for length in range(len(data)):
        outcome = read(format, data[:length])
        assert isinstance(outcome, CallAnswered) is (length >= end), data[:length]
        if isinstance(outcome, CallErrored):
            assert outcome.kind == "malformed"
        assert TEXT.startswith(shown(format, [data[:length]]))


@pytest.mark.parametrize("format", FORMATS)
@given(data=st.data())
def test_nothing_that_a_vendor_streams_is_a_crash(format: Format, data: st.DataObject) -> None:
    stream = bytearray(streamed(format))
    for at in data.draw(st.lists(st.integers(0, len(stream) - 1), max_size=5)):
        stream[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    read(format, bytes(stream))
    shown(format, [bytes(stream)])


@pytest.mark.parametrize("format", FORMATS)
def test_a_stream_without_usage_is_estimated(format: Format) -> None:
    answered = answer(format, streamed(format, usage=None)).answer
    assert answered.text == TEXT
    assert not answered.usage_known
    assert answered.usage.output > 0


@pytest.mark.parametrize("format", FORMATS)
def test_an_answer_in_one_piece_is_one_though_a_stream_was_asked_for(format: Format) -> None:
    """Some vendors answer as they like; there are no deltas then."""
    whole = msgspec.json.encode(wire.answer(format, "m", TEXT, USAGE, None))
    deltas = dialect(format).deltas()
    assert deltas.feed(whole) == ""
    assert not deltas.is_stream
    assert answer(format, whole).answer.text == TEXT


# --- the tool that takes answers ------------------------------------------------------------------

ARGUMENTS = '{"moons": ["Phobos — “fear”", "Deimos"], "n": 2}'
ASKED = call("m", schema=b'{"type":"object"}')


def called(format: Format, tool: str = "answer") -> bytes:
    return b"".join(streams.stream(format, "m", ARGUMENTS, USAGE, None, tool))


@pytest.mark.parametrize("format", FORMATS)
@given(cuts=st.lists(st.integers(0, 4_000)))
def test_the_arguments_of_the_tool_are_the_answer(format: Format, cuts: list[int]) -> None:
    """Streamed or whole; they are shown as they come."""
    data = called(format)
    whole = msgspec.json.encode(wire.answer(format, "m", ARGUMENTS, USAGE, None, "answer"))
    streamed, at_once = (dialect(format).decode(ASKED, response(said)) for said in (data, whole))
    assert isinstance(streamed, CallAnswered)
    assert streamed == at_once
    assert msgspec.json.decode(streamed.answer.text) == msgspec.json.decode(ARGUMENTS)
    places = sorted({0, len(data), *(cut % len(data) for cut in cuts)})
    assert shown(format, [data[a:b] for a, b in itertools.pairwise(places)]) == streamed.answer.text


@pytest.mark.parametrize("format", FORMATS)
def test_a_call_of_the_tool_that_is_cut_is_no_answer(format: Format) -> None:
    data = called(format)
    for length in range(len(data.rstrip())):
        outcome = dialect(format).decode(ASKED, response(data[:length]))
        assert isinstance(outcome, CallErrored), data[:length]
        assert outcome.kind == "malformed"


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(("asked", "tool"), [(CALL, "answer"), (ASKED, "search")])
def test_any_other_call_of_a_tool_is_no_answer(format: Format, asked: Any, tool: str) -> None:
    """One that was not asked for, or of another tool."""
    whole = msgspec.json.encode(wire.answer(format, "m", ARGUMENTS, USAGE, None, tool))
    for said in (called(format, tool), whole):
        outcome = dialect(format).decode(asked, response(said))
        assert isinstance(outcome, CallErrored)
        assert (outcome.kind, outcome.usage) == ("empty", USAGE)


# --- what goes wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
def test_an_error_in_a_stream_is_that_error(format: Format) -> None:
    """Without a text it bills nothing, as an error does; with one what was written is billed."""
    said = streams.stream_error(format, 529, "Overloaded")
    early = failure(format, said)
    assert (early.kind, early.detail[4:]) == ("transient", " Overloaded")
    assert early.http_status is not None
    assert early.http_status >= 500
    parts = streams.stream(format, "m", TEXT, USAGE, None)
    late = failure(format, b"".join(parts[:5]) + said)
    assert (late.kind, late.http_status, late.usage) == ("transient", 200, None)


@pytest.mark.parametrize(
    ("type", "kind"),
    [
        ("overloaded_error", "transient"),
        ("rate_limit_error", "rate_limited"),
        ("invalid_request_error", "fatal"),
        ("news_to_us", "transient"),
    ],
)
def test_anthropic_s_errors_are_of_the_kind_they_would_have_been(type: str, kind: str) -> None:
    said = event({"type": "error", "error": {"type": type, "message": "no"}})
    assert failure("anthropic", said).kind == kind


def test_an_error_s_status_may_be_its_code() -> None:
    said = event({"error": {"message": "slow down", "code": 429}})
    assert failure("openai", said).kind == "rate_limited"


@pytest.mark.parametrize("format", ["openai", "anthropic"])
def test_usage_that_was_told_before_a_cut_is_billed(format: Format) -> None:
    parts = streams.stream(format, "m", TEXT, USAGE, None)
    assert failure(format, b"".join(parts[:-1])).usage == USAGE
    assert failure(format, b"".join(parts[:5])).usage is None


def test_gemini_s_usage_of_a_piece_is_not_that_of_the_whole() -> None:
    """What is told before the end is less than what will be billed."""
    parts = streams.stream("gemini", "m", TEXT, USAGE, None)
    assert failure("gemini", b"".join(parts[:-1])).usage is None


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (chunk(content="I "), "malformed"),
        (chunk(refusal="I will not") + chunk("stop") + DONE, "refused"),
        (chunk(content="I ") + chunk("content_filter") + DONE, "refused"),
        (chunk(tool_calls=[{"index": 0}]) + chunk("tool_calls") + DONE, "empty"),
        (chunk("stop") + DONE, "empty"),
        (DONE, "empty"),
        (b": hello\n\n", "malformed"),
        (b"data: {\n\n" + DONE, "malformed"),
        (b"data: 7\n\n" + DONE, "malformed"),
    ],
)
def test_openai_s_streams_that_are_no_answer(said: bytes, kind: str) -> None:
    assert failure("openai", said).kind == kind


@pytest.mark.parametrize(
    ("reason", "block", "kind"),
    [("refusal", "text", "refused"), ("tool_use", "tool_use", "empty")],
)
def test_anthropic_s_streams_that_are_no_answer(reason: str, block: str, kind: str) -> None:
    said = (
        event({"type": "message_start", "message": {"usage": {"input_tokens": 9}}})
        + event({"type": "content_block_start", "index": 0, "content_block": {"type": block}})
        + event({"type": "message_delta", "delta": {"stop_reason": reason},
                 "usage": {"output_tokens": 3}})
        + event({"type": "message_stop"})
    )  # fmt: skip
    errored = failure("anthropic", said)
    assert (errored.kind, errored.usage) == (kind, Usage(input=9, output=3))


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ({"candidates": [{"finishReason": "SAFETY"}]}, "refused"),
        ({"candidates": [{"finishReason": "STOP"}]}, "empty"),
        ({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}, "refused"),
        ({"usageMetadata": {"promptTokenCount": 3}}, "malformed"),
    ],
)
def test_gemini_s_streams_that_are_no_answer(said: Any, kind: str) -> None:
    assert failure("gemini", event(said)).kind == kind


def test_only_the_first_choice_is_the_answer() -> None:
    other = event({"choices": [{"index": 1, "delta": {"content": "other"}}]})
    said = chunk(content="this") + other + chunk("stop") + DONE
    assert answer("openai", said).answer.text == "this"
    assert shown("openai", [said]) == "this"


def test_a_text_in_parts_and_hidden_reasoning() -> None:
    """Reasoning is no text, but is counted as written."""
    parts = [{"type": "thinking", "thinking": []}, {"type": "text", "text": "so"}]
    said = chunk(reasoning_content="hmm") + chunk(content=parts) + chunk("stop") + DONE
    assert answer("openai", said).answer.text == "so"
    deltas = OpenAIDialect("http://v").deltas()
    assert deltas.feed(said) == "so"
    assert deltas.written == len("hmmso")
    thought = {"content": {"parts": [{"text": "hmm", "thought": True}, {"text": "so"}]}}
    gemini = GeminiDialect("http://v").deltas()
    assert gemini.feed(event({"candidates": [thought]})) == "so"
    assert gemini.written == len("hmmso")
    thinking = event({"type": "content_block_delta", "delta": {"type": "thinking_delta",
                      "thinking": "hmm"}})  # fmt: skip
    deltas = AnthropicDialect("http://v").deltas()
    assert deltas.feed(thinking) == ""
    assert (deltas.written, deltas.is_stream) == (3, True)


# --- what is asked for ----------------------------------------------------------------------------


def test_a_stream_is_asked_for_with_its_usage() -> None:
    sent = body(OpenAIDialect("http://v").encode(CALL, stream=True))
    assert (sent["stream"], sent["stream_options"]) == (True, {"include_usage": True})
    sent = body(AnthropicDialect("http://v").encode(CALL, stream=True))
    assert sent["stream"] is True
    assert "stream_options" not in sent
    url = GeminiDialect("http://v").encode(CALL, stream=True).url
    assert url == "http://v/v1beta/models/m:streamGenerateContent?alt=sse"


@pytest.mark.parametrize(
    ("format", "name"),
    [("openai", "stream"), ("openai", "stream_options"), ("anthropic", "stream")],
)
def test_a_model_that_takes_no_streams_is_asked_without(format: Format, name: str) -> None:
    """Learnt from its first refusal, as any parameter; other models are asked as before."""
    asked = dialect(format)
    message = f"Your organization must be verified to use {name}: it is not supported"
    error = {"message": message, "code": "unsupported_value", "param": name}
    refused = asked.decode(CALL, response({"error": error}, 400))
    assert isinstance(refused, CallErrored)
    assert refused.kind == "parameter"
    sent = body(asked.encode(CALL, stream=True))
    assert sent.get("stream") in (None, False)
    assert "stream_options" not in sent
    other = replace(CALL, order=replace(CALL.order, upstream="n"))
    assert body(asked.encode(other, stream=True))["stream"] is True


# --- server-sent events ---------------------------------------------------------------------------


def test_events_of_every_shape() -> None:
    """Data on several lines, either line end, comments, fields of no use, no last empty line."""
    body = b": hi\r\nevent: x\r\ndata: a\r\ndata:b\r\n\r\nid: 7\n\ndata\ndata:  c\n\n\ndata: d"
    assert events_in(body) == [b"a\nb", b" c", b"d"]
    assert is_event_stream(b"\r\n" + body)
    assert not is_event_stream(b'{"data": 1}')


def test_a_line_without_an_end_is_not_kept_for_ever() -> None:
    """Nor is its time more than its length."""
    reader = EventReader()
    for _ in range(100):
        assert reader.feed(b"x" * 65_536) == []
    assert reader.feed(b"\n\ndata: a\n\n") == []
