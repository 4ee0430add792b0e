"""To a ProviderPool: orders, and what the runtime tells of calls."""

from __future__ import annotations

from typing import ClassVar, TypeAlias

from msgspec import Struct

from actors.base import Command, Down, Message, Work
from actors.domain.model import Usage
from actors.protocol.values import Answer, CallErrorKind


class Complete(Command, frozen=True, gc=False):
    """Make exactly one attempt at a call; `ticket` is the attempt's id, `upstream` what the vendor
    calls the model.

    The text of a `final` one is the run's answer, for all that is known.  When one that is
    `announced` is sent its asker hears :class:`CallSent`.
    """

    new_work: ClassVar[bool] = True

    model: str
    upstream: str
    messages: bytes
    max_tokens: int
    deadline: float
    input_tokens: int = 0
    parameters: bytes = b"{}"
    temperature: float | None = None
    seed: int | None = None
    schema: bytes | None = None
    final: bool = False
    announced: bool = False


class AskAfter(Command, frozen=True, gc=False):
    """Is this order still there?  Only if not is it answered: by a `CallFailed` (`crashed`)."""


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
    | AskAfter
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
