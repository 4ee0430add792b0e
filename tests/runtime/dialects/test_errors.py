"""What vendors say when they do not answer, and what is made of it; the same for every dialect."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.model import Usage
from actors.protocol import CallErrored
from runtime.dialects.anthropic import AnthropicDialect
from runtime.dialects.errors import read_error, retry_after
from runtime.dialects.openai import OpenAIDialect
from runtime.dialects.outcomes import MAX_DETAIL
from runtime.secret import Secret
from tests.runtime.dialects.calls import KEY, call, response

DIALECTS = [
    OpenAIDialect("http://vendor/v1", Secret(KEY)),
    AnthropicDialect("http://vendor", Secret(KEY)),
]


def errored(said: Any, status: int, **headers: str) -> Any:
    """What either dialect makes of it: they agree."""
    outcomes = [d.decode(call("m"), response(said, status, **headers)) for d in DIALECTS]
    assert outcomes[0] == outcomes[1]
    return outcomes[0]


def openai(message: str, code: str | None = None, type: str = "invalid_request_error") -> Any:
    return {"error": {"message": message, "type": type, "code": code, "param": None}}


def anthropic(message: str, type: str = "invalid_request_error") -> Any:
    return {"type": "error", "error": {"type": type, "message": message}}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, "fatal"),
        (400, "fatal"),
        (401, "fatal"),
        (402, "fatal"),
        (403, "fatal"),
        (404, "fatal"),
        (408, "transient"),
        (409, "transient"),
        (413, "context_overflow"),
        (418, "fatal"),
        (425, "transient"),
        (429, "rate_limited"),
        (500, "transient"),
        (502, "transient"),
        (503, "transient"),
        (529, "transient"),
    ],
)
def test_the_status_decides_the_kind(status: int, kind: str) -> None:
    """Unless the words say more.  It is told as it was: an error is not billed."""
    outcome = errored(openai("something"), status)
    assert (outcome.kind, outcome.http_status, outcome.usage) == (kind, status, None)


@pytest.mark.parametrize(
    "said",
    [
        openai("too long", code="context_length_exceeded"),
        openai(
            "This model's maximum context length is 8192 tokens. However, your messages resulted "
            "in 9000 tokens. Please reduce the length of the messages."
        ),
        anthropic("prompt is too long: 210000 tokens > 200000 maximum"),
        anthropic("input length and `max_tokens` exceed context limit: 199211 + 20000 > 200000"),
        {"error": {"code": 400, "message": "the request exceeds the available context size",
                   "type": "exceed_context_size_error"}},
        {"object": "error", "message": "Input is too long for requested model.", "code": 400},
    ],
)  # fmt: skip
def test_a_conversation_that_is_too_long_is_an_overflow(said: Any) -> None:
    """In the words of OpenAI, Anthropic and the common imitations."""
    assert errored(said, 400).kind == "context_overflow"


def test_an_output_limit_that_is_too_high_is_no_overflow() -> None:
    """A larger context would not help."""
    message = "max_tokens is too large: 100000. This model supports at most 16384 completion tokens"
    assert errored(openai(message), 400).kind == "fatal"


@pytest.mark.parametrize(
    "said",
    [
        openai("You exceeded your current quota", "insufficient_quota", "insufficient_quota"),
        openai("Request too large for gpt-4 on tokens per min (TPM): Limit 10000, Requested 30000"),
    ],
)
def test_a_limit_that_waiting_does_not_lift_is_fatal(said: Any) -> None:
    """Money that is used up, or a request that is larger than a minute's allowance."""
    assert errored(said, 429, retry_after="20").kind == "fatal"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "1e99"}, 86_400.0),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({}, None),
        (
            {
                "retry-after": "Wed, 21 Oct 2026 07:28:30 GMT",
                "date": "Wed, 21 Oct 2026 07:28:00 GMT",
            },
            30.0,
        ),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
    ],
)
def test_retry_after_is_read_in_all_its_forms(
    headers: dict[str, str], seconds: float | None
) -> None:
    """A date counts from the vendor's own clock where it told the time."""
    assert retry_after(headers) == seconds


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_retry_after_makes_it_raise(said: str, date: str) -> None:
    """A header is anybody's text."""
    seconds = retry_after({"retry-after": said, "date": date, "retry-after-ms": date})
    assert seconds is None or 0 <= seconds <= 86_400


def test_a_wait_is_told_where_waiting_helps() -> None:
    """For rate limits and overload, not for what will not succeed later either."""
    assert errored(openai("slow down"), 429, retry_after="7").retry_after_s == 7
    assert errored(anthropic("Overloaded", "overloaded_error"), 529, retry_after="2").retry_after_s
    assert errored(openai("no"), 400, retry_after="7").retry_after_s is None


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (openai("Bad request"), "Bad request"),
        ({"error": "model not found"}, "model not found"),
        ({"message": "no such route"}, "no such route"),
        ({"detail": "Not authenticated"}, "Not authenticated"),
        ([{"error": {"code": 400, "message": "API key not valid", "status": "X"}}], "API key"),
        ({"detail": [{"loc": ["body", "n"], "msg": "field required"}]}, "field required"),
        (b"<html><style>p {}</style><p>Bad Gateway</p></html>", "Bad Gateway"),
        ("plain", "plain"),
    ],
)
def test_the_message_is_found_wherever_it_is(said: Any, message: str) -> None:
    """Vendors and the proxies before them agree on no shape."""
    assert message in errored(said, 400).detail


@given(st.binary(max_size=300))
def test_no_error_body_makes_it_raise(said: bytes) -> None:
    """Whatever it holds."""
    assert isinstance(read_error(said).message, str)


def test_the_detail_is_one_short_line_without_our_key() -> None:
    """A vendor may echo the key it was sent, at any length."""
    said = openai(f"Incorrect API key: {KEY}\n\x1b[31m" + "long " * 10_000)
    detail = errored(said, 401).detail
    assert KEY not in detail
    assert KEY[:8] not in detail
    assert detail.startswith("401: Incorrect API key: ***")
    assert detail.isprintable()
    assert len(detail) <= MAX_DETAIL


def test_an_error_inside_a_200_is_an_error() -> None:
    """Some routers answer so, with the real status as the code."""
    said = {
        "error": {"message": "upstream is busy", "code": 429},
        "usage": {"prompt_tokens": 9, "completion_tokens": 0},
    }
    openai_dialect, anthropic_dialect = DIALECTS
    outcome = openai_dialect.decode(call(), response(said))
    assert isinstance(outcome, CallErrored)
    assert (outcome.kind, outcome.http_status) == ("rate_limited", 429)
    assert outcome.usage == Usage(input=9)
    assert anthropic_dialect.decode(call(), response(said)).kind == "transient"
