"""Every message that crosses a mailbox, grouped by its receiver.

Commands are imperative and carry `reply_to` and `ticket`; replies are past tense and carry the
same `ticket`.  Tickets: a run's id for what concerns the run, an attempt's id (`<run>.<n>`) for
what concerns one attempt at a model call, otherwise a counter of the asker's.

Conversations, parameters, schemas and results travel as JSON in `bytes`: encoded once, spliced
into a vendor's body at the end, never looked into on the way.  Times are seconds; deadlines are
on the monotonic clock of :meth:`Context.now`; money is an integer number of nano-USD; sizes are
tokens.
"""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

from msgspec import Struct

from actors.base import Command, Down, Message, Overloaded, Work
from actors.domain.model import Model, Usage

Role: TypeAlias = Literal[
    "plan", "critique", "refine", "voter", "judge", "answer", "fuse", "repair"
]
Mode: TypeAlias = Literal["planning", "adversarial", "vote", "refine"]
Profile: TypeAlias = Literal["cheap", "normal", "high_confidence", "planning", "adversarial"]

CallErrorKind: TypeAlias = Literal[
    "context_overflow",  # the conversation is longer than the model takes
    "rate_limited",  # 429; `retry_after_s` when the vendor named one
    "transient",  # 5xx, a connection that broke: worth trying again
    "fatal",  # 4xx: the same request will not succeed here
    "timeout",  # no answer in the attempt's time
    "malformed",  # an answer that cannot be read
    "refused",  # the model declined, or a filter stopped it
    "empty",  # no text where text was asked for
    "parameter",  # a parameter was refused and is now known to be: the same order can pass
    "cancelled",  # given up by its asker
    "unavailable",  # breaker open: nothing was sent
    "overloaded",  # the vendor's waiting line, or a mailbox, is full: nothing was sent
    "crashed",  # the vendor's dialect or pool failed while it handled the call
]
"""How an attempt failed; what follows from it is the Orchestrator's to decide."""


# --- values that messages carry ---------------------------------------------------------------


class Answer(Struct, frozen=True, gc=False, array_like=True):
    """A model's text, with hidden reasoning still in it; `truncated` when the vendor cut it off.

    `usage_known` is False when the vendor told no usage and it is estimated from sizes.
    """

    text: str
    usage: Usage
    truncated: bool = False
    usage_known: bool = True


class CallRecord(Struct, frozen=True, gc=False, array_like=True):
    """One attempt at a model call, as the user sees it in `calls` and the ledger keeps it.

    `started_ms` counts from the begin of the run.  `error` says what failed, and is None
    otherwise.  `estimated` when the cost is not from the vendor's own usage.
    """

    attempt_id: str
    role: Role
    model: str
    provider: str
    status: Literal["ok", "failed", "cancelled", "invalid"]
    attempt: int
    started_ms: float
    latency_ms: float
    usage: Usage = Usage()
    cost_nano: int = 0
    truncated: bool = False
    clamped: bool = False
    estimated: bool = False
    error: str | None = None


class Step(Struct, frozen=True, gc=False, array_like=True):
    """One thing that a run was told, as the journal keeps it; `number` counts 1, 2, 3 … in a run.

    `answer` to what was started under `key`, `expire` of the round opened under `key`, or `give_up`
    of the whole run; :mod:`actors.strategies.journal` writes and reads the `body`.
    """

    number: int
    kind: Literal["answer", "expire", "give_up"]
    key: int
    body: bytes


class Candidate(Struct, frozen=True, gc=False, array_like=True):
    """A model that may take a role.  Lower scores are better; `why` explains the place it has."""

    model: Model
    score: float
    explicit: bool = False
    expected_ms: float | None = None
    why: str = ""


RefusalCode: TypeAlias = Literal[
    "disabled", "excluded", "weight", "context", "unavailable", "unaffordable", "unpriced"
]


class Refusal(Struct, frozen=True, gc=False, array_like=True):
    """A model that may not, and why: `why` is a phrase such as `weight 3 is below 5`."""

    model: str
    code: RefusalCode
    why: str
    needed_nano: int = 0


class Order(Struct, frozen=True, gc=False, array_like=True):
    """A request, checked and complete: what a run is begun with.

    `messages` is a JSON array, `parameters` a JSON object, `schema` a JSON Schema or None.
    `limit_nano` is the run's own budget, `key_limit_nano` the month's of its API key; None is no
    limit; `limited` says that some budget applies, be it the installation's.  `latency_s` is the
    time the whole run may take.  `max_tokens` bounds each answering call; None leaves the
    default.  `created` is the time of the request, seconds since the epoch.

    `strategy` is the version of the mode that it was begun with.  `wanted` says that somebody will
    ask for the answer after a restart too; `idempotency_key` that he will by this name, with a
    request whose `body_hash` is the same.
    """

    run: str
    mode: Mode
    messages: bytes
    seed: int
    latency_s: float
    created: int
    parameters: bytes = b"{}"
    max_tokens: int | None = None
    temperature: float | None = None
    key: str | None = None
    request_id: str | None = None
    iterations: int = 0
    voters: int = 3
    voter_models: tuple[str, ...] = ()
    on_partial: Literal["accept", "refill", "fail"] = "accept"
    primary: str | None = None
    review: str | None = None
    primary_min_weight: int = 0
    review_min_weight: int = 0
    plan_only: bool = False
    schema: bytes | None = None
    profile: Profile | None = None
    input_tokens: int = 0
    limit_nano: int | None = None
    key_limit_nano: int | None = None
    strip_think: bool = False
    limited: bool = False
    strategy: str = ""
    wanted: bool = False
    idempotency_key: str | None = None
    body_hash: bytes = b""


