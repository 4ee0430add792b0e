"""How an exchange that failed is told, whichever transport carried it."""

from __future__ import annotations

from typing import Literal, TypeAlias

Phase: TypeAlias = Literal["connecting", "sending", "waiting", "reading"]
FailureKind: TypeAlias = Literal[
    "connect", "timeout", "closed", "too_large", "protocol", "cancelled"
]

TOO_SLOW: dict[Phase, str] = {
    "connecting": "no connection in time",
    "sending": "the request could not be sent in time",
    "waiting": "no answer in time",
    "reading": "the answer did not end in time",
}
CLOSED = "the vendor closed the connection"
BROKE = "the connection broke"
GIVEN_UP = "given up"
STOPPED = "the engine stopped"


def too_large(most: int) -> str:
    return f"more than {most} bytes"


def not_http(what: str) -> str:
    return f"not HTTP as it should be ({what})"


def unsendable(error: Exception) -> str:
    """Without its text: a header that cannot be sent is most likely the key."""
    return f"the request cannot be sent ({type(error).__name__})"
