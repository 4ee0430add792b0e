"""Which runs a server still owes an answer for: what a drain waits for."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from runtime.frontends.hub import RunFuture


class Waiting:
    """Used on the server's loop."""

    def __init__(self) -> None:
        self.runs: dict[str, int] = {}
        """How many wait for each."""
        self._changed = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Waiting for {len(self.runs)} runs>"

    def begun(self, run_id: str) -> None:
        self.runs[run_id] = self.runs.get(run_id, 0) + 1

    def ended(self, run_id: str) -> None:
        if others := self.runs.pop(run_id) - 1:
            self.runs[run_id] = others
        self._changed.set()

    def until_settled(self, future: RunFuture) -> None:
        """Begun, and ended when `future` says so, on whichever thread."""
        loop = asyncio.get_running_loop()

        def ended(_: object) -> None:
            with suppress(RuntimeError):  # the loop has closed, and nobody waits
                loop.call_soon_threadsafe(self.ended, future.run_id)

        self.begun(future.run_id)
        future.add_done_callback(ended)

    async def idle(self) -> None:
        """Returns once nothing is waited for."""
        while self.runs:
            self._changed.clear()
            await self._changed.wait()
