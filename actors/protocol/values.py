"""What messages carry: values, never sent by themselves."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from actors.domain.model import Model, Usage

Role: TypeAlias = Literal[
    "plan", "critique", "refine", "voter", "judge", "answer", "fuse", "repair"
]
Mode: TypeAlias = Literal["planning", "adversarial", "vote", "refine", "fuse"]
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


SecondLook: TypeAlias = Literal["confirmed", "settled", "flipped", "failed"]
"""What came of judging once more: the same choice, a clear one after a tie, anything else; or
nothing that could be read.
"""


class JudgeVerdict(Struct, frozen=True, gc=False, array_like=True):
    """How a judge did once, for its record; nothing of what it read or said.

    `kin` of the `candidates` were of its own family, and so was the one it chose if `chose_kin`.
    """

    judge: str
    choice: Literal["one", "tie", "none", "unreadable"]
    narrow: bool = False
    second_look: SecondLook | None = None
    candidates: int = 0
    kin: int = 0
    chose_kin: bool = False


class Candidate(Struct, frozen=True, gc=False, array_like=True):
    """A model that may take a role.  Lower scores are better; `why` explains the place it has.

    It takes `expected_ms` on the mean, and seldom longer than `slow_ms`, where that is known.
    """

    model: Model
    score: float
    explicit: bool = False
    expected_ms: float | None = None
    why: str = ""
    slow_ms: float | None = None


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
    early_stop: bool = False
    second_look: bool = False
    judges: int = 1
    decide: Literal["judge", "majority"] = "judge"
    rubric: tuple[str, ...] = ()
    wait: Literal["all", "quorum"] = "all"
    hedge: bool = False
    stop: Literal["never", "converged"] = "never"
    keep_best: bool = False


class RunCost(Struct, frozen=True, gc=False, array_like=True):
    """What a run has cost; the last two fields matter to a refusal."""

    spent_nano: int = 0
    limit_nano: int | None = None
    estimated: bool = False
    held_nano: int = 0
    needed_nano: int = 0