class RunCost(Struct, frozen=True, gc=False, array_like=True):
    """What a run has cost; the last two fields matter to a refusal."""

    spent_nano: int = 0
    limit_nano: int | None = None
    estimated: bool = False
    held_nano: int = 0
    needed_nano: int = 0


# --- Router -----------------------------------------------------------------------------------


class SelectModels(Command, frozen=True, gc=False):
    """Which models may take a role, best first?

    `named` models come first in their order whatever their score; unknown ones are the edge's to
    refuse.  `exclude` may not be chosen at all; `avoid` and `avoid_families` sort after the rest.
    `input_tokens` is the estimate of what will be sent.  `limited` says that some budget applies
    (a model without a price is then refused) and `afford_nano`, when known, what a call may cost.
    """

    role: Role
    profile: Profile
    min_weight: int = 0
    named: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    avoid: tuple[str, ...] = ()
    avoid_families: tuple[str, ...] = ()
    input_tokens: int = 0
    input_bound: int = 0
    max_tokens: int = 4096
    least_tokens: int = 64
    limited: bool = False
    afford_nano: int | None = None


class Selected(Message, frozen=True, gc=False):
    """Answer to :class:`SelectModels`: who may, best first, and who may not."""

    ticket: str
    ranked: tuple[Candidate, ...]
    refused: tuple[Refusal, ...]


class ModelHealth(Struct, frozen=True, gc=False, array_like=True):
    """A moving picture of one model: mean latency, share of failures (0 to 1), calls seen."""

    model: str
    latency_ms: float
    failure_rate: float
    calls: int


class HealthChanged(Message, frozen=True, gc=False):
    """A pool tells the Router how its vendor does.

    While not `available` its models are refused, with `why`, until `retry_at` if that is known.
    """

    provider: str
    available: bool
    why: str = ""
    retry_at: float | None = None
    models: tuple[ModelHealth, ...] = ()


class ReconfigureRouter(Message, frozen=True, gc=False):
    """A new model table; what is known of models that stay is kept."""

    models: tuple[Model, ...]


class ListModels(Command, frozen=True, gc=False):
    """Which models are there, and how are they?"""


class ModelState(Struct, frozen=True, gc=False, array_like=True):
    """How a model does; `retry_in_s` is when its vendor may be asked again, where that is known."""

    model: Model
    available: bool
    why: str
    latency_ms: float | None
    failure_rate: float | None
    retry_in_s: float | None = None


class ModelsListed(Message, frozen=True, gc=False):
    ticket: str
    models: tuple[ModelState, ...]


RouterMessage: TypeAlias = SelectModels | HealthChanged | ReconfigureRouter | ListModels | Down


# --- ProviderPool -----------------------------------------------------------------------------


class Complete(Command, frozen=True, gc=False):
    """Make exactly one attempt at a call; `ticket` is the attempt's id."""

    new_work: ClassVar[bool] = True

    model: Model
    messages: bytes
    max_tokens: int
    deadline: float
    input_tokens: int = 0
    parameters: bytes = b"{}"
    temperature: float | None = None
    seed: int | None = None
    schema: bytes | None = None


class CancelCall(Message, frozen=True, gc=False):
    """Give an attempt up; its `CallFailed` (kind `cancelled`) still comes, or its `Completed`."""

    ticket: str


class VendorSettings(Struct, frozen=True, gc=False, array_like=True):
    """What a pool must know of its vendor.  Rates are per minute; None is no limit."""

    provider: str
    max_concurrency: int = 64
    max_waiting: int = 1024
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    timeout_s: float = 60.0
    key_present: bool = True


class ReconfigurePool(Message, frozen=True, gc=False):
    settings: VendorSettings


class CallAnswered(Message, frozen=True, gc=False):
    """From the runtime: the vendor answered with text."""

    ticket: str
    answer: Answer


class CallErrored(Message, frozen=True, gc=False):
    """From the runtime: it did not.  Fields as in :class:`CallFailed`."""

    ticket: str
    kind: CallErrorKind
    detail: str
    retry_after_s: float | None = None
    usage: Usage | None = None
    written: bool = False
    received_bytes: int = 0
    http_status: int | None = None


class DialectCrashed(Message, frozen=True, gc=False):
    """From the runtime: the vendor's dialect raised.  The pool fails on it and is restarted."""

    ticket: str
    detail: str


class PoolTick(Message, frozen=True, gc=False):
    """A pool's own timer: places in the line, rate windows and the breaker are looked at again."""


