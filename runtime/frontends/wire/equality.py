"""Are two requests the same?  As JSON values, and whether or not their policies differ."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from msgspec.structs import replace

from runtime.frontends.wire.requests import PlanRequest

HALF = 16
EXACT = 2.0**53


def fingerprint(request: PlanRequest) -> bytes:
    """Equal for requests that are equal; the first half covers all but the policy."""
    return _hash(replace(request, policy=None)) + _hash(request.policy)


def differ_in_policy_alone(one: bytes, other: bytes) -> bool:
    """Whether two fingerprints are of requests that ask for the same, if not at the same terms."""
    return one[:HALF] == other[:HALF]


def _hash(value: Any) -> bytes:
    plain = _same_numbers(msgspec.to_builtins(value))
    encoded = msgspec.json.encode(plain, order="deterministic")
    return hashlib.blake2b(encoded, digest_size=HALF).digest()


def _same_numbers(value: Any) -> Any:
    """1.0 and 1 are the same number, however it was written."""
    match value:
        case dict():
            return {name: _same_numbers(child) for name, child in value.items()}
        case list():
            return [_same_numbers(child) for child in value]
        case float() if value.is_integer() and abs(value) < EXACT:
            return int(value)
        case _:
            return value
