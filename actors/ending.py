"""How a run ends: the bodies, statuses and replies for its outcome."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

from actors.domain.money import usd
from actors.domain.report import error_body, result_body
from actors.errors import BudgetExceeded, Cancelled, Internal, PlanError
from actors.protocol import CallRecord, Failed, Finished, Order, Refused, RunCost
from actors.strategies.plan import Result
from actors.tally import Tally

Outcome: TypeAlias = Result | PlanError
Status: TypeAlias = Literal["running", "complete", "degraded", "failed", "cancelled"]


class Ending(Struct, frozen=True):
    """What is recorded of a run's end, and what its asker is told.

    A `parked` run has not ended: the next engine carries it on.
    """

    outcome: Outcome
    body: bytes
    cost: RunCost
    calls: int
    parked: bool

    @property
    def status(self) -> Status:
        if self.parked:
            return "running"
        if isinstance(self.outcome, Result):
            return "degraded" if self.outcome.degraded else "complete"
        return "cancelled" if isinstance(self.outcome, Cancelled) else "failed"

    @property
    def http_status(self) -> int:
        return 200 if isinstance(self.outcome, Result) else self.outcome.http_status

    def reply(self, ticket: str) -> Finished | Failed:
        outcome = self.outcome
        if isinstance(outcome, Result):
            status: Literal["complete", "degraded"] = "degraded" if outcome.degraded else "complete"
            return Finished(ticket, self.body, status, self.cost, self.calls)
        return Failed(ticket, outcome.http_status, outcome.code, self.body, self.cost, self.calls)


def ending(order: Order, outcome: Outcome, tally: Tally, cost: RunCost, parked: bool) -> Ending:
    """The end of a run with this outcome."""
    calls = sorted(tally.records, key=lambda record: record.started_ms)
    body = _body(order, outcome, tally, cost, calls)
    return Ending(outcome, body, cost, len(calls), parked)


def cost_of(
    order: Order, outcome: Outcome | None, tally: Tally, refused: Refused | None, needed: int
) -> RunCost:
    """What a run has cost, or has until now where it has no outcome yet.

    A refusal of money shows the limit it was refused by; `needed` is what would have been enough,
    as far as the run knows itself.
    """
    spent, limit, estimated = tally.spent_nano, order.limit_nano, tally.estimated
    if not isinstance(outcome, BudgetExceeded):
        return RunCost(spent, limit, estimated)
    if refused is None:
        return RunCost(spent, limit, estimated, 0, needed)
    return RunCost(
        refused.spent_nano, refused.limit_nano, estimated, refused.held_nano, refused.needed_nano
    )


def cancelled(outcome: Outcome) -> PlanError:
    """What a cancelled run ends in; nothing that was paid for is kept from its user."""
    text = outcome.text if isinstance(outcome, Result) else outcome.partial
    return Cancelled("cancelled", partial=text)


def budget_error(refused: Refused) -> PlanError:
    """A refusal of the ledger's, in words."""
    if refused.owner == "storage":
        return Internal("internal error: the books cannot be written")
    limit, spent = usd(refused.limit_nano), usd(refused.spent_nano)
    held, needed = usd(refused.held_nano), usd(refused.needed_nano)
    return BudgetExceeded(
        f"budget exceeded: the {refused.owner}'s limit is {limit:.6f} USD, {spent:.6f} is spent,"
        f" {held:.6f} is held, and {needed:.6f} is needed"
    )


def _body(
    order: Order, outcome: Outcome, tally: Tally, cost: RunCost, calls: Sequence[CallRecord]
) -> bytes:
    if isinstance(outcome, Result):
        reasons = dict.fromkeys((*outcome.reasons, *tally.remarks))
        return result_body(order, outcome, cost, calls, list(reasons))
    return error_body(order, outcome, cost, calls, outcome.partial or tally.partial)
