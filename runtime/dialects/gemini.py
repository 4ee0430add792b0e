"""Google's Gemini: `generateContent`, and `streamGenerateContent` for answers as they are written.

The model is named in the address.  The format knows two roles, `user` and `model`, and a
`systemInstruction` beside them; a conversation in OpenAI's terms maps so:

- `system` and `developer` texts become parts of the instruction; a conversation of nothing else is
  sent as the user's words;
- `assistant` becomes `model`; any other role (`tool`, `function`) the user's, headed by its name;
- turns of one role in a row become one, as they must alternate, and the user is first.

Usage: `promptTokenCount` includes cached tokens.  What a model thinks is billed as output and
stands beside `candidatesTokenCount`, not in it; a limit of output holds for both together.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Raw, Struct

from actors.protocol import CallAnswered, CallErrored, CallVendor, Complete
from runtime.dialects.errors import UNREADABLE, VendorError, error_in, read_error
from runtime.dialects.forms import Form
from runtime.dialects.gemini_stream import GeminiDeltas, Said, folded, said_in
from runtime.dialects.headers import COMMON_HEADERS
from runtime.dialects.ladder import TOOL, TOOL_SAYS, Ladder, Step
from runtime.dialects.outcomes import answered, errored, failed, interrupted
from runtime.dialects.parameters import (
    Refusals,
    clipped,
    listed,
    refused_parameter,
    says_unsupported,
    wanted,
)
from runtime.dialects.sse import is_event_stream
from runtime.secret import Secret
from runtime.transport.port import HttpRequest, HttpResponse

ONLY_OPENAI = frozenset({
    "logit_bias", "logprobs", "top_logprobs", "user", "store", "parallel_tool_calls",
    "reasoning_effort", "verbosity", "prediction", "modalities", "audio", "prompt_cache_key",
    "safety_identifier", "web_search_options", "metadata", "service_tier",
})  # fmt: skip

OWNED = frozenset({
    "contents", "systemInstruction", "generationConfig", "toolConfig", "candidateCount",
    "maxOutputTokens", "responseMimeType", "responseSchema", "responseJsonSchema",
})  # fmt: skip
"""Set by the engine, in this vendor's names."""

NAMES = {
    "top_p": "topP",
    "top_k": "topK",
    "stop": "stopSequences",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
}
"""What OpenAI's parameters are called here; `temperature` and `seed` are called the same."""

BESIDE_CONFIG = frozenset({"safetySettings", "cachedContent", "labels", "serviceTier"})
"""Parameters of a request as a whole; all others are of its `generationConfig`."""

INSTRUCTION = "systemInstruction"
IN_WORDS = {
    "developer instruction": INSTRUCTION,
    "system instruction": INSTRUCTION,
    "penalty is": "presencePenalty",
    "thinking": "thinkingConfig",
}
"""What this vendor's errors call a field, and the field."""

TOGETHER = {"presencePenalty": ("frequencyPenalty",)}

REFUSED = re.compile(
    r"(IMAGE_)?(SAFETY|RECITATION|PROHIBITED_CONTENT)|LANGUAGE|BLOCKLIST|SPII|MODEL_ARMOR"
)
"""Reasons to end that are refusals."""

TOOL_CALLS = re.compile(r"[A-Z]+(_[A-Z]+)*_(FUNCTION|TOOL)_CALLS?")
ENDED = ("STOP", "MAX_TOKENS", "FINISH_REASON_UNSPECIFIED", None)

RESPONSE = Form(
    bounds=frozenset({"format", "minimum", "maximum", "minItems", "maxItems"}),
    formats=frozenset({"date-time", "date", "time"}),
    closed=False,
    any_root=True,
    tuples=True,
    constants=False,
)
"""The schemas of its `responseJsonSchema`."""

OPENING = "(The conversation begins with the assistant.)"


class _Part(Struct):
    text: str | None = None