class GetPoolStatus(Command, frozen=True, gc=False):
    """How is the vendor?"""


class PoolStatus(Message, frozen=True, gc=False):
    """`leased` calls are on the wire.  `breaker` is closed, open, half-open or probing.  `strays`
    counts results of calls that this incarnation of the pool has not sent.
    """

    ticket: str
    provider: str
    available: bool
    why: str
    leased: int
    max_concurrency: int
    waiting: int
    breaker: str
    strays: int


PoolMessage: TypeAlias = (
    Complete
    | CancelCall
    | ReconfigurePool
    | CallAnswered
    | CallErrored
    | DialectCrashed
    | PoolTick
    | GetPoolStatus
    | Down
)


class CallVendor(Work, frozen=True, gc=False):
    """Work for the runtime: one HTTP exchange.  Ends in CallAnswered, CallErrored or
    DialectCrashed with `ticket` equal to this work's `id`.  `timeout_s` runs from sending to the
    last byte.
    """

    order: Complete
    timeout_s: float


# --- Judge ------------------------------------------------------------------------------------


class BuildBallot(Command, frozen=True, gc=False):
    """Put candidates before a judge: `question` is the conversation, `texts` in voters' order."""

    question: bytes
    texts: tuple[str, ...]
    seed: int


class BallotBuilt(Message, frozen=True, gc=False):
    """What to send to the judge.

    `labels[i]` is the label of candidate i; `order` the rotation they are shown in, recorded.
    """

    ticket: str
    messages: bytes
    schema: bytes
    labels: tuple[str, ...]
    order: tuple[int, ...]


class ReadVerdict(Command, frozen=True, gc=False):
    """What did the judge say?  `repaired` when this is its second try."""

    model: str
    text: str
    labels: tuple[str, ...]
    messages: bytes
    repaired: bool = False


class Verdict(Message, frozen=True, gc=False):
    """A readable verdict: `choice` is a candidate's index, `tie` or `none`."""

    ticket: str
    choice: int | Literal["tie", "none"]
    reason: str


class RepairVerdict(Message, frozen=True, gc=False):
    """It could not be read: ask the same judge once more with these messages."""

    ticket: str
    messages: bytes
    problem: str


class VerdictUnreadable(Message, frozen=True, gc=False):
    """It could not be read after its repair: the next judge, or none."""

    ticket: str
    problem: str


JudgeMessage: TypeAlias = BuildBallot | ReadVerdict | Down


# --- CostLedger -------------------------------------------------------------------------------


class Admit(Command, frozen=True, gc=False):
    """May this run begin?  `ticket` is the run's id.

    `want_nano` is the worst case of the first stage and of the cheapest way to finish;
    `least_nano` the smallest sum with which a useful answer is possible.  What is granted, from
    `least_nano` to `want_nano`, is held for the run's first calls.  `spent_nano` is what the run
    has cost already, and `steps` its journal so far, when it is carried on.
    """

    new_work: ClassVar[bool] = True

    order: Order
    want_nano: int
    least_nano: int
    deadline: float
    spent_nano: int = 0
    steps: tuple[Step, ...] = ()


class Admitted(Message, frozen=True, gc=False):
    ticket: str
    granted_nano: int


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

    `step` is what the run learns from it.  `text` is kept where there is none: an answer that
    nobody waited for any more.
    """

    run: str
    call: CallRecord
    text: str = ""
    step: Step | None = None


class Record(Message, frozen=True, gc=False):
    """What a run was told, for the journal; sent once it is admitted."""

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

    A run that was not admitted brings its `order` and its whole journal if it was carried on, or is
    to be: its end is all that the ledger hears of it.
    """

    status: Literal["complete", "degraded", "failed", "cancelled", "running"]
    body: bytes
    http_status: int = 200
    order: Order | None = None
    steps: tuple[Step, ...] = ()


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


class AccountsListed(Message, frozen=True, gc=False):
    """`open` says whether the books can be written."""

    ticket: str
    accounts: tuple[Account, ...]
    unknown_settlements: int
    overruns: int
    open: bool = True


# --- Storage (a blocking actor): what the ledger tells it and hears of it ----------------------


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
    """Write: a run begins, or is carried on; these steps replace whatever its journal had."""

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


class StepTaken(Struct, frozen=True, gc=False, tag=True, array_like=True):
    run: str
    step: Step


class RunClosed(Struct, frozen=True, gc=False, tag=True, array_like=True):
    run: str
    status: str
    body: bytes
    http_status: int
    at: float


Write: TypeAlias = (
    LeaseTaken
    | LeaseReturned
    | RunBegan
    | AttemptReserved
    | AttemptReleased
    | AttemptSettled
    | StepTaken
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
    ticket: str
    epoch: int
    accounts: tuple[Account, ...]


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


# --- Orchestrator -----------------------------------------------------------------------------


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
    """A pool's attempt has left its waiting line and goes to the vendor."""

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


REPLIES_TO_ASKS: TypeAlias = (
    Finished
    | Failed
    | RunStatus
    | ModelsListed
    | PoolStatus
    | AccountsListed
    | Overloaded
    | Selected
)
