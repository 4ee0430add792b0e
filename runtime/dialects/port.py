"""The port to a vendor's wire format: bytes to structs and back, no I/O."""

from __future__ import annotations

from typing import Protocol

from actors.protocol import CallAnswered, CallErrored, CallVendor
from runtime.transport.port import HttpRequest, HttpResponse


class Deltas(Protocol):
    """Reads an answer while it comes; made for one answer.

    `is_stream` once it has turned out to be a stream of events; `written` counts the bytes of all
    that the model has written by then, hidden reasoning included.
    """

    is_stream: bool
    written: int

    def feed(self, piece: bytes) -> str:
        """What this piece of the body adds to the text that `decode` will find in the whole."""


class Dialect(Protocol):
    """One per vendor; remembers what that vendor's models turned out not to take.

    `learnt` counts that: a call that was refused for a parameter may pass when there is more of it
    than when the call was sent.
    """

    @property
    def learnt(self) -> int: ...

    def encode(self, call: CallVendor, *, stream: bool = False) -> HttpRequest:
        """What to send for this call; with `stream` the answer is asked for as it is written,
        from a model that is not known to refuse that.
        """

    def deltas(self) -> Deltas:
        """What reads one answer while it comes."""

    def decode(self, call: CallVendor, response: HttpResponse) -> CallAnswered | CallErrored:
        """What the vendor said to a call whose conversation is not known any more.  Whatever it
        sent ends in one of the two; raising is a bug.
        """