class _Turn(Struct):
    role: str
    content: str | list[_Part] | None = None

    @property
    def texts(self) -> list[str]:
        """Its parts that are not blank: the vendor refuses a part without text."""
        content = self.content or []
        parts = [content] if isinstance(content, str) else [part.text or "" for part in content]
        return [text for text in parts if text.strip()]


_turns = msgspec.json.Decoder(list[_Turn])


class GeminiDialect:
    """A `base_url` that ends in a version (`/v1beta`) is taken as it is; otherwise that one is put
    behind it.
    """

    def __init__(self, base_url: str, api_key: Secret | None = None) -> None:
        self._url = f"{versioned(base_url)}/"
        self._key = api_key
        key = (("x-goog-api-key", api_key.reveal()),) if api_key else ()
        self._headers = (*COMMON_HEADERS, *key)
        self._refusals = Refusals()
        self._ladder = Ladder(RESPONSE)

    def __repr__(self) -> str:
        return f"<GeminiDialect {self._url}>"

    @property
    def learnt(self) -> int:
        return self._refusals.learnt + self._ladder.learnt

    def encode(self, call: CallVendor, *, stream: bool = False) -> HttpRequest:
        order = call.order
        upstream = order.upstream
        system, contents = converse(order.messages)
        if system and self._refusals.includes(upstream, INSTRUCTION):
            system, contents = [], instructed(system, contents)
        parameters = self._refusals.without(upstream, translated(order))
        step = self._ladder.step(order)
        beside = {name: parameters.pop(name) for name in BESIDE_CONFIG & parameters.keys()}
        body = {
            "contents": contents,
            **({"systemInstruction": {"parts": system}} if system else {}),
            **beside,
            **_forced(step),
            "generationConfig": {
                "maxOutputTokens": order.max_tokens,
                **parameters,
                **_formed(step),
            },
        }
        return HttpRequest(
            url=self._address(upstream, stream),
            headers=self._headers,
            body=msgspec.json.encode(body),
            timeout_s=call.timeout_s,
        )

    def decode(self, call: CallVendor, response: HttpResponse) -> CallAnswered | CallErrored:
        if not 200 <= response.status < 300:
            return self._refused(call, response) or errored(call, response, self._key)
        streamed = is_event_stream(response.body)
        try:
            said = folded(response.body) if streamed else said_in(response.body)
        except UNREADABLE as error:
            return failed(call, response, "malformed", f"unreadable answer: {error}")
        told = error_in(said.error)
        if told.message or told.code:
            return interrupted(
                call, response, self._key, told, told.status or 502, said.usage, said.text
            )
        if streamed and not said.ended:
            return failed(call, response, "malformed", "the stream ended before its end")
        return _read(call, response, said)

    def deltas(self) -> GeminiDeltas:
        return GeminiDeltas()

    def _address(self, upstream: str, stream: bool) -> str:
        kind = "" if "/" in upstream else "models/"
        method = "streamGenerateContent?alt=sse" if stream else "generateContent"
        return f"{self._url}{kind}{quote(upstream, safe='/:@')}:{method}"

    def _refused(self, call: CallVendor, response: HttpResponse) -> CallErrored | None:
        """Learns from a 400 about a parameter, so that the same order can pass."""
        error = read_error(response.body)
        if (words := self._ladder.learn(call.order, response.status, error)) is not None:
            return failed(call, response, "parameter", words)
        name = _named_in_words(response.status, error) or refused_parameter(
            response.status, error, translated(call.order)
        )
        if name is None:
            return None
        for one in (name, *TOGETHER.get(name, ())):
            self._refusals.learn(call.order.upstream, one)
        return failed(call, response, "parameter", f"{call.order.upstream} takes no {name}")


def versioned(base_url: str) -> str:
    """The address that the vendor's models are below."""
    base = base_url.rstrip("/")
    return base if re.search(r"/v\d\w*\Z", base) else f"{base}/v1beta"


