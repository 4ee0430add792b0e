"""Messages that nobody handled: counted by kind, logged seldom, never with their content."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from typing import Literal, TypeAlias

from actors.base import Address, Message
from runtime.kernel.codec import type_name

__all__ = ["DeadLetterKind", "DeadLetters"]

logger = logging.getLogger("planhub.kernel")

DeadLetterKind: TypeAlias = Literal[
    "absent",  # nobody is at the address
    "late",  # the answer to an ask that has been settled
    "stopped",  # it lay in the mailbox of an actor that ended
    "poison",  # the actor crashed while it handled it
    "unreadable",  # the actor does not receive this type, or its fields are wrong
]

LOG_EVERY_S = 10.0


class DeadLetters:
    """Counts by kind; the log has the first of a kind, then at most one line per ten seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.counts: Counter[DeadLetterKind] = Counter()
        self._clock = clock
        self._logged_at: dict[DeadLetterKind, float] = {}

    def __repr__(self) -> str:
        counts = ", ".join(f"{count} {kind}" for kind, count in sorted(self.counts.items()))
        return f"<DeadLetters {counts or 'none'}>"

    def record(
        self, kind: DeadLetterKind, to: Address, message: Message | bytes, *, closing: bool = False
    ) -> None:
        """Counts it, and logs it: `closing` says that cells are being stopped, and replies to them
        are to be expected.
        """
        self.counts[kind] += 1
        now = self._clock()
        last = self._logged_at.get(kind)
        if last is not None and now < last + LOG_EVERY_S:
            return
        self._logged_at[kind] = now
        name = type_name(message) if isinstance(message, bytes) else type(message).__name__
        level = logging.DEBUG if closing else logging.WARNING
        text = "dead letter (%s, %d so far): %s to %s"
        logger.log(level, text, kind, self.counts[kind], name, to)
