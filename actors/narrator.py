"""Tells a run's watchers what happens, in order; where nobody watches nothing is made."""

from __future__ import annotations

from typing import Any

from msgspec import Raw
from msgspec.structs import asdict

from actors.attempt import Attempt
from actors.base import Context
from actors.dispatch import handles
from actors.domain.money import usd
from actors.events import (
    AnswerKnown,
    CallCancelled,
    CallFailed,
    CallFinished,
    CallStarted,
    Judged,
    RoundFinished,
    RunEvent,
    RunFailed,
    RunFinished,
    RunStarted,
)
from actors.protocol import CallRecord, Order
from actors.strategies.actions import Announce, CloseRound


class Narrator:
    """Emits the events of one run."""

    def __init__(self, ctx: Context, order: Order) -> None:
        self._ctx = ctx
        self._order = order

    def run_started(self) -> None:
        self._tell(RunStarted, mode=self._order.mode, request_id=self._order.request_id)

    def call_started(self, attempt: Attempt) -> None:
        if self._ctx.is_watched():
            self._tell(
                CallStarted,
                role=attempt.call.role,
                model=attempt.model.id,
                provider=attempt.model.provider,
                attempt=attempt.number,
            )

    def call_ended(self, record: CallRecord) -> None:
        if not self._ctx.is_watched():
            return
        call = {
            "role": record.role,
            "model": record.model,
            "provider": record.provider,
            "attempt": record.attempt,
        }
        match record.status:
            case "cancelled":
                self._tell(CallCancelled, **call)
            case "failed":
                self._tell(CallFailed, **call, error=record.error or "")
            case "ok" | "invalid":
                self._tell(
                    CallFinished,
                    **call,
                    status=record.status,
                    latency_ms=record.latency_ms,
                    output_tokens=record.usage.output,
                    cost_usd=usd(record.cost_nano),
                )

    @handles
    def judged(self, told: Announce) -> None:
        self._tell(Judged, **asdict(told.note))

    @handles
    def round_finished(self, round: CloseRound) -> None:
        """Rounds inside a branch are the strategy's own business."""
        if round.depth == 0 and round.role is not None:
            self._tell(RoundFinished, role=round.role, answered=round.answered, failed=round.failed)

    def answer_known(self, text: str) -> None:
        self._tell(AnswerKnown, text=text)

    def run_finished(self, body: bytes) -> None:
        self._tell(RunFinished, result=Raw(body))

    def run_failed(self, body: bytes, http_status: int) -> None:
        self._tell(RunFailed, error=Raw(body), status=http_status)

    def _tell(self, kind: type[RunEvent], **fields: Any) -> None:
        if self._ctx.is_watched():
            event: Any = kind(run=self._order.run, **fields)
            self._ctx.emit(event)
