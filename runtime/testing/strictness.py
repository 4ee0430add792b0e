"""What real vendors refuse, with their words, so that a request that passes here passes there."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from runtime.testing.schemas import (
    Complaint,
    anthropic_schema_complaint,
    gemini_schema_complaint,
    openai_schema_complaint,
)
from runtime.testing.wire import RecordedCall, text_of

# --- OpenAI -----------------------------------------------------------------------------------

_REASONING = re.compile(r"o[1-9](-|$)|gpt-[5-9]")
_FIXED_SAMPLING = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "logprobs")
_OPENAI_ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_OPENAI_FIELDS = frozenset({
    "model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens", "n",
    "temperature", "top_p", "presence_penalty", "frequency_penalty", "logit_bias", "logprobs",
    "top_logprobs", "stop", "seed", "user", "metadata", "store", "tools", "tool_choice",
    "parallel_tool_calls", "response_format", "reasoning_effort", "verbosity", "service_tier",
    "prediction", "modalities", "audio", "web_search_options", "prompt_cache_key",
    "safety_identifier",
})  # fmt: skip


def openai_complaint(
    call: RecordedCall, api_key: str | None, refuses: Mapping[str, Collection[str]]
) -> Complaint | None:
    """What api.openai.com would refuse about a call; None when it would answer."""
    if not call.path.endswith("/chat/completions"):
        return Complaint(404, f"Invalid URL (POST {call.path})")
    if api_key and call.headers.get("authorization") != f"Bearer {api_key}":
        return Complaint(401, "Incorrect API key provided.", "invalid_api_key")
    if (unfit := _not_json(call) or _no_model(call)) is not None:
        return unfit
    return (
        _openai_messages(call)
        or _openai_parameters(call, refuses.get(call.model, ()))
        or openai_schema_complaint(call)
    )


def _not_json(call: RecordedCall) -> Complaint | None:
    if call.headers.get("content-type", "").partition(";")[0] != "application/json":
        return Complaint(400, "We could not parse the JSON body of your request.")
    return None


def _no_model(call: RecordedCall) -> Complaint | None:
    if not isinstance(call.body.get("model"), str) or not call.body["model"]:
        return Complaint(400, "you must provide a model parameter")
    return None


def _openai_messages(call: RecordedCall) -> Complaint | None:
    if not call.messages:
        message = "Invalid 'messages': empty array. Expected an array with minimum length 1."
        return Complaint(400, message, "empty_array", "messages")
    for i, turn in enumerate(call.messages):
        role = turn.get("role")
        if role not in _OPENAI_ROLES:
            param = f"messages[{i}].role"
            return Complaint(400, f"Invalid value: '{role}'.", "invalid_value", param)
        if not isinstance(turn.get("content"), str | list):
            param = f"messages[{i}].content"
            return Complaint(400, f"Invalid type for '{param}'.", "invalid_type", param)
    return None


def _openai_parameters(call: RecordedCall, refused: Collection[str]) -> Complaint | None:
    body = call.body
    for name in body:
        if name not in _OPENAI_FIELDS:
            return Complaint(400, f"Unknown parameter: '{name}'.", "unknown_parameter", name)
        if name in refused:
            return _no_json_schema() if name == "response_format" else _unsupported(name)
    if _REASONING.match(call.model):
        if "max_tokens" in body:
            return _unsupported("max_tokens", " Use 'max_completion_tokens' instead.")
        for name in _FIXED_SAMPLING:
            if body.get(name, 1) != 1:
                message = f"Unsupported value: '{name}' does not support {body[name]} with this "
                return Complaint(400, f"{message}model.", "unsupported_value", name)
    for name in ("max_tokens", "max_completion_tokens"):
        if name in body and not _positive(body[name]):
            return Complaint(400, f"Invalid '{name}'.", "integer_below_min_value", name)
    if "stream_options" in body and body.get("stream") is not True:
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        return Complaint(400, message, None, "stream_options")
    return _out_of_range(body, 2)


def _no_json_schema() -> Complaint:
    message = "Invalid parameter: 'response_format' of type 'json_schema' is not supported with "
    return Complaint(400, f"{message}this model. Learn more about supported models.", None, "")


def _unsupported(name: str, instead: str = "") -> Complaint:
    message = f"Unsupported parameter: '{name}' is not supported with this model.{instead}"
    return Complaint(400, message, "unsupported_parameter", name)


def _out_of_range(body: Mapping[str, Any], most: float) -> Complaint | None:
    value = body.get("temperature", 0)
    if isinstance(value, int | float) and 0 <= value <= most:
        return None
    message = f"temperature: expected a value between 0 and {most}, but got {value} instead."
    return Complaint(400, message, "decimal_above_max_value", "temperature")


def _positive(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


# --- Anthropic --------------------------------------------------------------------------------

_ANTHROPIC_FIELDS = frozenset({
    "model", "messages", "max_tokens", "system", "stream", "temperature", "top_p", "top_k",
    "stop_sequences", "metadata", "thinking", "tools", "tool_choice", "service_tier",
    "container", "context_management", "output_config", "mcp_servers",
})  # fmt: skip


_ANTHROPIC_WORDS = {
    "output_config": "output_config.format: Extra inputs are not permitted",
    "tools": "This model does not support forced tool use: `tool_choice` must be auto.",
}


def anthropic_complaint(
    call: RecordedCall, api_key: str | None, refuses: Mapping[str, Collection[str]]
) -> Complaint | None:
    """What api.anthropic.com would refuse about a call; None when it would answer."""
    if not call.path.endswith("/v1/messages"):
        return Complaint(404, "Not Found")
    if api_key and call.headers.get("x-api-key") != api_key:
        return Complaint(401, "invalid x-api-key")
    if "anthropic-version" not in call.headers:
        return Complaint(400, "anthropic-version: header is required")
    if (unfit := _not_json(call) or _no_model(call)) is not None:
        return unfit
    return (
        _anthropic_parameters(call, refuses.get(call.model, ()))
        or anthropic_schema_complaint(call)
        or _anthropic_messages(call)
    )


def _anthropic_parameters(call: RecordedCall, refused: Collection[str]) -> Complaint | None:
    body = call.body
    if "max_tokens" not in body:
        return Complaint(400, "max_tokens: Field required")
    if not _positive(body["max_tokens"]):
        return Complaint(400, "max_tokens: Input should be greater than or equal to 1")
    for name in body:
        if name not in _ANTHROPIC_FIELDS:
            return Complaint(400, f"{name}: Extra inputs are not permitted")
        if name in refused:
            return Complaint(
                400, _ANTHROPIC_WORDS.get(name, f"`{name}` is deprecated for this model.")
            )
    if "temperature" in body and "top_p" in body:
        message = "`temperature` and `top_p` cannot both be specified for this model."
        return Complaint(400, f"{message} Please use only one.")
    return _out_of_range(body, 1)


def _anthropic_messages(call: RecordedCall) -> Complaint | None:
    if not call.messages:
        return Complaint(400, "messages: at least one message is required")
    for i, turn in enumerate(call.messages):
        role = turn.get("role")
        if role == "system":
            text = "The Messages API accepts a top-level `system` parameter"
            return Complaint(400, f'messages: Unexpected role "system". {text}.')
        if role not in ("user", "assistant"):
            return Complaint(400, f"messages.{i}.role: Input should be 'user' or 'assistant'")
        if not text_of(turn.get("content")).strip():
            return Complaint(400, f"messages.{i}: all messages must have non-empty content")
    if call.messages[0].get("role") != "user":
        return Complaint(400, 'messages: first message must use the "user" role')
    return None


# --- Gemini -----------------------------------------------------------------------------------

_GEMINI_PATH = re.compile(
    r"/v1beta/models/[\w.-]+:(generateContent|streamGenerateContent\?alt=sse)"
)
_GEMINI_FIELDS = frozenset({
    "contents", "systemInstruction", "generationConfig", "safetySettings", "tools", "toolConfig",
    "cachedContent", "labels", "serviceTier",
})  # fmt: skip
_GENERATION_FIELDS = frozenset({
    "maxOutputTokens", "temperature", "topP", "topK", "seed", "stopSequences", "candidateCount",
    "presencePenalty", "frequencyPenalty", "responseLogprobs", "logprobs", "responseMimeType",
    "responseSchema", "responseJsonSchema", "responseModalities", "thinkingConfig",
    "mediaResolution", "speechConfig", "imageConfig",
})  # fmt: skip


_GEMINI_WORDS = {"responseJsonSchema": "JSON mode", "tools": "Function calling"}


def gemini_complaint(
    call: RecordedCall, api_key: str | None, refuses: Mapping[str, Collection[str]]
) -> Complaint | None:
    """What generativelanguage.googleapis.com would refuse about a call; None when it would answer.

    A key that is wrong is an invalid argument there.
    """
    if not _GEMINI_PATH.fullmatch(call.path):
        return Complaint(404, f"Not found: {call.path}")
    if api_key and call.headers.get("x-goog-api-key") != api_key:
        return Complaint(400, "API key not valid. Please pass a valid API key.")
    if (unfit := _not_json(call)) is not None:
        return unfit
    return (
        _gemini_fields(call, refuses.get(call.model, ()))
        or gemini_schema_complaint(call)
        or _gemini_contents(call)
    )


def _gemini_fields(call: RecordedCall, refused: Collection[str]) -> Complaint | None:
    config = call.body.get("generationConfig", {})
    for name in (*call.body, *config):
        if name in refused:
            mode = _GEMINI_WORDS.get(name, name)
            return Complaint(400, f"{mode} is not enabled for models/{call.model}")
    for place, fields, known in (
        ("", call.body, _GEMINI_FIELDS),
        (" at 'generation_config'", config, _GENERATION_FIELDS),
    ):
        for name in fields:
            if name not in known:
                message = f'Invalid JSON payload received. Unknown name "{name}"{place}'
                return Complaint(400, f"{message}: Cannot find field.")
    if "maxOutputTokens" in config and not _positive(config["maxOutputTokens"]):
        return Complaint(400, "max_output_tokens must be positive.")
    seed = config.get("seed", 0)
    if not isinstance(seed, int) or not -(2**31) <= seed < 2**31:
        return Complaint(400, f"Invalid value at 'generation_config.seed' (TYPE_INT32), {seed}")
    return _out_of_range(config, 2)


def _gemini_contents(call: RecordedCall) -> Complaint | None:
    if not call.messages:
        message = "* GenerateContentRequest.contents: contents is not specified"
        return Complaint(400, message)
    before = "model"
    for turn in call.messages:
        role, parts = turn["role"], turn["content"]
        if role not in ("user", "model"):
            return Complaint(400, "Please use a valid role: user, model.")
        if role == before:
            message = "Please ensure that multiturn requests alternate between user and model."
            return Complaint(400, message)
        if not isinstance(parts, list) or not all(_has_text(part) for part in parts):
            message = "Unable to submit request because it must have a text parameter."
            return Complaint(400, message)
        before = role
    return None


def _has_text(part: Any) -> bool:
    return isinstance(part, dict) and part.keys() == {"text"} and bool(part["text"])
