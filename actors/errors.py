"""What can go wrong with a request, and who is to blame.

    PlanError
    ├── BadRequest           the client: malformed; the text names field, value, what is allowed
    │   ├── Unauthorized     the client: no key, or a wrong one
    │   ├── Forbidden        the client: the key lacks the scope
    │   └── Conflict         the client: the idempotency key was another request's
    ├── BudgetExceeded       the client's money: nothing, or nothing more, may be spent
    │   └── UnpricedModel    the configuration: a limit applies and no eligible model has a price
    ├── AllModelsFailed      the vendors: every candidate of a needed call failed
    │   ├── NoEligibleModel  the configuration and the request together: nobody may answer
    │   └── SchemaNotMet     the models: the answer never met the schema
    ├── DeadlineExceeded     time
    ├── Cancelled            the client changed its mind
    ├── RateLimited          load: the key's rate, or the engine or every vendor's line is full
    ├── Draining             the operator: shutting down
    └── Internal             us
        ├── VersionChanged   the operator: an update, while the run was interrupted
        └── JournalDamaged   the disk

Each has the `code` and `http_status` that every front end shows.  Once a run has begun, `run`,
`cost`, `calls` and `partial` tell what had been done and paid by then.
"""

from __future__ import annotations

from typing import Any

from actors.domain.text import clipped

MOST_COMPLAINT = 1_000


class PlanError(Exception):
    """Base of everything a request can end in besides an answer.

    `code` and `http_status` are the class's, or more exact.  `cost` is the map of the answer's
    `cost`, `calls` its list of `calls`, `partial` the paid text so far; each None where there is
    nothing to tell.
    """

    code: str = "internal"
    http_status: int = 500

    def __init__(
        self,
        text: str,
        *,
        code: str | None = None,
        http_status: int | None = None,
        run: str | None = None,
        cost: dict[str, Any] | None = None,
        calls: list[dict[str, Any]] | None = None,
        partial: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(text)
        self.text = text
        self.code = code or self.code
        self.http_status = http_status or self.http_status
        self.run = run
        self.cost = cost
        self.calls = calls
        self.partial = partial
        self.retry_after_s = retry_after_s


class BadRequest(PlanError):
    """The request is malformed; nothing was done.  However long what is complained of, the text is
    not.
    """

    code = "bad_request"
    http_status = 400

    def __init__(self, text: str, **more: Any) -> None:
        super().__init__(clipped(text, MOST_COMPLAINT), **more)


class Unauthorized(BadRequest):
    code = "unauthorized"
    http_status = 401


class Forbidden(BadRequest):
    code = "forbidden"
    http_status = 403


class Conflict(BadRequest):
    """The idempotency key was used with another request."""

    code = "idempotency_conflict"
    http_status = 409


class BudgetExceeded(PlanError):
    """Nothing, or nothing more, may be spent."""

    code = "budget_exceeded"
    http_status = 402


class UnpricedModel(BudgetExceeded):
    """A limit applies, and what a model costs is unknown."""

    code = "unpriced_model"


class AllModelsFailed(PlanError):
    """Every candidate of a needed call failed."""

    code = "models_failed"
    http_status = 502


class NoEligibleModel(AllModelsFailed):
    """No model meets what the request asks; the text gives each model's reason."""

    code = "no_eligible_model"


class SchemaNotMet(AllModelsFailed):
    """The answer never met the request's schema, not even repaired."""

    code = "schema_not_met"


class DeadlineExceeded(PlanError):
    code = "deadline"
    http_status = 504


class Cancelled(PlanError):
    code = "cancelled"
    http_status = 499


class RateLimited(PlanError):
    code = "rate_limited"
    http_status = 429


class Draining(PlanError):
    code = "draining"
    http_status = 503


class Internal(PlanError):
    """A defect of ours; the log has it under the run's id."""


class VersionChanged(Internal):
    """The run was begun by another version of its strategy, and cannot be carried on by this."""

    code = "version_changed"


class JournalDamaged(Internal):
    """What the run was told cannot be read any more."""

    code = "journal_damaged"


def error_class(code: str, http_status: int) -> type[PlanError]:
    """The class that a front end's code stands for, so that clients can raise it again."""
    by_code = {cls.code: cls for cls in _tree(PlanError)}
    by_status = {cls.http_status: cls for cls in reversed(_tree(PlanError))}
    return by_code.get(code) or by_status.get(http_status, PlanError)


def _tree(cls: type[PlanError]) -> list[type[PlanError]]:
    return [cls, *(found for child in cls.__subclasses__() for found in _tree(child))]
