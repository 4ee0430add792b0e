"""To the CostLedger, and its answers."""

from __future__ import annotations

from typing import ClassVar, Literal

from msgspec import Struct

from actors.base import Command, Message
from actors.protocol.values import CallRecord, JudgeVerdict, Order, Role, Step


class Reserve(Command, frozen=True, gc=False):
    """Hold money for one attempt; `ticket` is the attempt's id.

    The worst case is `fixed_nano` + `max_tokens` at `output_price` (nano-USD per million tokens).
    If that does not fit, fewer tokens are granted, but not fewer than `least_tokens`.  `role`,
    `model` and `provider` say what for, should the attempt never be heard of again.
    """

    new_work: ClassVar[bool] = True

    run: str
    fixed_nano: int
    output_price: int
    max_tokens: int
    least_tokens: int
    deadline: float
    role: Role = "answer"
    model: str = ""
    provider: str = ""


class Reserved(Message, frozen=True, gc=False):
    """Held and durably covered: the attempt may be sent, with at most `max_tokens`."""

    ticket: str
    held_nano: int
    max_tokens: int
    clamped: bool


class Admit(Command, frozen=True, gc=False):
    """May this run begin?  `ticket` is the run's id.

    `want_nano` is the worst case of the first stage and of the cheapest way to finish;
    `least_nano` the smallest sum with which a useful answer is possible.  What is granted, from
    `least_nano` to `want_nano`, is held for the run's first calls.  `first` is what these ask for
    if all that is wanted can be granted; they are reserved together with it then.  `spent_nano` is
    what the run has cost already, and `steps` its journal so far, when it is carried on.
    """

    new_work: ClassVar[bool] = True

    order: Order
    want_nano: int
    least_nano: int
    deadline: float
    spent_nano: int = 0
    steps: tuple[Step, ...] = ()
    first: tuple[Reserve, ...] = ()


class Admitted(Message, frozen=True, gc=False):
    """`reserved` are the first calls, or none: less was granted than they ask for."""

    ticket: str
    granted_nano: int
    reserved: tuple[Reserved, ...] = ()


class Refused(Message, frozen=True, gc=False):
    """Answer to :class:`Admit` or :class:`Reserve`: it does not fit under the limit of `owner`.

    `owner` is `run`, `key` or `installation`; `storage` when the books cannot be written.
    """

    ticket: str
    owner: Literal["run", "key", "installation", "storage"]
    limit_nano: int
    spent_nano: int
    held_nano: int
    needed_nano: int


class Settle(Message, frozen=True, gc=False):
    """An attempt has ended: its hold becomes its cost, journalled in the same transaction.

    `steps` are what the run was told since the last ones, this outcome included.  `text` is kept
    where there are none: an answer that nobody waited for any more.
    """

    run: str
    call: CallRecord
    text: str = ""
    steps: tuple[Step, ...] = ()


class Record(Message, frozen=True, gc=False):
    """What an admitted run was told, for the journal, where no money goes with it."""

    run: str
    steps: tuple[Step, ...]


class Release(Message, frozen=True, gc=False):
    """A reserved attempt was not sent after all: its hold is freed, nothing is spent."""

    ticket: str


class EndRun(Command, frozen=True, gc=False):
    """The run is over: what is left of its holds is freed and its result recorded.

    `ticket` is the run's id; answered by :class:`RunEnded` once all that the run did is durable.
    `body` is the JSON of the answer or of the error, `http_status` that of either.  With status
    `running` it is over for this engine alone: its journal stays open, for the next one.

    `steps` are what it was told at last, `verdicts` how its judges did.  A run that was not
    admitted brings its `order` and its whole journal if it was carried on, or is to be: its end is
    all that the ledger hears of it.
    """

    status: Literal["complete", "degraded", "failed", "cancelled", "running"]
    body: bytes
    http_status: int = 200
    order: Order | None = None
    steps: tuple[Step, ...] = ()
    verdicts: tuple[JudgeVerdict, ...] = ()


class RunEnded(Message, frozen=True, gc=False):
    """Answer to :class:`EndRun`; not `durable` when the books could not be written in time."""

    ticket: str
    durable: bool = True


class ReconfigureLedger(Message, frozen=True, gc=False):
    """A new limit of the whole installation's month; None is no limit."""

    limit_nano: int | None


class GetAccounts(Command, frozen=True, gc=False):
    """How do the limits stand?"""


class Account(Struct, frozen=True, gc=False, array_like=True):
    """One limit: whose, in which window (`2026-11`, or `run`), and how it stands.

    `owner` is `installation`, `key:<id>` or `run:<id>`; `limit_nano` None is no limit.
    """

    owner: str
    window: str
    limit_nano: int | None
    spent_nano: int
    held_nano: int

    @property
    def left_nano(self) -> int | None:
        """What may still be spent; None without a limit."""
        if self.limit_nano is None:
            return None
        return max(0, self.limit_nano - self.spent_nano - self.held_nano)


class AccountsListed(Message, frozen=True, gc=False):
    """`open` says whether the books can be written."""

    ticket: str
    accounts: tuple[Account, ...]
    unknown_settlements: int
    overruns: int
    open: bool = True
