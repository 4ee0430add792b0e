"""The port to a vendor's wire format: bytes to structs and back, no I/O."""

from __future__ import annotations

from typing import Protocol

from actors.protocol import CallAnswered, CallErrored, CallVendor
from runtime.transport.port import HttpRequest, HttpResponse


class Dialect(Protocol):
    """One per vendor; remembers what that vendor's models turned out not to take."""

    def encode(self, call: CallVendor) -> HttpRequest:
        """What to send for this call."""

    def decode(self, call: CallVendor, response: HttpResponse) -> CallAnswered | CallErrored:
        """What the vendor said.  Whatever it sent ends in one of the two; raising is a bug."""
