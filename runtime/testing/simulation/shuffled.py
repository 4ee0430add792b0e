"""The system as a simulation drives it: turns in any order, messages watched and counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors.base import Address, Message
from runtime.kernel import System
from runtime.kernel.blocking import BlockingCell
from runtime.kernel.cell import Cell


class ShuffledSystem(System):
    """Lets an actor have its turn before others that were ready earlier: any order is allowed."""

    def __init__(self, shuffled: Callable[[], bool], **ports: Any) -> None:
        super().__init__(**ports)
        self._shuffled = shuffled
        self.accepted: dict[Address, int] = {}
        self.watch: Callable[[Address, Message], None] = lambda _, __: None

    def deliver(self, to: Address, message: Message) -> None:
        self.watch(to, message)
        super().deliver(to, message)

    def enlist(self, cell: Cell | BlockingCell) -> None:
        """Counts what enters its mailbox."""
        super().enlist(cell)
        accept, address = cell.accept, cell.address
        self.accepted[address] = 0

        def counted(data: bytes) -> None:
            self.accepted[address] += 1
            accept(data)

        setattr(cell, "accept", counted)  # noqa: B010  a method, to mypy

    def lost(self) -> list[Address]:
        """Whose mailbox has had more messages than it has, or than were taken from it."""
        cells = self.cells.items()
        return [address for address, cell in cells if cell.position != self.accepted[address]]

    def ready(self, cell: Cell | BlockingCell) -> None:
        super().ready(cell)
        if len(self._ready) > 1 and self._shuffled():
            self._ready.rotate(1)
