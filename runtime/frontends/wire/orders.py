"""From a checked request to an :class:`~actors.protocol.Order`: names resolved, defaults filled.

What a request leaves open is taken from the configured defaults; what both leave open has the
documented default.  Nothing of the request is dropped on the way: what cannot be carried out is
refused here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from actors.domain.money import nano_from_usd
from actors.errors import BadRequest
from actors.protocol import Mode, Order
from runtime.explain import show
from runtime.frontends.wire.requests import Orchestration, PlanRequest, Policy, RequestPart
from runtime.frontends.wire.values import parse

ENGINE_OWNED = (
    "model", "messages", "system", "stream", "stream_options", "n", "tools", "tool_choice",
    "response_format",
)  # fmt: skip
DEFAULT_VOTERS = 3
DEFAULT_ITERATIONS: Mapping[Mode, int] = {"adversarial": 1, "refine": 2}


class Edge(Struct, frozen=True, kw_only=True):
    """What the configuration says about requests.

    `aliases` lead straight to model ids.  `limit_nano` is what a run may spend that does not say
    so itself, `monthly_limit_nano` the whole installation's limit.  `max_tokens` None leaves each
    model's default.
    """

    models: frozenset[str]
    aliases: Mapping[str, str] = {}
    defaults: Orchestration = Orchestration()
    limit_nano: int | None = None
    monthly_limit_nano: int | None = None
    latency_s: float = 120.0
    max_tokens: int | None = None

    def model(self, name: str) -> str:
        """The id of a model named in a request; raises :class:`BadRequest` for an unknown one."""
        id = self.aliases.get(name, name)
        if id not in self.models:
            raise BadRequest(f"unknown model: {name}", code="unknown_model")
        return id


def to_order(
    request: PlanRequest,
    edge: Edge,
    *,
    run: str,
    seed: int,
    created: int,
    key: str | None = None,
    key_limit_nano: int | None = None,
) -> Order:
    """The order for a request that :func:`decode` or :func:`checked` has passed.

    `seed` is used when the request brings none; `created` is seconds since the epoch.  Raises
    :class:`BadRequest`.
    """
    asked, policy = request.request or RequestPart(), request.policy or Policy()
    wants, both = request.wants, _settled(request, edge)
    mode: Mode = both.mode or "planning"
    parameters = _Parameters(asked.parameters) if asked.parameters else _NO_PARAMETERS
    voter_models = _voter_models(wants, edge)
    schema = _schema(asked, wants, edge.defaults)
    limits = (_limit(policy, edge), key_limit_nano, edge.monthly_limit_nano)
    return Order(
        run=run,
        mode=mode,
        messages=_conversation(asked),
        seed=seed if both.seed is None else both.seed,
        latency_s=_latency_s(policy, edge),
        created=created,
        parameters=parameters.rest,
        max_tokens=parameters.max_tokens or edge.max_tokens,
        temperature=parameters.temperature,
        key=key,
        request_id=asked.id,
        iterations=_iterations(mode, wants, edge.defaults),
        voters=_voters(mode, wants, voter_models, both),
        voter_models=voter_models,
        on_partial=both.on_partial or "accept",
        primary=_primary(mode, asked, wants, edge),
        review=_named(edge, both.review_model_id),
        primary_min_weight=both.primary_min_weight or 0,
        review_min_weight=both.review_min_weight or 0,
        plan_only=both.return_plan_only or False,
        schema=schema,
        profile=policy.profile,
        input_tokens=asked.estimated_input_tokens or 0,
        limit_nano=limits[0],
        key_limit_nano=key_limit_nano,
        limited=limits != (None, None, None),
        early_stop=both.early_stop or False,
        second_look=both.second_look or False,
        judges=both.judges or 1,
        decide=_decide(wants, both, schema),
        rubric=tuple(both.rubric or ()),
        wait=both.wait or "all",
        hedge=both.hedge or False,
        stop=both.stop or "never",
        keep_best=both.keep_best or False,
        strip_think=bool(request.output_format and request.output_format.strip_think),
    )


def _settled(request: PlanRequest, edge: Edge) -> Orchestration:
    """What the request wants, and where it says nothing what is configured."""
    if request.orchestration is None:
        return edge.defaults
    return replace(edge.defaults, **msgspec.to_builtins(request.orchestration))


def _decide(
    wants: Orchestration, both: Orchestration, schema: bytes | None
) -> Literal["judge", "majority"]:
    """A configured majority is for what can be counted; one that is asked for must be."""
    if schema is not None:
        return both.decide or "judge"
    if wants.decide == "majority":
        raise BadRequest(
            'orchestration.decide must be "judge" without an output_schema, got "majority"'
        )
    return "judge"


def _conversation(asked: RequestPart) -> bytes:
    messages = asked.messages or []
    return msgspec.json.encode([{"role": m.role, "content": m.text} for m in messages])


def _limit(policy: Policy, edge: Edge) -> int | None:
    return (
        edge.limit_nano if policy.max_budget_usd is None else nano_from_usd(policy.max_budget_usd)
    )


def _latency_s(policy: Policy, edge: Edge) -> float:
    return edge.latency_s if policy.max_latency_ms is None else policy.max_latency_ms / 1000


# --- models and numbers -----------------------------------------------------------------------


def _named(edge: Edge, *names: str | None) -> str | None:
    """The id of the first name that is given; every one that is given must be known."""
    ids = [edge.model(name) for name in names if name is not None]
    return ids[0] if ids else None


def _primary(mode: Mode, asked: RequestPart, wants: Orchestration, edge: Edge) -> str | None:
    hint = _named(edge, asked.model_hint)
    named = _named(edge, wants.primary_model_id, hint if mode == "planning" else None)
    return named or _named(edge, edge.defaults.primary_model_id)


def _voter_models(wants: Orchestration, edge: Edge) -> tuple[str, ...]:
    names = wants.voter_model_ids
    if not names and wants.voters is None:
        names = edge.defaults.voter_model_ids
    return tuple(edge.model(name) for name in names or ())


def _voters(mode: Mode, wants: Orchestration, named: tuple[str, ...], both: Orchestration) -> int:
    if named:
        if wants.voters not in (None, len(named)):
            raise BadRequest(
                f"orchestration.voters must be {len(named)}, the length of"
                f" orchestration.voter_model_ids, got {wants.voters}"
            )
        return len(named)
    if wants.voters is None and mode == "vote" and (wants.iterations or 0) >= 2:
        return wants.iterations or DEFAULT_VOTERS
    return both.voters or DEFAULT_VOTERS


def _iterations(mode: Mode, wants: Orchestration, defaults: Orchestration) -> int:
    if mode not in DEFAULT_ITERATIONS:
        return 0
    return wants.iterations or defaults.iterations or DEFAULT_ITERATIONS[mode]


# --- schema and parameters --------------------------------------------------------------------


def _schema(asked: RequestPart, wants: Orchestration, defaults: Orchestration) -> bytes | None:
    given = [schema for schema in (asked.output_schema, wants.output_schema) if schema is not None]
    if not given and defaults.output_schema is not None:
        given = [defaults.output_schema]
    if not given:
        return None
    schemas = {_canonical(schema) for schema in given}
    if len(schemas) > 1:
        raise BadRequest(
            "request.output_schema and orchestration.output_schema must be the same, got two"
        )
    # Imported late: the validator takes a tenth of a second that most requests do not need.
    from actors.domain.schema import check_schema

    schema = schemas.pop()
    check_schema(schema)
    return schema


def _canonical(schema: dict[str, Any] | str) -> bytes:
    if isinstance(schema, str):
        try:
            schema = parse(schema, "output_schema")
        except BadRequest as error:
            why = "not JSON" if error.code == "bad_json" else error.text
            raise _bad_schema(why) from error
    if not isinstance(schema, dict):
        raise _bad_schema(f"it must be an object, got {show(schema)}")
    return msgspec.json.encode(schema, order="deterministic")


def _bad_schema(why: str) -> BadRequest:
    return BadRequest(f"invalid output_schema: {why}", code="bad_schema")


class _Parameters:
    """`request.parameters`, with what the engine handles itself taken out of `rest`."""

    def __init__(self, given: dict[str, Any]) -> None:
        rest = dict(given)
        for name in ENGINE_OWNED:
            if name in rest:
                raise BadRequest(
                    f"request.parameters.{name} is set by planhub and must be absent,"
                    f" got {show(rest[name])}"
                )
        limits = {_tokens(name, rest.pop(name, None)) for name in _TOKEN_LIMITS} - {None}
        if len(limits) > 1:
            raise BadRequest("request.parameters: max_tokens and max_completion_tokens differ")
        self.max_tokens = limits.pop() if limits else None
        self.temperature = _temperature(rest.pop("temperature", None))
        self.rest = msgspec.json.encode(rest)


_TOKEN_LIMITS = ("max_tokens", "max_completion_tokens")


def _tokens(name: str, value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value < 2**31:
        raise BadRequest(
            f"request.parameters.{name} must be an integer of at least 1, got {show(value)}"
        )
    return value


def _temperature(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 2:
        raise BadRequest(
            f"request.parameters.temperature must be a number between 0 and 2, got {show(value)}"
        )
    return float(value)


_NO_PARAMETERS = _Parameters({})