def translated(order: Complete) -> dict[str, Raw]:
    """The parameters in this vendor's terms."""
    dropped = ONLY_OPENAI | OWNED
    given = {NAMES.get(k, k): v for k, v in wanted(order).items() if k not in dropped}
    if "stopSequences" in given:
        given["stopSequences"] = listed(given["stopSequences"])
    if "temperature" in given:
        given["temperature"] = clipped(given["temperature"], 2)
    if "seed" in given:
        given["seed"] = _int32(given["seed"])
    return given


def _int32(seed: Raw) -> Raw:
    """Of a longer one the last bits; what is no integer is the vendor's to refuse."""
    value = msgspec.json.decode(seed)
    return Raw(b"%d" % (value % 2**31)) if type(value) is int else seed


def converse(messages: bytes) -> tuple[list[Any], list[Any]]:
    """A conversation as the parts of this vendor's instruction, and its contents."""
    system: list[Any] = []
    contents: list[Any] = []
    for turn in _turns.decode(messages):
        parts = [{"text": text} for text in turn.texts]
        if not parts:
            continue
        if turn.role in ("system", "developer"):
            system += parts
        elif turn.role == "assistant":
            _say(contents, "model", parts)
        elif turn.role == "user":
            _say(contents, "user", parts)
        else:
            _say(contents, "user", [{"text": f"[{turn.role}]"}, *parts])
    if not contents:
        return [], [{"role": "user", "parts": system}]
    if contents[0]["role"] == "model":
        contents.insert(0, {"role": "user", "parts": [{"text": OPENING}]})
    return system, contents


def instructed(system: list[Any], contents: list[Any]) -> list[Any]:
    """The contents with the instruction in them, for a model that takes none beside."""
    first, *rest = contents
    return [{"role": "user", "parts": [*system, *first["parts"]]}, *rest]


def _named_in_words(status: int, error: VendorError) -> str | None:
    """What an error is about that does not name it as a request does."""
    said = error.message.lower()
    if status != 400 or not says_unsupported(error):
        return None
    return next((name for words, name in IN_WORDS.items() if words in said), None)


def _say(contents: list[Any], role: str, parts: list[Any]) -> None:
    if contents and contents[-1]["role"] == role:
        contents[-1]["parts"] += parts
    else:
        contents.append({"role": role, "parts": parts})


def _read(call: CallVendor, response: HttpResponse, said: Said) -> CallAnswered | CallErrored:
    usage, reason = said.usage, said.finish_reason
    if said.blocked:
        return failed(call, response, "refused", f"the prompt was blocked: {said.blocked}", usage)
    if not said.ended and not said.text:
        return failed(call, response, "malformed", "an answer without candidates", usage)
    if reason and REFUSED.fullmatch(reason):
        return failed(call, response, "refused", f"a filter stopped it: {reason}", usage)
    arguments = [made.args for made in said.tool_calls if made.name == TOOL]
    if call.order.schema is not None and arguments:
        text = bytes(arguments[0]).decode("utf-8", "replace")
        return answered(call, response, text, usage, reason == "MAX_TOKENS")
    if said.tool_calls or (reason and TOOL_CALLS.fullmatch(reason)):
        return failed(call, response, "empty", "a tool call instead of text", usage)
    if reason not in ENDED:
        return failed(call, response, "malformed", f"it ended for {reason}", usage)
    return answered(call, response, said.text, usage, reason == "MAX_TOKENS")


def _formed(step: Step | None) -> dict[str, Any]:
    """What asks for the answer's form natively."""
    if step is None or step.rung != "native":
        return {}
    return {"responseMimeType": "application/json", "responseJsonSchema": step.schema}


def _forced(step: Step | None) -> dict[str, Any]:
    """What forces a call of the tool that takes answers."""
    if step is None or step.rung != "tool":
        return {}
    declared = {"name": TOOL, "description": TOOL_SAYS, "parametersJsonSchema": step.schema}
    return {
        "tools": [{"functionDeclarations": [declared]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": [TOOL]}},
    }
