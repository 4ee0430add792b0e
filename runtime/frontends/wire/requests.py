"""The body of a request: its shape, and the checks that every front end makes.

:func:`decode` accepts a valid body in one pass of msgspec.  Only when that refuses does it look
again, slowly, for the first complaint in the order that clients rely on: content type, JSON,
unknown fields, messages, iterations, mode, the rest.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, NoReturn, TypeAlias

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from actors.errors import BadRequest
from actors.protocol import Mode, Profile
from runtime.explain import misfit, show, unknown_field
from runtime.frontends.wire.values import TOO_DEEP, check_value, parse, parse_map

Iterations: TypeAlias = Annotated[int, Meta(ge=0, le=10)]
Weight: TypeAlias = Annotated[int, Meta(ge=0, le=10)]
Voters: TypeAlias = Annotated[int, Meta(ge=1, le=10)]
VoterIds: TypeAlias = Annotated[list[str], Meta(max_length=10)]
Judges: TypeAlias = Annotated[int, Meta(ge=1, le=5)]
Criterion: TypeAlias = Annotated[str, Meta(min_length=1, max_length=500)]
Rubric: TypeAlias = Annotated[list[Criterion], Meta(min_length=1, max_length=10)]
Seed: TypeAlias = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
OnPartial: TypeAlias = Literal["accept", "refill", "fail"]
Schema: TypeAlias = dict[str, Any] | str
Usd: TypeAlias = Annotated[float, Meta(ge=0, le=1e9)]
Milliseconds: TypeAlias = Annotated[float, Meta(ge=0, le=86_400_000)]

BAD_ITERATIONS = "iterations must be between 0 and 10"
UNKNOWN_MODE = "unknown orchestration mode"
_JSON_TYPE = re.compile(r"application/(json|[\w.+-]+\+json)\s*(;.*)?$", re.IGNORECASE)


class _Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A part of the body: unknown fields are refused, null is the same as absent."""


class TextPart(_Part, frozen=True, kw_only=True):
    type: Literal["text"]
    text: str


