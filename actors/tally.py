"""What a run's attempts came to: their records, their cost, and what was unusual about them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from actors.attempt import Attempt
from actors.domain.model import Model, Usage
from actors.domain.pricing import BYTES_PER_TOKEN, cost_nano, input_estimate
from actors.protocol import Answer, CallFailed, CallRecord

_FOR_THE_USER = frozenset({"plan", "refine", "voter", "answer", "fuse", "repair"})


class Tally:
    """`remarks` holds codes, in order of appearance; `partial` the answer paid for last.

    It begins with the records of what was done before, when a run is carried on.
    """

    def __init__(self, records: Sequence[CallRecord] = ()) -> None:
        self.records = list(records)
        self.spent_nano = sum(record.cost_nano for record in records)
        self.partial: str | None = None
        self.remarks: dict[str, None] = {}

    @property
    def estimated(self) -> bool:
        return any(record.estimated for record in self.records)

    def answered(self, attempt: Attempt, answer: Answer, problems: tuple[str, ...]) -> CallRecord:
        """The record of an answer, which is invalid if it has problems."""
        if not problems and attempt.call.role in _FOR_THE_USER:
            self.partial = answer.text
        return self._record(
            attempt,
            "invalid" if problems else "ok",
            attempt.latency_ms,
            answer.usage,
            truncated=answer.truncated,
            estimated=not answer.usage_known,
            error="; ".join(problems) or None,
        )

    def failed(self, attempt: Attempt, failed: CallFailed) -> CallRecord:
        """The record of a failure, or of what was given up."""
        usage, estimated = _billed(attempt, failed)
        cancelled = failed.kind == "cancelled"
        return self._record(
            attempt,
            "cancelled" if cancelled else "failed",
            failed.latency_s * 1000,
            usage,
            estimated=estimated,
            error=None if cancelled else f"{failed.kind}: {failed.detail}",
        )

    def _record(
        self,
        attempt: Attempt,
        status: Literal["ok", "failed", "cancelled", "invalid"],
        latency_ms: float,
        usage: Usage,
        *,
        estimated: bool,
        error: str | None,
        truncated: bool = False,
    ) -> CallRecord:
        model = attempt.model
        record = CallRecord(
            attempt.id,
            attempt.call.role,
            model.id,
            model.provider,
            status,
            attempt.number,
            attempt.started_ms,
            latency_ms,
            usage,
            self._price(model, usage),
            truncated,
            attempt.clamped,
            estimated,
            error,
        )
        self.records.append(record)
        self.spent_nano += record.cost_nano
        if attempt.clamped and status == "ok":
            self.remarks["clamped"] = None
        if record.cost_nano > attempt.held_nano:
            self.remarks["overrun"] = None
        return record

    def _price(self, model: Model, usage: Usage) -> int:
        if model.price is None:
            self.remarks["unpriced"] = None
            return 0
        return cost_nano(usage, model.price)


def _billed(attempt: Attempt, failed: CallFailed) -> tuple[Usage, bool]:
    """The tokens a failed attempt is charged for, and whether they are an estimate.

    Nothing before the request was written, nor with an error status that names no usage;
    otherwise what was sent and what had come, as far as can be told.
    """
    if failed.usage is not None:
        return failed.usage, False
    if not failed.written or (failed.http_status or 0) >= 300:
        return Usage(), False
    received = -(-failed.received_bytes // BYTES_PER_TOKEN)
    sent = input_estimate(attempt.call.messages, attempt.call.schema)
    return Usage(input=sent, output=received), True
