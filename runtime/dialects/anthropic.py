"""Anthropic's messages.

The format knows two roles and a `system` text beside them.  A conversation in OpenAI's terms maps
so, in order and with nothing left out but what is blank:

- `system` and `developer` texts become blocks of `system`; a conversation of nothing else is sent
  as the user's words, since there must be some;
- `user` and `assistant` stay; two in a row are the vendor's to join;
- any other role (`tool`, `function`) becomes the user's, headed by the role's name;
- a conversation that the assistant begins is opened for it, as the vendor wants the user first.

A thinking model cannot be forced to call a tool.  `max_tokens` is required here.  Parameters that
only OpenAI has are left out.  Usage does not count cached tokens in `input_tokens`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from actors.domain.model import Usage
from actors.protocol import CallAnswered, CallErrored, CallVendor, Complete
from runtime.dialects.anthropic_stream import STATUSES, AnthropicDeltas, ToldUsage, folded
from runtime.dialects.errors import UNREADABLE, error_in, read_error
from runtime.dialects.forms import Form
from runtime.dialects.headers import COMMON_HEADERS, Headers
from runtime.dialects.ladder import TOOL, TOOL_SAYS, Ladder, Step
from runtime.dialects.outcomes import answered, errored, failed, interrupted
from runtime.dialects.parameters import Refusals, clipped, listed, refused_parameter, wanted
from runtime.dialects.sse import is_event_stream
from runtime.secret import Secret
from runtime.transport.port import HttpRequest, HttpResponse

VERSION = "2023-06-01"

ONLY_OPENAI = frozenset({
    "seed", "frequency_penalty", "presence_penalty", "logit_bias", "logprobs", "top_logprobs",
    "user", "store", "parallel_tool_calls", "reasoning_effort", "verbosity", "prediction",
    "modalities", "audio", "prompt_cache_key", "safety_identifier", "web_search_options",
})  # fmt: skip

FIXED_SAMPLING = re.compile(r"claude-(opus-4-[7-9]|[a-z]+-[5-9])")
"""Models whose sampling cannot be set at all."""

SAMPLING = frozenset({"temperature", "top_p", "top_k"})

STRUCTURED = Form(
    bounds=frozenset({"format", "minItems"}),
    formats=frozenset({
        "date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid",
    }),
    most_least_items=1,
    names=r"[a-zA-Z0-9_.-]{1,64}",
)  # fmt: skip
"""The schemas of its structured outputs."""

OPENING = {"role": "user", "content": "(The conversation begins with the assistant.)"}


class _Turn(Struct):
    role: str
    content: Raw = Raw(b"null")


class _Block(Struct):
    type: str = ""
    text: str | None = None
    name: str | None = None
    input: Raw = Raw(b"{}")


class _Message(Struct):
    content: list[_Block] | None = None
    stop_reason: str | None = None
    usage: Raw = Raw(b"null")
    error: Raw = Raw(b"null")


_BLANK = re.compile(rb'null|\[\]|"(?:\s|\\[nrt])*"')

_turns = msgspec.json.Decoder(list[_Turn])
_parts = msgspec.json.Decoder(list[Raw])
_messages = msgspec.json.Decoder(_Message)
_usages = msgspec.json.Decoder(ToldUsage)


class AnthropicDialect:
    """A `base_url` that ends in `/v1` is taken as it is; otherwise `/v1` is put behind it."""

    def __init__(self, base_url: str, api_key: Secret | None = None) -> None:
        base = base_url.rstrip("/")
        self._url = f"{base if base.endswith('/v1') else f'{base}/v1'}/messages"
        self._key = api_key
        self._headers = self._with_key((*COMMON_HEADERS, ("anthropic-version", VERSION)))
        self._refusals = Refusals()
        self._ladder = Ladder(STRUCTURED)

    def __repr__(self) -> str:
        return f"<AnthropicDialect {self._url}>"

    @property
    def learnt(self) -> int:
        return self._refusals.learnt + self._ladder.learnt

    def encode(self, call: CallVendor, *, stream: bool = False) -> HttpRequest:
        order = call.order
        upstream = order.upstream
        system, turns = converse(order.messages)
        parameters = self._refusals.without(upstream, translated(order))
        step = self._ladder.step(order, tools="thinking" not in parameters)
        body = {
            "model": upstream,
            "max_tokens": order.max_tokens,
            "messages": turns,
            **({"system": system} if system else {}),
            **parameters,
            **(_form(step, parameters) if step is not None else {}),
            **({} if self._refusals.includes(upstream, "stream") else {"stream": stream}),
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
            message = _messages.decode(response.body)
        except UNREADABLE as error:
            return failed(call, response, "malformed", f"unreadable answer: {error}")
        if message.content is not None:
            usage = _usage(message.usage)
            return _read(call, response, message.content, message.stop_reason, usage)
        told = error_in(message.error)
        if told.message:
            return errored(call, response, self._key, error=told, status=502)
        return failed(call, response, "malformed", "an answer without content")

    def deltas(self) -> AnthropicDeltas:
        return AnthropicDeltas()

    def _decode_stream(
        self, call: CallVendor, response: HttpResponse
    ) -> CallAnswered | CallErrored:
        try:
            said = folded(response.body)
        except UNREADABLE as error:
            return failed(call, response, "malformed", f"unreadable stream: {error}")
        told = error_in(said.error)
        usage = None if said.usage is None else _counted(said.usage)
        if told.message or told.type:
            status = STATUSES.get(told.type, 502)
            return interrupted(call, response, self._key, told, status, usage, said.text)
        if not said.ended:
            return failed(call, response, "malformed", "the stream ended before its end", usage)
        blocks = [_Block("text", said.text)]
        if said.arguments is not None:
            blocks.append(
                _Block("tool_use", name=TOOL, input=Raw(said.arguments.encode() or b"{}"))
            )
        elif said.tool_use:
            blocks.append(_Block("tool_use"))
        return _read(call, response, blocks, said.stop_reason, usage)

    def _with_key(self, headers: Headers) -> Headers:
        return (*headers, ("x-api-key", self._key.reveal())) if self._key else headers

    def _refused(self, call: CallVendor, response: HttpResponse) -> CallErrored | None:
        """Learns from a 400 about a parameter, so that the same order can pass."""
        error = read_error(response.body)
        if (words := self._ladder.learn(call.order, response.status, error)) is not None:
            return failed(call, response, "parameter", words)
        optional = (*translated(call.order), "stream")
        name = refused_parameter(response.status, error, optional)
        if name is None:
            return None
        self._refusals.learn(call.order.upstream, name)
        return failed(call, response, "parameter", f"{call.order.upstream} takes no {name}")


def translated(order: Complete) -> dict[str, Raw]:
    """The parameters in this vendor's terms, less what its models are known not to take."""
    parameters = {k: v for k, v in wanted(order).items() if k not in ONLY_OPENAI}
    if FIXED_SAMPLING.match(order.upstream):
        parameters = {k: v for k, v in parameters.items() if k not in SAMPLING}
    if "temperature" in parameters:
        parameters["temperature"] = clipped(parameters["temperature"], 1)
        parameters.pop("top_p", None)  # both at once are refused; the one that was asked for wins
    if "stop" in parameters:
        stop = parameters.pop("stop")
        parameters.setdefault("stop_sequences", listed(stop))
    return parameters


