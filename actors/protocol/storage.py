"""To storage, a blocking actor, and its answers: the ledger alone speaks to it."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from actors.base import Command, Down, Message
from actors.protocol.cost_ledger import (
    Account,
    Admit,
    EndRun,
    GetAccounts,
    ReconfigureLedger,
    Record,
    Release,
    Reserve,
    Settle,
)
from actors.protocol.values import CallRecord, JudgeVerdict, Order, Role, Step


class LeaseTaken(Struct, frozen=True, gc=False, tag=True, array_like=True):
    """Write: this much more of an account is leased by the present epoch; its limit is told too."""

    account: str
    window: str
    amount_nano: int
    limit_nano: int | None = None


class LeaseReturned(Struct, frozen=True, gc=False, tag=True, array_like=True):
    account: str
    window: str
    amount_nano: int


class RunBegan(Struct, frozen=True, gc=False, tag=True, array_like=True):
    """Write: a run begins, or is carried on; these steps replace whatever the journal of one that
    is wanted had.  The journal of another has none but of these.
    """

    order: Order
    at: float
    steps: tuple[Step, ...] = ()


class AttemptReserved(Struct, frozen=True, gc=False, tag=True, array_like=True):
    """Write: an attempt may be sent; `charged` as in :class:`AttemptSettled`."""

    attempt: str
    run: str
    held_nano: int
    at: float
    charged: tuple[tuple[str, str], ...] = ()
    role: Role = "answer"
    model: str = ""
    provider: str = ""
    mode: str = ""


class AttemptReleased(Struct, frozen=True, gc=False, tag=True, array_like=True):
    attempt: str


class AttemptSettled(Struct, frozen=True, gc=False, tag=True, array_like=True):
    """Write: money and outcome together.  `charged` are the accounts and the month of the
    reservation, which was made at `reserved_at` and held `held_nano`.
    """

    run: str
    call: CallRecord
    text: str
    at: float
    charged: tuple[tuple[str, str], ...]
    uncertain: bool = False
    held_nano: int = 0
    reserved_at: float = 0.0
    mode: str = ""


class StepsTaken(Struct, frozen=True, gc=False, tag=True, array_like=True):
    """Write: what a run was told; one step at least, in their order."""

    run: str
    steps: tuple[Step, ...]


class RunClosed(Struct, frozen=True, gc=False, tag=True, array_like=True):
    """Write: a run has ended; written again, it is the same end."""

    run: str
    status: str
    body: bytes
    http_status: int
    at: float
    verdicts: tuple[JudgeVerdict, ...] = ()


Write: TypeAlias = (
    LeaseTaken
    | LeaseReturned
    | RunBegan
    | AttemptReserved
    | AttemptReleased
    | AttemptSettled
    | StepsTaken
    | RunClosed
)


class Commit(Command, frozen=True, gc=False):
    """Write these, all or none; the epoch is that of the ledger's incarnation."""

    epoch: int
    writes: tuple[Write, ...]


class Committed(Message, frozen=True, gc=False):
    ticket: str
    epoch: int


class CommitFailed(Message, frozen=True, gc=False):
    """Nothing of it was written; `detail` says why."""

    ticket: str
    epoch: int
    detail: str


class LoadBooks(Command, frozen=True, gc=False):
    """A ledger starts: open a new epoch, close what the last one left open, and say how the
    accounts stand.
    """

    at: float


class BooksLoaded(Message, frozen=True, gc=False):
    """`running` are the runs that somebody wants and whose end is not on record."""

    ticket: str
    epoch: int
    accounts: tuple[Account, ...]
    running: tuple[str, ...] = ()


StorageMessage: TypeAlias = Commit | LoadBooks

LedgerMessage: TypeAlias = (
    Admit
    | Reserve
    | Settle
    | Record
    | Release
    | EndRun
    | GetAccounts
    | ReconfigureLedger
    | Committed
    | CommitFailed
    | BooksLoaded
    | Down
)
