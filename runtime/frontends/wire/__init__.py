"""Our own schema, the same at every front end: requests in, results and errors out."""

from runtime.frontends.wire.dry_runs import DryRun
from runtime.frontends.wire.orders import Edge, to_order
from runtime.frontends.wire.requests import (
    Orchestration,
    OutputFormat,
    PlanRequest,
    Policy,
    RequestPart,
    as_dry_run,
    check_content_type,
    checked,
    decode,
    decode_map,
    plan_request,
    refuse_dry_run,
)
from runtime.frontends.wire.results import (
    CallEntry,
    Cost,
    ErrorBody,
    PlanResult,
    TokenCounts,
    error_body,
    error_from,
    error_from_body,
    told,
)

__all__ = [
    "CallEntry",
    "Cost",
    "DryRun",
    "Edge",
    "ErrorBody",
    "Orchestration",
    "OutputFormat",
    "PlanRequest",
    "PlanResult",
    "Policy",
    "RequestPart",
    "TokenCounts",
    "as_dry_run",
    "check_content_type",
    "checked",
    "decode",
    "decode_map",
    "error_body",
    "error_from",
    "error_from_body",
    "plan_request",
    "refuse_dry_run",
    "to_order",
    "told",
]
