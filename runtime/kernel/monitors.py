"""Monitors: who is told once that somebody has ended.

An actor that monitors gets one `Down`, in the urgent lane; an ask is settled.  Both directions
are kept, so that the end of a watcher costs what it watched and leaves nothing behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.base import ABSENT, Address, Down
from runtime.kernel.cell import Cell
from runtime.kernel.codec import encode
from runtime.kernel.lifecycle import Lifecycle

if TYPE_CHECKING:
    from runtime.kernel.asks import Ask
    from runtime.kernel.system import System

__all__ = ["Monitors"]


class Monitors:
    """Reads and writes `watchers` of whom is watched, and `watching` of who watches."""

    __slots__ = ("_system",)

    def __init__(self, system: System) -> None:
        self._system = system

    def monitor(self, watcher: Cell, address: Address) -> None:
        """Has `watcher` told of the next end of `address`; at once if nobody is there."""
        if watcher.watching is None:
            watcher.watching = set()
        elif address in watcher.watching:
            return
        watched = self._find(address)
        if watched is None:
            watcher.accept_urgent(encode(Down(address, ABSENT)))
            return
        self.watch(watcher.address, watched)
        watcher.watching.add(address)

    def demonitor(self, watcher: Cell, address: Address) -> None:
        if watcher.watching is not None:
            watcher.watching.discard(address)
        self.unwatch(watcher.address, address)

    def watch(self, watcher: Address, watched: Lifecycle | Ask) -> None:
        if watched.watchers is None:
            watched.watchers = {}
        watched.watchers[watcher] = None

    def unwatch(self, watcher: Address, address: Address) -> None:
        watched = self._find(address)
        if watched is not None and watched.watchers:
            watched.watchers.pop(watcher, None)

    def announce(self, ended: Lifecycle | Ask, reason: str, *, final: bool) -> None:
        """Tells all watchers of `ended`.

        Unless `final`, asks whose command still lies in its mailbox go on waiting.
        """
        watchers, ended.watchers = ended.watchers, None
        for address in watchers or ():
            watcher = self._system.cells.get(address)
            if isinstance(watcher, Cell):
                if watcher.watching is not None:
                    watcher.watching.discard(ended.address)
                watcher.accept_urgent(encode(Down(ended.address, reason)))
            elif isinstance(ended, Lifecycle) and (ask := self._system.asks.get(address)):
                if final or ask.position <= ended.taken:
                    self._system.asks.target_ended(ask, reason)
                else:
                    self.watch(address, ended)

    def _find(self, address: Address) -> Lifecycle | Ask | None:
        return self._system.cells.get(address) or self._system.asks.get(address)
