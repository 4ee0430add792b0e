"""The answer and the error as every front end shows them: bodies to structs and back."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from actors.errors import Internal, PlanError, error_class


class Cost(Struct, kw_only=True):
    """What a run cost; `estimated` when some of it is not from a vendor's own usage."""

    spent_usd: float = 0.0
    limit_usd: float | None = None
    estimated: bool = False
    calls: int = 0


class TokenCounts(Struct, kw_only=True):
    """Disjoint classes of tokens, except that `reasoning_tokens` are a part of the output's."""

    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0


class CallEntry(TokenCounts, kw_only=True):
    """One attempt at a model call; `started_ms` counts from the begin of the run."""

    role: str
    model: str
    provider: str
    status: str
    attempt: int
    started_ms: float
    latency_ms: float
    cost_usd: float
    truncated: bool = False
    clamped: bool = False
    estimated: bool = False
    error: str | None = None


class PlanResult(Struct, kw_only=True):
    """The answer to a request.  `response` has its mode's shape."""

    negotiated_model: str
    estimated_cost_usd: float
    routing_reason: str
    response: dict[str, Any]
    id: str
    status: str = "complete"
    reasons: list[str] = []
    cost: Cost = msgspec.field(default_factory=Cost)
    usage: TokenCounts = msgspec.field(default_factory=TokenCounts)
    calls: list[CallEntry] = []
    request_id: str | UnsetType | None = UNSET

    @classmethod
    def from_json(cls, body: bytes) -> PlanResult:
        """Reads the body of a 200."""
        return msgspec.json.decode(body, type=cls)

    @property
    def text(self) -> str:
        """The answer that was chosen, or written last."""
        return answer_text(self.response)

    @property
    def output(self) -> Any:
        """The answer parsed, where the request had an `output_schema`; else None."""
        return self.response.get("output")

    def to_json(self) -> bytes:
        """The body as the front ends send it."""
        return msgspec.json.encode(self)

    def __repr__(self) -> str:
        usd = f"${self.cost.spent_usd:.6f}"
        return f"<PlanResult {self.id} {self.status}: {self.negotiated_model}, {usd}>"


def answer_text(response: dict[str, Any]) -> str:
    """The text that a response of any mode amounts to."""
    match response:
        case {"assembled": str(text)}:
            pass
        case {"responses": [*answers], "selected": int(selected)}:
            text = answers[selected]["content"]
        case {"choices": [{"message": {"content": text}}, *_]}:
            pass
        case {"refined_response": text} | {"fused_response": text}:
            pass
        case _:
            text = response.get("refined_plan") or response.get("initial_plan")
    return text or ""


# --- errors -----------------------------------------------------------------------------------


class ErrorBody(Struct, kw_only=True, omit_defaults=True):
    """Every error's body; the last three only where money or partial work exists."""

    error: str
    code: str
    id: str | None
    cost: dict[str, Any] | None = None
    calls: list[dict[str, Any]] | None = None
    partial: str | None = None


def told(error: PlanError) -> ErrorBody:
    """What a client is told of an error."""
    return ErrorBody(
        error=error.text,
        code=error.code,
        id=error.run,
        cost=error.cost,
        calls=error.calls,
        partial=error.partial,
    )


def error_body(error: PlanError) -> bytes:
    """The JSON that tells a client of an error."""
    return msgspec.json.encode(told(error))


def error_from(body: ErrorBody, http_status: int, retry_after_s: float | None = None) -> PlanError:
    """The error that a body tells of, of the class that its code stands for."""
    return error_class(body.code, http_status)(
        body.error,
        code=body.code,
        http_status=http_status,
        run=body.id,
        cost=body.cost,
        calls=body.calls,
        partial=body.partial,
        retry_after_s=retry_after_s,
    )


def error_from_body(body: bytes, http_status: int, retry_after_s: float | None = None) -> PlanError:
    """The same of the body as JSON."""
    try:
        read = msgspec.json.decode(body, type=ErrorBody)
    except msgspec.MsgspecError:
        return Internal(f"an error that cannot be read, status {http_status}")
    return error_from(read, http_status, retry_after_s)
