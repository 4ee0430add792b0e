"""One attempt at a call, and the stages it goes through.

RESERVING ──► ORDERED ──► CHECKING ──► settled
    │            ├────────────────────► settled
    └────────────┴──► released: nothing had been sent

RESERVING  the ledger is asked to hold its worst case
ORDERED    the pool has it, perhaps in its waiting line, or the vendor
CHECKING   the answer is here, and is validated elsewhere
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto

from actors.addresses import pool_address
from actors.base import Address, Timer
from actors.domain.admission import Quote
from actors.domain.model import Model
from actors.protocol import Answer, CallErrorKind, Candidate
from actors.strategies.plan import Call


class Stage(Enum):
    RESERVING = auto()
    ORDERED = auto()
    CHECKING = auto()


@dataclass(eq=False, slots=True)
class Wanted:
    """A call, with the candidates still to be tried and what became of the others.

    `cap` bounds the tokens of its answer besides the call's own limit; `tries` counts attempts at
    the candidate in front, `attempts` those at all of them.  `turned_away` counts the failures that
    were full lines.  `hedged` when it was sent once more elsewhere; `failed` is then how the first
    attempt has failed, if it has while the other one goes on.
    """

    key: int
    call: Call
    ahead: list[Candidate]
    cap: int | None
    failures: list[tuple[str, str]] = field(default_factory=list)
    tries: int = 0
    attempts: int = 0
    turned_away: int = 0
    hedged: bool = False
    failed: tuple[CallErrorKind, float | None] | None = None
    waiting: Timer | None = None


@dataclass(eq=False, slots=True)
class Attempt:
    """One order to one pool.  `wanted` is None once its call is cancelled, or answered by another
    one: one that `hedges` is made besides the first.

    Times are milliseconds; `started_ms` counts from the begin of the run.  It `may_be_lost` once
    its pool has begun anew.
    """

    id: str
    call: Call
    candidate: Candidate
    quoted: Quote
    number: int
    wanted: Wanted | None
    clamped: bool
    started_ms: float = 0.0
    latency_ms: float = 0.0
    held_nano: int = 0
    stage: Stage = Stage.RESERVING
    answer: Answer | None = None
    hedges: bool = False
    may_be_lost: bool = False

    @property
    def model(self) -> Model:
        return self.candidate.model

    @property
    def pool(self) -> Address:
        return pool_address(self.model.provider)
