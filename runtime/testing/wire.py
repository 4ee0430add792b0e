"""The formats of vendors from their side: requests as they come in, answers as they go out."""

from __future__ import annotations

import re
from typing import Any, Literal, TypeAlias
from urllib.parse import unquote

import msgspec
from msgspec import Raw, Struct

from actors.domain.model import Usage

Format: TypeAlias = Literal["openai", "anthropic", "gemini"]


class RecordedCall(Struct, frozen=True):
    """A request as it reached the vendor; header names in lower case, `body` decoded JSON."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def model(self) -> str:
        """Gemini's is in the address."""
        named = re.search(r"/models/([^:/?]+)", self.path)
        return unquote(named[1]) if named else str(self.body.get("model", ""))

    @property
    def streams(self) -> bool:
        """Whether it asks for a stream."""
        return self.body.get("stream") is True or ":streamGenerateContent" in self.path

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The conversation without the instruction that stands beside it; Gemini's contents with
        their parts as `content`.
        """
        if isinstance(contents := self.body.get("contents"), list):
            return [{"role": turn.get("role"), "content": turn.get("parts")} for turn in contents]
        messages = self.body.get("messages", [])
        return messages if isinstance(messages, list) else []

    @property
    def native_schema(self) -> dict[str, Any] | None:
        """The schema that the vendor's own mode is asked to keep to."""
        places = (
            ("generationConfig", "responseJsonSchema"),
            ("response_format", "json_schema", "schema"),
            ("output_config", "format", "schema"),
        )
        found = (_within(self.body, *place) for place in places)
        return next((schema for schema in found if isinstance(schema, dict)), None)

    @property
    def forced_tool(self) -> tuple[str, dict[str, Any]] | None:
        """The name and the schema of the tool that the model must call."""
        tool = _within(self.body, "tools", 0)
        places = (
            (("function",), "parameters", ("tool_choice", "function", "name")),
            ((), "input_schema", ("tool_choice", "name")),
            (("functionDeclarations", 0), "parametersJsonSchema",
             ("toolConfig", "functionCallingConfig", "allowedFunctionNames", 0)),
        )  # fmt: skip
        for place, key, choice in places:
            declared, name = _within(tool, *place), _within(self.body, *choice)
            schema = _within(declared, key)
            if isinstance(name, str) and isinstance(schema, dict) and declared.get("name") == name:
                return name, schema
        return None

    @property
    def last_text(self) -> str:
        return text_of(self.messages[-1].get("content")) if self.messages else ""


def _within(value: Any, *steps: str | int) -> Any:
    """What is found there; None where a step leads nowhere."""
    for step in steps:
        try:
            value = value[step]
        except (LookupError, TypeError):
            return None
    return value


def text_of(content: Any) -> str:
    """The text of a message's content, a string or blocks."""
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(content or "")


def counted_usage(call: RecordedCall, text: str) -> Usage:
    """Four bytes a token."""
    instruction = call.body.get("system") or call.body.get("systemInstruction")
    asked = call.native_schema or call.forced_tool
    sent = len(msgspec.json.encode([call.messages, instruction, asked]))
    return Usage(input=sent // 4 + 1, output=len(text.encode()) // 4 + 1)


def answer(
    format: Format, model: str, text: str, usage: Usage, finish: str | None, tool: str | None = None
) -> Any:
    """A successful answer, with the usage told in that vendor's way; with a `tool` it is called
    with the text, which is JSON.
    """
    if format == "openai":
        return _completion(model, text, usage, finish or "stop", tool)
    if format == "gemini":
        usage_told = {"usageMetadata": gemini_usage(usage)}
        return generated(model, text, finish or "STOP", tool) | usage_told
    block: dict[str, Any] = {"type": "text", "text": text}
    if tool is not None:
        block = {"type": "tool_use", "id": "toolu_1", "name": tool, "input": Raw(text.encode())}
    return {
        "id": "msg_scripted",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [block],
        "stop_reason": finish or ("end_turn" if tool is None else "tool_use"),
        "usage": anthropic_usage(usage),
    }


def anthropic_usage(usage: Usage) -> dict[str, int]:
    return {
        "input_tokens": usage.input,
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation_input_tokens": usage.cache_write,
        "output_tokens": usage.output,
    }


def generated(model: str, text: str, finish: str | None, tool: str | None = None) -> dict[str, Any]:
    """Gemini's answer, or a piece of one, without usage."""
    part: dict[str, Any] = {"text": text}
    if tool is not None:
        part = {"functionCall": {"name": tool, "args": Raw(text.encode())}}
    candidate = {"content": {"role": "model", "parts": [part]}, "index": 0}
    ended = {} if finish is None else {"finishReason": finish}
    return {"candidates": [candidate | ended], "modelVersion": model, "responseId": "scripted"}


def gemini_usage(usage: Usage) -> dict[str, int]:
    """Thoughts stand beside what is written; what is nought is left out."""
    prompt = usage.input + usage.cache_read + usage.cache_write
    told = {
        "promptTokenCount": prompt,
        "cachedContentTokenCount": usage.cache_read,
        "candidatesTokenCount": usage.output - usage.reasoning,
        "thoughtsTokenCount": usage.reasoning,
        "totalTokenCount": prompt + usage.output,
    }
    return {name: count for name, count in told.items() if count}


def openai_usage(usage: Usage) -> dict[str, Any]:
    prompt = usage.input + usage.cache_read + usage.cache_write
    return {
        "prompt_tokens": prompt,
        "completion_tokens": usage.output,
        "total_tokens": prompt + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }


def _completion(model: str, text: str, usage: Usage, finish: str, tool: str | None) -> Any:
    message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
    if tool is not None:
        function = {"name": tool, "arguments": text}
        calls = [{"id": "call_1", "type": "function", "function": function}]
        message |= {"content": None, "tool_calls": calls}
    return {
        "id": "chatcmpl-scripted",
        "object": "chat.completion",
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": message,
                "finish_reason": finish,
            }
        ],
        "usage": openai_usage(usage),
    }


_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}


_ERROR_STATUSES = {
    400: "INVALID_ARGUMENT",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def error(format: Format, status: int, message: str, code: str | None, param: str | None) -> Any:
    """An error in that vendor's shape; only OpenAI's has a code and a parameter."""
    if format == "gemini":
        kind = _ERROR_STATUSES.get(status, "INTERNAL")
        return {"error": {"code": status, "message": message, "status": kind}}
    told = {"type": _ERROR_TYPES.get(status, "api_error"), "message": message}
    if format == "openai":
        return {"error": {**told, "code": code, "param": param}}
    return {"type": "error", "error": told}
