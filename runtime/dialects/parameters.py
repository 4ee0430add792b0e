"""What a call asks for besides its conversation, and what a vendor's models do not take of it."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec
from msgspec import Raw

from actors.protocol import Complete
from runtime.dialects.errors import VendorError

OWNED = frozenset({
    "model", "messages", "system", "stream", "stream_options", "n", "tools", "tool_choice",
    "response_format", "max_tokens", "max_completion_tokens",
})  # fmt: skip
"""Set by the engine: a user's value for one of these never reaches a vendor."""

_objects = msgspec.json.Decoder(dict[str, Raw])


def wanted(order: Complete) -> dict[str, Raw]:
    """The user's parameters, as JSON by name; the order's own temperature and seed go before."""
    parameters: dict[str, Raw] = {}
    if order.parameters != b"{}":
        given = _objects.decode(order.parameters)
        parameters = {k: v for k, v in given.items() if k not in OWNED and bytes(v) != b"null"}
    if order.temperature is not None:
        parameters["temperature"] = Raw(msgspec.json.encode(order.temperature))
    if order.seed is not None:
        parameters["seed"] = Raw(msgspec.json.encode(order.seed))
    return parameters


def clipped(temperature: Raw, most: int) -> Raw:
    """Between 0 and `most`; what is not a number is the vendor's to refuse."""
    value = msgspec.json.decode(temperature)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Raw(msgspec.json.encode(min(max(value, 0), most)))
    return temperature


def listed(stop: Raw) -> Raw:
    """One text to stop at, or several, as a list."""
    return Raw(b"[" + bytes(stop) + b"]") if bytes(stop).startswith(b'"') else stop


class Refusals:
    """Which parameters a vendor's models turned out not to take, by the vendor's model name.

    `learnt` is how many.
    """

    def __init__(self) -> None:
        self.learnt = 0
        self._names: dict[str, frozenset[str]] = {}

    def learn(self, upstream: str, name: str) -> None:
        if not self.includes(upstream, name):
            self.learnt += 1
            self._names[upstream] = self.of(upstream) | {name}

    def includes(self, upstream: str, name: str) -> bool:
        return name in self.of(upstream)

    def of(self, upstream: str) -> frozenset[str]:
        return self._names.get(upstream, _NOTHING)

    def without(self, upstream: str, parameters: dict[str, Raw]) -> dict[str, Raw]:
        """`parameters` less those that `upstream` refuses."""
        return without(self.of(upstream), parameters)


_NOTHING: frozenset[str] = frozenset()


def without(refused: frozenset[str], parameters: dict[str, Raw]) -> dict[str, Raw]:
    """`parameters` less those that are refused."""
    if not refused or not parameters:
        return parameters
    return {name: value for name, value in parameters.items() if name not in refused}


_REFUSED_CODES = {"unsupported_parameter", "unsupported_value", "unknown_parameter"}
_REFUSED_WORDS = re.compile(
    r"unsupported|not supported|unrecognized|unknown|not permitted|extra_forbidden"
    r"|deprecated|not allowed|does not support|not enabled|unavailable|not available",
    re.IGNORECASE,
)


def says_unsupported(error: VendorError) -> bool:
    """Whether an error is about what a model can do, not about a value."""
    return error.code in _REFUSED_CODES or _REFUSED_WORDS.search(error.message) is not None


def refused_parameter(status: int, error: VendorError, optional: Iterable[str]) -> str | None:
    """Which of the `optional` parameters a vendor's error says that the model does not take.

    None when the error is about something else, such as a value out of range.
    """
    if status not in (400, 422) or not says_unsupported(error):
        return None
    names = list(optional)
    if error.param:
        root = re.split(r"[.\[]", error.param, maxsplit=1)[0]
        return root if root in names else None
    found = [
        (at.start(), name)
        for name in names
        if (at := re.search(rf"(?<!\w){re.escape(name)}(?!\w)", error.message))
    ]
    return min(found)[1] if found else None
