"""The port of an actor on the dispatcher: what `actors.base.Context` promises, by the system."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.base import Address, ChildSpec, Command, Message, Timer, Work
from actors.events import Event

if TYPE_CHECKING:
    from runtime.kernel.cell import Cell
    from runtime.kernel.system import System

__all__ = ["CellContext"]


class CellContext:
    """One per incarnation; to be used in handlers, thus on the engine's thread only."""

    __slots__ = ("_cell", "_system", "address", "now", "tell", "wall")

    def __init__(self, system: System, cell: Cell) -> None:
        self._system = system
        self._cell = cell
        self.address: Address = cell.address
        self.tell = system.deliver
        self.now = system.clock
        self.wall = system.wall

    def reply(self, command: Command, message: Message) -> None:
        self._system.deliver(command.reply_to, message)

    def spawn(self, spec: ChildSpec) -> Address:
        return self._system.spawn(spec)

    def monitor(self, address: Address) -> None:
        self._system.monitors.monitor(self._cell, address)

    def demonitor(self, address: Address) -> None:
        self._system.monitors.demonitor(self._cell, address)

    def after(self, delay_s: float, message: Message) -> Timer:
        return self._cell.after(delay_s, message)

    def cancel_timer(self, timer: Timer) -> None:
        self._cell.cancel_timer(timer)

    def start(self, work: Work) -> None:
        self._system.start_work(self.address, work)

    def abort(self, work_id: str) -> None:
        self._system.abort_work(self.address, work_id)

    def is_watched(self) -> bool:
        return self._system.is_watched(self.address)

    def emit(self, event: Event) -> None:
        self._system.emit(self.address, event)

    def stop(self) -> None:
        self._cell.leaving = True

    def random(self) -> float:
        return self._system.random()
