"""What the ledger writes into the journal about an attempt."""

from __future__ import annotations

from actors.domain.accounts import Hold
from actors.protocol import AttemptReserved, AttemptSettled, CallRecord

UNHEARD_OF = "its run ended without a word about it"


def reserved(hold: Hold) -> AttemptReserved:
    asked = hold.asked
    return AttemptReserved(
        attempt=asked.ticket,
        run=hold.run.id,
        held_nano=hold.amount,
        at=hold.at,
        charged=hold.charged,
        role=asked.role,
        model=asked.model,
        provider=asked.provider,
        mode=hold.run.mode,
    )


def settled(hold: Hold, call: CallRecord, text: str, at: float) -> AttemptSettled:
    return AttemptSettled(
        run=hold.run.id,
        call=call,
        text=text,
        at=at,
        charged=hold.charged,
        held_nano=hold.amount,
        reserved_at=hold.at,
        mode=hold.run.mode,
    )


def uncertain(hold: Hold, at: float) -> AttemptSettled:
    """The attempt may have reached its vendor, and nobody will tell: it is charged in full."""
    asked = hold.asked
    call = CallRecord(
        attempt_id=asked.ticket,
        role=asked.role,
        model=asked.model,
        provider=asked.provider,
        status="failed",
        attempt=0,
        started_ms=0.0,
        latency_ms=0.0,
        cost_nano=hold.amount,
        estimated=True,
        error=UNHEARD_OF,
    )
    return AttemptSettled(
        run=hold.run.id,
        call=call,
        text="",
        at=at,
        charged=hold.charged,
        uncertain=True,
        held_nano=hold.amount,
        reserved_at=hold.at,
        mode=hold.run.mode,
    )