def converse(messages: bytes) -> tuple[list[Any], list[Any]]:
    """A conversation as this vendor's `system` blocks and turns."""
    system: list[Any] = []
    turns: list[Any] = []
    for turn in _turns.decode(messages):
        if _blank(turn.content):
            continue
        if turn.role in ("system", "developer"):
            system += _blocks(turn.content)
        elif turn.role in ("user", "assistant"):
            turns.append({"role": turn.role, "content": turn.content})
        else:
            heading = {"type": "text", "text": f"[{turn.role}]"}
            turns.append({"role": "user", "content": [heading, *_blocks(turn.content)]})
    if not turns:
        return [], [{"role": "user", "content": system}]
    if turns[0]["role"] == "assistant":
        turns.insert(0, OPENING)
    return system, turns


def _blank(content: Raw) -> bool:
    """No content, or white space only: the vendor refuses both, and there is nothing to lose."""
    return _BLANK.fullmatch(content) is not None


def _blocks(content: Raw) -> list[Any]:
    if bytes(content).startswith(b"["):
        return list(_parts.decode(content))
    return [{"type": "text", "text": content}]


def _read(
    call: CallVendor,
    response: HttpResponse,
    blocks: Sequence[_Block],
    reason: str | None,
    usage: Usage | None,
) -> CallAnswered | CallErrored:
    if reason == "refusal":
        return failed(call, response, "refused", "the model declined", usage)
    truncated = reason in ("max_tokens", "model_context_window_exceeded")
    if call.order.schema is not None and (arguments := _arguments(blocks)) is not None:
        return answered(call, response, arguments, usage, truncated)
    if reason == "tool_use" or any(block.type == "tool_use" for block in blocks):
        return failed(call, response, "empty", "a tool call instead of text", usage)
    text = "".join(block.text or "" for block in blocks if block.type == "text")
    return answered(call, response, text, usage, truncated)


def _arguments(blocks: Sequence[_Block]) -> str | None:
    """What the tool that takes answers was called with."""
    called = (block.input for block in blocks if block.type == "tool_use" and block.name == TOOL)
    found = next(called, None)
    return None if found is None else bytes(found).decode("utf-8", "replace")


def _form(step: Step, parameters: dict[str, Raw]) -> dict[str, Any]:
    """What asks for the answer's form; one of the `parameters` stands in the same place."""
    if step.rung == "native":
        config = msgspec.json.decode(parameters.get("output_config", Raw(b"{}")))
        given = config if isinstance(config, dict) else {}
        return {
            "output_config": {**given, "format": {"type": "json_schema", "schema": step.schema}}
        }
    return {
        "tools": [{"name": TOOL, "description": TOOL_SAYS, "input_schema": step.schema}],
        "tool_choice": {"type": "tool", "name": TOOL},
    }


def _usage(raw: Raw) -> Usage | None:
    """The vendor's usage; None when none can be read."""
    try:
        return _counted(_usages.decode(raw))
    except UNREADABLE:
        return None


def _counted(said: ToldUsage) -> Usage | None:
    """It is already in disjoint classes."""
    if said.input_tokens is None or said.output_tokens is None:
        return None
    return Usage(
        input=said.input_tokens,
        cache_read=said.cache_read_input_tokens or 0,
        cache_write=said.cache_creation_input_tokens or 0,
        output=said.output_tokens,
    )
