"""OpenAI's chat completions, also spoken by vLLM, Ollama, llama.cpp, LM Studio and many others.

What differs between models of this format is which parameters they take.  The reasoning families
of api.openai.com are known by name: they count `max_completion_tokens` and refuse to have their
sampling set.  Whatever else a model refuses is learnt from its first 400 about it.

Usage: `prompt_tokens` includes cached ones.  `completion_tokens` includes reasoning at OpenAI but
not everywhere (xAI, Gemini's imitation); what `total_tokens` has beyond both is output as well.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from actors.domain.model import Usage
from actors.protocol import CallAnswered, CallErrored, CallVendor, Complete
from runtime.dialects.errors import UNREADABLE, error_in, read_error
from runtime.dialects.forms import Form
from runtime.dialects.headers import COMMON_HEADERS, Headers
from runtime.dialects.ladder import TOOL, TOOL_SAYS, Ladder, Step
from runtime.dialects.openai_stream import Function, OpenAIDeltas, Streamed, ToolCall, folded
from runtime.dialects.outcomes import answered, errored, failed, interrupted
from runtime.dialects.parameters import Refusals, refused_parameter, wanted, without
from runtime.dialects.sse import is_event_stream
from runtime.secret import Secret
from runtime.transport.port import HttpRequest, HttpResponse

REASONING = re.compile(r"o[1-9](-|$)|gpt-(?!5(\.\d+)?-chat)[5-9]")
"""Model names of api.openai.com that reason before they answer."""

SAMPLING = frozenset({
    "temperature", "top_p", "presence_penalty", "frequency_penalty", "logit_bias", "logprobs",
    "top_logprobs",
})  # fmt: skip
"""What the reasoning families refuse to have set."""

STRICT = Form(
    bounds=frozenset({
        "pattern", "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
        "multipleOf", "minItems", "maxItems",
    }),
    formats=frozenset({
        "date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid",
    }),
    complete=True,
    recursive=True,
    deepest=10,
)  # fmt: skip
"""The schemas of its strict mode."""

STREAMING = ("stream", "stream_options")
TOKEN_LIMITS = ("max_tokens", "max_completion_tokens")

Tokens = Annotated[int, Meta(ge=0, le=2**53)] | None


class _Part(Struct):
    type: str = ""
    text: str | None = None


class _Message(Struct):
    content: str | list[_Part] | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None
    function_call: Raw | None = None


class _Choice(Struct):
    message: _Message
    finish_reason: str | None = None


class _Completion(Struct):
    choices: list[_Choice] | None = None
    usage: Raw = Raw(b"null")
    error: Raw = Raw(b"null")


class _PromptDetails(Struct):
    cached_tokens: Tokens = None


class _CompletionDetails(Struct):
    reasoning_tokens: Tokens = None


class _Usage(Struct):
    prompt_tokens: Tokens = None
    completion_tokens: Tokens = None
    total_tokens: Tokens = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None


_completions = msgspec.json.Decoder(_Completion)
_usages = msgspec.json.Decoder(_Usage)


class OpenAIDialect:
    """`base_url` ends in `/v1` or the like; a local server may want no key."""

    def __init__(self, base_url: str, api_key: Secret | None = None) -> None:
        self._url = f"{base_url.rstrip('/')}/chat/completions"
        self._key = api_key
        self._headers = self._with_key(COMMON_HEADERS)
        self._refusals = Refusals()
        self._ladder = Ladder(STRICT)

    def __repr__(self) -> str:
        return f"<OpenAIDialect {self._url}>"

    @property
    def learnt(self) -> int:
        return self._refusals.learnt + self._ladder.learnt

    def encode(self, call: CallVendor, *, stream: bool = False) -> HttpRequest:
        order = call.order
        upstream = order.upstream
        refused = self._refusals.of(upstream)
        step = self._ladder.step(order)
        body = {
            "model": upstream,
            "messages": Raw(order.messages),
            _token_limit(upstream, refused): order.max_tokens,
            **_taken(order, refused),
            **(_form(step) if step is not None else {}),
            **_streaming(stream, refused),
        }
        return HttpRequest(
            url=self._url,
            headers=self._headers,
            body=msgspec.json.encode(body),
            timeout_s=call.timeout_s,
        )

    def decode(self, call: CallVendor, response: HttpResponse) -> CallAnswered | CallErrored:
        if not 200 <= response.status < 300:
            return self._refused(call, response) or errored(call, response, self._key)
        if is_event_stream(response.body):
            return self._decode_stream(call, response)
        try:
            completion = _completions.decode(response.body)
        except UNREADABLE as error:
            return failed(call, response, "malformed", f"unreadable answer: {error}")
        if completion.choices:
            return _read(call, response, completion.choices[0], _usage(completion.usage))
        return self._without_choices(call, response, completion)

    def deltas(self) -> OpenAIDeltas:
        return OpenAIDeltas()

    def _decode_stream(
        self, call: CallVendor, response: HttpResponse
    ) -> CallAnswered | CallErrored:
        try:
            said = folded(response.body)
        except UNREADABLE as error:
            return failed(call, response, "malformed", f"unreadable stream: {error}")
        told, usage = error_in(said.error), _usage(said.usage)
        if told.message or told.code:
            status = told.status or 502
            return interrupted(call, response, self._key, told, status, usage, said.text)
        if not said.ended:
            return failed(call, response, "malformed", "the stream ended before its end", usage)
        message = _Message(said.text, said.refusal or None, _calls(said))
        return _read(call, response, _Choice(message, said.finish_reason), usage)

    def _with_key(self, headers: Headers) -> Headers:
        if not self._key:
            return headers
        return (*headers, ("authorization", f"Bearer {self._key.reveal()}"))

    def _refused(self, call: CallVendor, response: HttpResponse) -> CallErrored | None:
        """Learns from a 400 about a parameter, so that the same order can pass."""
        error = read_error(response.body)
        if (words := self._ladder.learn(call.order, response.status, error)) is not None:
            return failed(call, response, "parameter", words)
        optional = (*TOKEN_LIMITS, *wanted(call.order), *STREAMING)
        name = refused_parameter(response.status, error, optional)
        if name is None:
            return None
        self._refusals.learn(call.order.upstream, name)
        return failed(call, response, "parameter", f"{call.order.upstream} takes no {name}")

    def _without_choices(
        self, call: CallVendor, response: HttpResponse, completion: _Completion
    ) -> CallErrored:
        """Some servers put an error into a 200, with the real status as its code."""
        told, usage = error_in(completion.error), _usage(completion.usage)
        if told.message or told.code:
            return errored(
                call, response, self._key, error=told, status=told.status or 502, usage=usage
            )
        return failed(call, response, "malformed", "an answer without choices", usage)


@lru_cache(maxsize=1_024)
def _reasons(upstream: str) -> bool:
    return REASONING.match(upstream) is not None


def _token_limit(upstream: str, refused: frozenset[str]) -> str:
    """The name this model has for its limit; when it refuses both, the one tried last."""
    first, second = reversed(TOKEN_LIMITS) if _reasons(upstream) else TOKEN_LIMITS
    return second if first in refused else first


def _taken(order: Complete, refused: frozenset[str]) -> dict[str, Raw]:
    """The parameters that this model is known, by name or from before, to take."""
    if _reasons(order.upstream):
        refused |= SAMPLING
    return without(refused, wanted(order))


def _streaming(stream: bool, refused: frozenset[str]) -> dict[str, Any]:
    """Asked for with its usage or not at all; a model that knows no streams is not told."""
    if "stream" in refused:
        return {}
    if not stream or "stream_options" in refused:
        return {"stream": False}
    return {"stream": True, "stream_options": {"include_usage": True}}


def _read(
    call: CallVendor, response: HttpResponse, choice: _Choice, usage: Usage | None
) -> CallAnswered | CallErrored:
    message, finish = choice.message, choice.finish_reason
    if message.refusal or finish == "content_filter":
        why = "a content filter stopped it" if finish == "content_filter" else "the model declined"
        return failed(call, response, "refused", why, usage)
    truncated = finish == "length"
    if call.order.schema is not None and (arguments := _arguments(message)) is not None:
        return answered(call, response, arguments, usage, truncated)
    if message.tool_calls or message.function_call or finish in ("tool_calls", "function_call"):
        return failed(call, response, "empty", "a tool call instead of text", usage)
    return answered(call, response, _text(message.content), usage, truncated)


def _calls(said: Streamed) -> list[ToolCall] | None:
    """The calls of tools of a stream, as those of an answer in one piece."""
    if said.arguments is not None:
        return [ToolCall(function=Function(TOOL, said.arguments))]
    return [ToolCall()] if said.tool_calls else None


def _arguments(message: _Message) -> str | None:
    """What the tool that takes answers was called with."""
    functions = (call.function for call in message.tool_calls or ())
    return next((made.text for made in functions if made and made.name == TOOL), None)


def _form(step: Step) -> dict[str, Any]:
    """What asks for the answer's form."""
    if step.rung == "native":
        form = {"name": TOOL, "strict": True, "schema": step.schema}
        return {"response_format": {"type": "json_schema", "json_schema": form}}
    function = {"name": TOOL, "description": TOOL_SAYS, "parameters": step.schema}
    return {
        "tools": [{"type": "function", "function": function}],
        "tool_choice": {"type": "function", "function": {"name": TOOL}},
    }


def _text(content: str | list[_Part] | None) -> str:
    if isinstance(content, list):
        return "".join(part.text or "" for part in content if part.type in ("text", ""))
    return content or ""


def _usage(raw: Raw) -> Usage | None:
    """The vendor's usage in disjoint classes; None when it tells none that can be read."""
    try:
        said = _usages.decode(raw)
    except UNREADABLE:
        return None
    if said.prompt_tokens is None or said.completion_tokens is None:
        return None
    prompt, details = said.prompt_tokens, said.prompt_tokens_details
    cached = min((details and details.cached_tokens) or 0, prompt)
    output = max(said.completion_tokens, (said.total_tokens or 0) - prompt)
    thought = said.completion_tokens_details
    reasoning = min((thought and thought.reasoning_tokens) or 0, output)
    return Usage(input=prompt - cached, cache_read=cached, output=output, reasoning=reasoning)
