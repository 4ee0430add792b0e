"""`GET /openapi.json`: the HTTP interface described from the structs that carry it."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import Struct

from actors.protocol import SecondLook
from runtime.frontends.listing import JudgeEntry, ModelEntry
from runtime.frontends.wire import DryRun, ErrorBody, PlanRequest, PlanResult

REF = "#/components/schemas/{name}"


class Candidate(Struct, kw_only=True):
    model: str
    content: str
    selected: bool


class FailedVoter(Struct, kw_only=True):
    model: str
    error: str


class Saved(Struct, kw_only=True):
    """What was not asked for all that `early_stop` made superfluous; the cost is an estimate."""

    calls: int
    cost_usd: float


class JudgesVerdict(Struct, kw_only=True):
    """A choice is an index, `tie` or `none`; `second_choice` that of a second look, in reversed
    order.
    """

    judge: str
    choice: int | Literal["tie", "none"]
    margin: Literal["clear", "narrow"]
    reason: str
    second_look: SecondLook | None
    second_choice: int | Literal["tie", "none"] | None


class VoteResponse(Struct, kw_only=True):
    """The candidates in the voters' order; `selected` is the index of the returned one.

    `saved` is there when `early_stop` was asked for, `verdicts` with `second_look` or several
    `judges`, `agreement` with several: the share of them that made the commonest choice.
    `assembled` is the answer, with `decide` as `majority`, when no voter wrote it as a whole;
    `selected` is then the closest one.
    """

    responses: list[Candidate]
    selected: int
    judge: str | None
    judge_decided: bool
    reason: str
    failed: list[FailedVoter]
    saved: Saved | None = None
    verdicts: list[JudgesVerdict] = []
    agreement: float | None = None
    assembled: str | None = None
    output: Any = None


class Contribution(Struct, kw_only=True):
    model: str
    content: str


class FuseResponse(Struct, kw_only=True):
    """Where nobody could fuse them `fused_response` is null, and the response at index `selected`
    is returned, for a `reason`; else those two are null.
    """

    fused_response: str | None
    responses: list[Contribution]
    model: str
    selected: int | None
    reason: str | None
    failed: list[FailedVoter]
    output: Any = None


class Comparison(Struct, kw_only=True):
    """Whether a refinement took the place of what was there, by whose verdict, and why."""

    replaced: bool
    judge: str | None
    judge_decided: bool
    reason: str


class AdversarialResponse(Struct, kw_only=True):
    """What was not reached is null; `rounds` has every critique with the plan it led to.

    `converged` is there with `stop: converged`, and `comparisons`, one for each refinement, with
    `keep_best`.
    """

    initial_plan: str
    critique: str | None = None
    refined_plan: str | None = None
    iterations: int = 0
    rounds: list[dict[str, Any]] = []
    converged: bool | None = None
    comparisons: list[Comparison] | None = None
    output: Any = None


class RefineResponse(Struct, kw_only=True):
    """`comparisons`, one for each refinement, are there with `keep_best`."""

    initial_response: str
    refined_response: str
    iterations: int
    model: str
    comparisons: list[Comparison] | None = None
    output: Any = None


class ChatCompletion(Struct, kw_only=True):
    """Mode `planning`: as OpenAI answers, whatever the vendor."""

    id: str
    object: str
    created: int
    model: str
    choices: list[dict[str, Any]]
    usage: dict[str, Any]
    output: Any = None


class RunPage(Struct, kw_only=True):
    """`status` is `running`, `complete`, `degraded`, `failed` or `cancelled`."""

    id: str
    status: str
    result: PlanResult | None = None
    error: ErrorBody | None = None


class ModelList(Struct, kw_only=True):
    models: list[ModelEntry]


class JudgeList(Struct, kw_only=True):
    judges: list[JudgeEntry]


class Health(Struct, kw_only=True):
    status: str
    reason: str = ""


_RESPONSES = (VoteResponse, AdversarialResponse, RefineResponse, FuseResponse, ChatCompletion)
_BODIES = (
    PlanRequest,
    PlanResult,
    DryRun,
    ErrorBody,
    RunPage,
    ModelList,
    JudgeList,
    Health,
    *_RESPONSES,
)

_REFUSALS = {
    400: "The request is malformed: the text names the field, its value and what is allowed",
    401: "missing or invalid api key",
    403: "scope not allowed",
}
_PLAN_ERRORS = _REFUSALS | {
    402: "budget exceeded, or no eligible model has a price",
    408: "The body did not arrive",
    409: "idempotency key used with another request",
    413: "request too large",
    415: "content type must be application/json",
    429: "rate limited, with Retry-After",
    499: "cancelled by the client",
    500: "internal error, with the id to look up in the log",
    502: "Every candidate of a needed call failed, or no answer met the schema",
    503: "shutting down, with Retry-After",
    504: "deadline exceeded",
}
_RUN_ERRORS = {code: _REFUSALS[code] for code in (401, 403)} | {404: "unknown run"}


def openapi_document() -> dict[str, Any]:
    """The description, as OpenAPI 3.1."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "planhub", "version": "1", "description": "Plans by several models."},
        "security": [{"bearer": []}, {"key": []}, {}],
        "paths": _paths(),
        "components": {"schemas": _schemas(), "securitySchemes": _SECURITY},
    }


_SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
}


_HEADERS = [
    {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "A name for the run: the same request under it joins the run in flight, or"
        " has its answer again, with `Idempotency-Replay: true`",
        "schema": {"type": "string", "pattern": "^[!-~]{1,200}$"},
    },
    {
        "name": "Prefer",
        "in": "header",
        "description": "`respond-async` has the id at once, to come back for the answer",
        "schema": {"type": "string", "enum": ["respond-async"]},
    },
]


_LAST_EVENT_ID = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "Goes on after the event of that number",
    "schema": {"type": "string", "pattern": "^[0-9]{1,18}$"},
}


def _schemas() -> dict[str, Any]:
    _, schemas = msgspec.json.schema_components(_BODIES, ref_template=REF)
    # What the checks require, though the structs can be built without it.
    schemas["PlanRequest"]["required"] = ["request"]
    schemas["RequestPart"]["required"] = ["messages"]
    schemas["RequestPart"]["properties"]["messages"] = {
        "type": "array",
        "items": {"$ref": REF.format(name="ChatMessage")},
        "minItems": 1,
    }
    for form in schemas["ChatMessage"]["properties"]["content"]["anyOf"]:
        form["minLength" if form["type"] == "string" else "minItems"] = 1
    schemas["PlanResult"]["properties"]["response"] = {
        "oneOf": [{"$ref": REF.format(name=shape.__name__)} for shape in _RESPONSES]
    }
    return schemas


def _paths() -> dict[str, Any]:
    run_id = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    return {
        "/v1/plan": {
            "post": {
                "summary": "Answer a prompt with several models",
                "parameters": _HEADERS,
                "requestBody": {"required": True, "content": _json(PlanRequest)},
                "responses": {
                    "200": _or_events(_says("The answer, or the dry run", PlanResult, DryRun)),
                    "202": _says("Begun, for `Prefer: respond-async`", RunPage),
                }
                | _errors(_PLAN_ERRORS),
            }
        },
        "/v1/plan/{id}": {
            "parameters": [run_id],
            "get": {
                "summary": "How a run stands",
                "responses": {"200": _says("The run", RunPage)} | _errors(_RUN_ERRORS),
            },
            "delete": {
                "summary": "Cancel a run",
                "responses": {
                    "200": _says("It had ended before", RunPage),
                    "202": _says("It is being cancelled", RunPage),
                }
                | _errors(_RUN_ERRORS),
            },
        },
        "/v1/plan/{id}/events": {
            "parameters": [run_id],
            "get": {
                "summary": "Watch a run",
                "parameters": [_LAST_EVENT_ID],
                "responses": {
                    "200": _or_events({"description": "What has happened, and what comes"}),
                    "204": {"description": "Nothing comes after that event"},
                }
                | _errors({400: _REFUSALS[400]} | _RUN_ERRORS),
            },
        },
        "/v1/models": {
            "get": {
                "summary": "The models, and how they are",
                "responses": {"200": _says("The models", ModelList)}
                | _errors({code: _REFUSALS[code] for code in (401, 403)}),
            }
        },
        "/admin/v1/judges": {
            "get": {
                "summary": "How the models do as judges; for keys with the scope admin",
                "responses": {"200": _says("The judges", JudgeList)}
                | _errors({code: _REFUSALS[code] for code in (401, 403)}),
            }
        },
        "/healthz": _probe("Whether the process lives", {"200": "It does"}),
        "/readyz": _probe("Whether requests are answered", {"200": "Yes", "503": "Not now"}),
    }


def _probe(summary: str, answers: dict[str, str]) -> dict[str, Any]:
    responses = {status: _says(text, Health) for status, text in answers.items()}
    return {"get": {"summary": summary, "security": [{}], "responses": responses}}


def _errors(texts: dict[int, str]) -> dict[str, Any]:
    return {str(status): _says(text, ErrorBody) for status, text in texts.items()}


def _says(text: str, *bodies: type[Struct]) -> dict[str, Any]:
    return {"description": text, "content": _json(*bodies)}


def _or_events(response: dict[str, Any]) -> dict[str, Any]:
    """For `"stream": true` or `Accept: text/event-stream`: `id: <seq>`, `event: <name>` and the
    event as JSON in `data`; a comment every 15 s.  `run_finished` or `run_failed` is the last.
    """
    fields = {name: {"type": "string"} for name in ("id", "event", "data")}
    schema = {"type": "object", "properties": fields, "required": list(fields)}
    events = {"text/event-stream": {"schema": schema}}
    return {**response, "content": {**response.get("content", {}), **events}}


def _json(*bodies: type[Struct]) -> dict[str, Any]:
    refs = [{"$ref": REF.format(name=body.__name__)} for body in bodies]
    schema: dict[str, Any] = {"oneOf": refs} if len(refs) > 1 else refs[0]
    return {"application/json": {"schema": schema}}
