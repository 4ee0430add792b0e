"""One exchange with a vendor whose text is shown while it comes."""

from __future__ import annotations

from typing import Protocol, TypeVar

from msgspec.structs import replace

from actors.protocol import CallAnswered, CallErrored
from runtime.dialects.port import Deltas

__all__ = ["Texts", "WatchedExchange"]

T = TypeVar("T")


class Texts(Protocol):
    """Where the texts of attempts are shown: :class:`runtime.watching.gathering.Gathering`."""

    def begins(self, attempt: str) -> bool: ...

    def grows(self, attempt: str, delta: str) -> None: ...

    def ends(self, attempt: str, *, answered: bool) -> None: ...


class WatchedExchange:
    """`part` is shown the body as it comes; a dialect that raises on it is heard of at the end."""

    def __init__(self, attempt: str, deltas: Deltas, texts: Texts) -> None:
        self._attempt = attempt
        self._deltas = deltas
        self._texts = texts
        self.error: Exception | None = None

    def part(self, piece: bytes) -> None:
        if self.error is not None:
            return
        try:
            delta = self._deltas.feed(piece)
        except Exception as error:  # noqa: BLE001 - a dialect's bug is the pool's to fail on
            self.error = error
            return
        if delta:
            self._texts.grows(self._attempt, delta)

    def end(self, outcome: T) -> T | CallErrored:
        """The outcome; of a stream that failed, with what the model had written by then."""
        self._texts.ends(self._attempt, answered=isinstance(outcome, CallAnswered))
        if isinstance(outcome, CallErrored) and self._deltas.is_stream:
            return replace(outcome, received_bytes=self._deltas.written)
        return outcome