class ChatMessage(_Part, frozen=True, kw_only=True):
    """`content` is a string, or parts of text that are joined as they stand."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart]

    @property
    def text(self) -> str:
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content)


class RequestPart(_Part, frozen=True, kw_only=True):
    """What is asked.  `parameters` reach the calls that write for the user; `meta` nobody."""

    messages: list[ChatMessage] | None = None
    id: Annotated[str, Meta(max_length=256)] | None = None
    model_hint: str | None = None
    estimated_input_tokens: Annotated[int, Meta(ge=0, le=2**31)] | None = None
    parameters: dict[str, Any] | None = None
    meta: dict[str, Any] | None = None
    output_schema: Schema | None = None


class Orchestration(_Part, frozen=True, kw_only=True):
    """How it is answered; what is None takes the configured default."""

    mode: Mode | None = None
    iterations: Iterations | None = None
    primary_model_id: str | None = None
    review_model_id: str | None = None
    primary_min_weight: Weight | None = None
    review_min_weight: Weight | None = None
    return_plan_only: bool | None = None
    output_schema: Schema | None = None
    voters: Voters | None = None
    voter_model_ids: VoterIds | None = None
    on_partial: OnPartial | None = None
    seed: Seed | None = None
    early_stop: bool | None = None
    second_look: bool | None = None
    judges: Judges | None = None
    decide: Literal["judge", "majority"] | None = None
    rubric: Rubric | None = None
    wait: Literal["all", "quorum"] | None = None
    hedge: bool | None = None
    stop: Literal["never", "converged"] | None = None
    keep_best: bool | None = None


class Policy(_Part, frozen=True, kw_only=True):
    max_budget_usd: Usd | None = None
    max_latency_ms: Milliseconds | None = None
    profile: Profile | None = None


class OutputFormat(_Part, frozen=True, kw_only=True):
    strip_think: bool | None = None


class PlanRequest(_Part, frozen=True, kw_only=True):
    """The body of `POST /v1/plan`.  Only `request.messages` is required.

    `stream` asks for events where a front end can be asked so; elsewhere it changes nothing.
    `dry_run` asks what it would come to instead: nothing is sent, nothing reserved.
    """

    request: RequestPart | None = None
    orchestration: Orchestration | None = None
    policy: Policy | None = None
    output_format: OutputFormat | None = None
    stream: bool | None = None
    dry_run: bool | None = None

    @property
    def wants(self) -> Orchestration:
        return self.orchestration or Orchestration()


_DECODER = msgspec.json.Decoder(PlanRequest)
_MAP_DECODER = msgspec.msgpack.Decoder(PlanRequest)


def decode(body: bytes, content_type: str | None = "application/json") -> PlanRequest:
    """The request in a body.

    Raises :class:`BadRequest`, with the code and text that every front end shows; its status is
    415 for a content type that is not JSON.
    """
    check_content_type(content_type)
    try:
        request = _DECODER.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        _complain(parse(body, numbers=False))
    return _passed(request)


def decode_map(body: bytes) -> PlanRequest:
    """The same of a msgpack map, equal to the body as JSON, with the same complaints.

    What only msgpack can hold (binaries, extensions, keys that are no text) is refused.
    """
    try:
        request = _MAP_DECODER.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        _complain(parse_map(body, numbers=False))
    return _passed(request)


def _passed(request: PlanRequest) -> PlanRequest:
    """The request, after the checks that its types do not make."""
    if request.request is None or not request.request.messages:
        raise BadRequest("messages required", code="messages_required")
    _check_texts(request.request.messages)
    _check_open_values(request)
    return request


def check_content_type(content_type: str | None) -> None:
    if not _JSON_TYPE.match((content_type or "").strip()):
        raise BadRequest(
            "content type must be application/json", code="bad_content_type", http_status=415
        )


def plan_request(prompt: str | list[dict[str, Any]], **fields: Any) -> PlanRequest:
    """The request for a prompt, with the fields of `orchestration`, `policy`, `request` and
    `output_format` as keywords: `plan_request("Design …", mode="vote", max_budget_usd=0.5)`.
    """
    messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
    body: dict[str, dict[str, Any]] = {"request": {"messages": messages}}
    for name, value in fields.items():
        body.setdefault(_part_of(name), {})[name] = value
    return checked(body)


def checked(request: PlanRequest | dict[str, Any]) -> PlanRequest:
    """A request built in Python, after the checks that one from outside goes through."""
    try:
        return decode_map(msgspec.msgpack.encode(request))
    except (BadRequest, TypeError, ValueError, OverflowError, RecursionError):
        return decode(_as_body(request))


def _as_body(request: PlanRequest | dict[str, Any]) -> bytes:
    """The same as JSON, with what Python has more words for made into what a body has."""
    try:
        plain = msgspec.to_builtins(request, str_keys=True)
    except RecursionError as error:
        raise BadRequest(TOO_DEEP) from error
    except TypeError as error:
        raise BadRequest(f"the request must be data that JSON can hold: {error}") from error
    check_value(plain, "")
    return msgspec.json.encode(plain)


def as_dry_run(
    request: PlanRequest | dict[str, Any] | str | list[dict[str, Any]], fields: dict[str, Any]
) -> tuple[PlanRequest | dict[str, Any], dict[str, Any]]:
    """The same request as a dry run, and the fields that remain: those of a whole request, to
    which none can be added.
    """
    match request:
        case PlanRequest():
            return replace(request, dry_run=True), fields
        case dict():
            return {**request, "dry_run": True}, fields
        case _:
            return replace(plan_request(request, **fields), dry_run=True), {}


def refuse_dry_run(request: object) -> None:
    """Raises BadRequest for a dry run where an answer is waited for."""
    match request:
        case PlanRequest(dry_run=True) | {"dry_run": True}:
            raise BadRequest("dry_run must be false here: a dry run is what dry_run() is for")


_PARTS: tuple[tuple[str, type[Struct]], ...] = (
    ("orchestration", Orchestration),
    ("policy", Policy),
    ("output_format", OutputFormat),
    ("request", RequestPart),
)


def _part_of(name: str) -> str:
    for part, struct in _PARTS:
        if name in struct.__struct_fields__ and name != "messages":
            return part
    raise BadRequest(f"unknown field: {name}", code="unknown_field")


def _check_open_values(request: PlanRequest) -> None:
    """What msgspec takes as it comes may still be too deep or too large to pass on."""
    if (asked := request.request) is not None:
        for name in ("parameters", "meta", "output_schema"):
            if (value := getattr(asked, name)) is not None:
                check_value(value, f"request.{name}", depth=2)
    if (schema := request.wants.output_schema) is not None:
        check_value(schema, "orchestration.output_schema", depth=2)


def _check_texts(messages: list[ChatMessage]) -> None:
    for i, message in enumerate(messages):
        if not message.text:
            raise BadRequest(f"request.messages[{i}].content must be a non-empty text, got nothing")


# --- a body that was refused: which complaint comes first? ------------------------------------


def _complain(data: Any) -> NoReturn:
    if not isinstance(data, dict):
        raise BadRequest(f"body must be an object, got {show(data)}")
    _complain_of_parts(data)
    if (path := unknown_field(data, PlanRequest)) is not None:
        raise BadRequest(f"unknown field: {path}", code="unknown_field")
    _complain_of_messages(data)
    _complain_of_orchestration(data)
    _complain_of_schemas(data)
    check_value(data, "")
    raise BadRequest(misfit(data, PlanRequest) or "the body does not fit the Plan API")


def _complain_of_parts(data: dict[str, Any]) -> None:
    """A part that is not text is refused by its type, before its fields seem unknown."""
    for i, message in enumerate(_items(_get(data, "request", "messages"))):
        for j, part in enumerate(_items(_get(message, "content"))):
            if isinstance(kind := _get(part, "type"), str) and kind != "text":
                at = f"request.messages[{i}].content[{j}]"
                raise BadRequest(f"{at} must be a text part, got {show(kind)}")


def _complain_of_messages(data: dict[str, Any]) -> None:
    messages = _get(data, "request", "messages")
    if messages is None or messages == []:
        raise BadRequest("messages required", code="messages_required")
    if sentence := misfit(messages, list[ChatMessage], "request.messages"):
        raise BadRequest(sentence)


def _complain_of_orchestration(data: dict[str, Any]) -> None:
    if misfit(_get(data, "orchestration", "iterations"), Iterations | None):
        raise BadRequest(BAD_ITERATIONS, code="bad_iterations")
    if misfit(_get(data, "orchestration", "mode"), Mode | None):
        raise BadRequest(UNKNOWN_MODE, code="unknown_mode")


def _complain_of_schemas(data: dict[str, Any]) -> None:
    for part in ("request", "orchestration"):
        schema = _get(data, part, "output_schema")
        if sentence := misfit(schema, Schema | None, f"{part}.output_schema"):
            raise BadRequest(f"invalid output_schema: {sentence}", code="bad_schema")


def _get(data: Any, *path: str) -> Any:
    for name in path:
        data = data.get(name) if isinstance(data, dict) else None
    return data


def _items(data: Any) -> list[Any]:
    return data if isinstance(data, list) else []
