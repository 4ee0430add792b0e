"""Models and judges as users see them, over HTTP and on the command line."""

from __future__ import annotations

from msgspec import Struct

from actors.domain.judges import JudgeRecord
from actors.domain.model import Price
from actors.domain.money import usd
from actors.protocol import ModelState


class PriceEntry(Struct, frozen=True):
    """USD per million tokens."""

    input_usd_per_mtok: float
    output_usd_per_mtok: float
    cache_read_usd_per_mtok: float
    cache_write_usd_per_mtok: float


class ModelEntry(Struct, frozen=True, kw_only=True):
    """A model and how it is; `price` is null when nobody knows it, and `reason` says why a model
    is not available.
    """

    id: str
    provider: str
    upstream: str
    family: str
    weight: int
    enabled: bool
    context_tokens: int | None
    max_output_tokens: int | None
    price: PriceEntry | None
    available: bool
    reason: str
    latency_ms: float | None
    failure_rate: float | None


class JudgeEntry(Struct, frozen=True, kw_only=True):
    """How a model does as a judge; a rate is null until there is something to count.

    `flip_rate` is the share of second looks that came out otherwise, `unreadable_rate` that of
    replies that not even a repair made a verdict, and `family_lift` how many times as often as by
    chance candidates of its own family were chosen.
    """

    judge: str
    verdicts: int
    ties: int
    nones: int
    narrow: int
    unreadable: int
    second_looks: int
    flips: int
    flip_rate: float | None
    tie_rate: float | None
    unreadable_rate: float | None
    family_lift: float | None


def judge_entry(record: JudgeRecord) -> JudgeEntry:
    return JudgeEntry(**{name: getattr(record, name) for name in JudgeEntry.__struct_fields__})


def model_entry(state: ModelState) -> ModelEntry:
    model = state.model
    return ModelEntry(
        id=model.id,
        provider=model.provider,
        upstream=model.upstream,
        family=model.family,
        weight=model.weight,
        enabled=model.enabled,
        context_tokens=model.context_tokens,
        max_output_tokens=model.max_output_tokens,
        price=None if model.price is None else _price_entry(model.price),
        available=state.available,
        reason=state.why,
        latency_ms=state.latency_ms,
        failure_rate=state.failure_rate,
    )


def _price_entry(price: Price) -> PriceEntry:
    return PriceEntry(
        usd(price.input), usd(price.output), usd(price.cache_read), usd(price.cache_write)
    )
