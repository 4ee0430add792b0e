"""To the Router, and its answers."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from actors.base import Command, Down, Message
from actors.domain.model import Model
from actors.protocol.values import Candidate, Profile, Refusal, Role


class SelectModels(Command, frozen=True, gc=False):
    """Which models may take a role, best first?

    `named` models come first in their order whatever their score; unknown ones are the edge's to
    refuse.  `exclude` may not be chosen at all; `avoid` and `avoid_families` sort after the rest.
    `input_tokens` is the estimate of what will be sent.  `limited` says that some budget applies
    (a model without a price is then refused) and `afford_nano`, when known, what a call may cost.
    What is `also` asked is answered by the same message.
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
    also: SelectModels | None = None


class Selected(Message, frozen=True, gc=False):
    """Answer to :class:`SelectModels`: who may, best first, and who may not."""

    ticket: str
    ranked: tuple[Candidate, ...]
    refused: tuple[Refusal, ...]
    also: Selected | None = None


class ModelHealth(Struct, frozen=True, gc=False, array_like=True):
    """A moving picture of one model: mean latency, share of failures (0 to 1), calls seen, and the
    latency that 19 of 20 calls stay below.  Latencies are 0 while they are not known.
    """

    model: str
    latency_ms: float
    failure_rate: float
    calls: int
    slow_ms: float = 0.0


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
    slow_ms: float | None = None


class ModelsListed(Message, frozen=True, gc=False):
    ticket: str
    models: tuple[ModelState, ...]


RouterMessage: TypeAlias = SelectModels | HealthChanged | ReconfigureRouter | ListModels | Down
