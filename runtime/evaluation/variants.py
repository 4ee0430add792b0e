"""The ways in which the questions of an evaluation are asked."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from runtime.evaluation.items import Item
from runtime.frontends.wire import PlanRequest, Policy, plan_request


class Variant(Struct, frozen=True):
    """A mode with its options, or a single `model`; `fields` are those of a request."""

    name: str
    fields: dict[str, Any]
    model: str | None = None


def of_mode(text: str) -> Variant:
    """`vote`, or `vote:voters=5,early_stop=true`.  Raises ValueError for what is neither."""
    mode, colon, options = text.partition(":")
    fields: dict[str, Any] = {"mode": mode}
    for option in options.split(",") if colon else ():
        name, sign, value = option.partition("=")
        if not name or not sign:
            raise ValueError(f"--mode must be MODE or MODE:OPTION=VALUE,…, got {text}")
        fields[name.strip()] = _value(value.strip())
    return Variant(text, fields)


def of_model(model: str) -> Variant:
    """One call of this model, and of no other."""
    return Variant(model, {"mode": "planning", "primary_model_id": model}, model)


class Task(Struct, frozen=True):
    """An item asked in one way."""

    item: Item
    variant: Variant

    @property
    def digest(self) -> str:
        """Of all that is asked: another question of the same name is another task."""
        asked = (self.item.asked, self.item.output_schema, self.variant.fields)
        data = msgspec.json.encode(asked, order="deterministic")
        return hashlib.blake2b(data, digest_size=16).hexdigest()

    def request(self, budget_usd: float | None = None) -> PlanRequest:
        """Raises BadRequest."""
        schema = (
            {} if self.item.output_schema is None else {"output_schema": self.item.output_schema}
        )
        request = plan_request(self.item.asked, **self.variant.fields, **schema)
        if budget_usd is None:
            return request
        policy = replace(request.policy or Policy(), max_budget_usd=budget_usd)
        return replace(request, policy=policy)


def _value(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
