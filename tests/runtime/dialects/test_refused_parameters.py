"""A parameter that a model does not take is learnt from the vendor's first 400 about it."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.dialects.anthropic import AnthropicDialect
from runtime.dialects.openai import OpenAIDialect
from tests.runtime.dialects.calls import body, call, response

CALL = call("m", parameters={"top_k": 5}, temperature=0.2, seed=1)


def about(param: str | None, code: str | None, message: str) -> Any:
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return {"error": error}


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (about("temperature", "unsupported_value", "Only the default (1) is supported"),
         "temperature"),
        (about("temperature", None, "Unsupported parameter: 'temperature' is not supported with "
               "this model."), "temperature"),
        (about("top_k", "unknown_parameter", "Unknown parameter: 'top_k'."), "top_k"),
        (about(None, None, "Unrecognized request argument supplied: top_k"), "top_k"),
        (about("seed", "unsupported_parameter", "Unsupported parameter: 'seed'"), "seed"),
    ],
)  # fmt: skip
def test_openai_leaves_out_what_was_refused(said: Any, name: str) -> None:
    """The call ends as `parameter`; the same order is then encoded without it, for that model."""
    dialect = OpenAIDialect("http://vendor/v1")
    assert name in body(dialect.encode(CALL))
    errored = dialect.decode(CALL, response(said, 400))
    assert (errored.kind, errored.detail) == ("parameter", f"m takes no {name}")
    assert errored.usage is None
    assert name not in body(dialect.encode(CALL))
    assert name in body(dialect.encode(call("n", parameters={"top_k": 5}, temperature=1, seed=1)))


def test_the_limit_goes_by_its_other_name() -> None:
    """It is required: refused by one name it is sent by the other, in both directions."""
    dialect = OpenAIDialect("http://vendor/v1")
    message = "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
    said = about("max_tokens", "unsupported_parameter", f"{message}'max_completion_tokens'.")
    assert dialect.decode(CALL, response(said, 400)).kind == "parameter"
    sent = body(dialect.encode(CALL))
    assert "max_tokens" not in sent
    assert sent["max_completion_tokens"] == 100

    newer = call("o3")
    said = about("max_completion_tokens", "unknown_parameter", "Unknown parameter")
    assert dialect.decode(newer, response(said, 400)).kind == "parameter"
    assert body(dialect.encode(newer))["max_tokens"] == 100


def test_a_limit_refused_by_both_names_stays_as_it_was_sent_last() -> None:
    """So that whoever compares the requests sees that nothing would change."""
    dialect = OpenAIDialect("http://vendor/v1")
    for name in ("max_tokens", "max_completion_tokens"):
        last = dialect.encode(CALL)
        dialect.decode(CALL, response(about(name, "unknown_parameter", "Unknown"), 400))
    assert dialect.encode(CALL) == last


@pytest.mark.parametrize(
    "message",
    ["top_k: Extra inputs are not permitted", "`top_k` is deprecated for this model."],
)
def test_anthropic_leaves_out_what_was_refused(message: str) -> None:
    """Its errors name the parameter in the message only."""
    dialect = AnthropicDialect("http://vendor")
    said = {"type": "error", "error": {"type": "invalid_request_error", "message": message}}
    assert dialect.decode(CALL, response(said, 400)).kind == "parameter"
    sent = body(dialect.encode(CALL))
    assert "top_k" not in sent
    assert sent["temperature"] == 0.2


@pytest.mark.parametrize(
    "said",
    [
        about("temperature", "decimal_above_max_value", "must be at most 2"),
        about("messages[0].role", "unsupported_value", "Unsupported value: 'messages[0].role'"),
        about("model", "unsupported_value", "This model is not supported"),
        about(None, None, "This model is not supported in your country"),
    ],
)
def test_other_complaints_teach_nothing(said: Any) -> None:
    """A value out of range is the user's mistake, and what was not optional cannot be left out."""
    dialect = OpenAIDialect("http://vendor/v1")
    before = dialect.encode(CALL)
    assert dialect.decode(CALL, response(said, 400)).kind == "fatal"
    assert dialect.encode(CALL) == before


def test_only_a_400_teaches() -> None:
    """Words alone do not: a server error may quote anything."""
    dialect = OpenAIDialect("http://vendor/v1")
    said = about("temperature", "unsupported_value", "Unsupported value")
    assert dialect.decode(CALL, response(said, 500)).kind == "transient"
    assert "temperature" in body(dialect.encode(CALL))
