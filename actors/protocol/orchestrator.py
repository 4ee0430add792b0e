"""To an Orchestrator, and what a run ends in."""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

from actors.base import Command, Down, Message, Overloaded, Work
from actors.domain.model import Usage
from actors.protocol.cost_ledger import Admitted, Refused, Reserved, RunEnded
from actors.protocol.judge import BallotBuilt, RepairVerdict, Verdict, VerdictUnreadable
from actors.protocol.router import Selected
from actors.protocol.values import Answer, CallErrorKind, CallRecord, Order, RunCost, Step


class Begin(Command, frozen=True, gc=False):
    """Carry this order out; answered by :class:`Finished` or :class:`Failed`.

    A run that is carried on brings its journal so far, the records of its calls, and the number
    of the last attempt that was made for it.
    """

    new_work: ClassVar[bool] = True

    order: Order
    steps: tuple[Step, ...] = ()
    records: tuple[CallRecord, ...] = ()
    attempts: int = 0


class Cancel(Message, frozen=True, gc=False):
    """The client wants no more of it."""


class Park(Message, frozen=True, gc=False):
    """The engine ends: what is on the wire is given up and settled, the rest is left to the next
    engine.
    """


class GetStatus(Command, frozen=True, gc=False):
    """How far is it?"""


class RunStatus(Message, frozen=True, gc=False):
    ticket: str
    run: str
    calls_ended: int
    calls_running: int
    cost: RunCost


class Completed(Message, frozen=True, gc=False):
    """A pool's attempt ended well.  `waited_s` in the line, then `latency_s` with the vendor."""

    ticket: str
    answer: Answer
    waited_s: float
    latency_s: float


class CallFailed(Message, frozen=True, gc=False):
    """A pool's attempt did not.

    `written` says that the vendor may have seen the request, `usage` what it said to bill,
    `received_bytes` how much of an answer had come, and `http_status` is what the vendor answered,
    None when it did not.
    """

    ticket: str
    kind: CallErrorKind
    detail: str
    retry_after_s: float | None = None
    usage: Usage | None = None
    written: bool = False
    received_bytes: int = 0
    waited_s: float = 0.0
    latency_s: float = 0.0
    http_status: int | None = None


class CallSent(Message, frozen=True, gc=False):
    """An attempt that was to be announced has left its pool's waiting line for the vendor."""

    ticket: str


class Validate(Work, frozen=True, gc=False):
    """Work for the runtime: validate `instance` (JSON) against `schema` in a process that can be
    killed.  Ends in :class:`Validated` with `ticket` equal to this work's `id`.
    """

    schema: bytes
    instance: bytes


class Validated(Message, frozen=True, gc=False):
    """`problems` is empty when the instance is valid."""

    ticket: str
    problems: tuple[str, ...]


OrchestratorMessage: TypeAlias = (
    Begin
    | Cancel
    | Park
    | GetStatus
    | Selected
    | CallSent
    | Completed
    | CallFailed
    | Validated
    | BallotBuilt
    | Verdict
    | RepairVerdict
    | VerdictUnreadable
    | Admitted
    | Reserved
    | Refused
    | RunEnded
    | Overloaded
    | Down
)


class Finished(Message, frozen=True, gc=False):
    """The run's answer: the JSON of the body of a 200."""

    ticket: str
    body: bytes
    status: Literal["complete", "degraded"]
    cost: RunCost
    calls: int


class Failed(Message, frozen=True, gc=False):
    """The run's error: its status, its code, and the JSON of the body."""

    ticket: str
    http_status: int
    code: str
    body: bytes
    cost: RunCost
    calls: int
