"""What vendors stream, joined: a model writes a word at a time, and a watcher wants some 30 ms."""

from __future__ import annotations

from collections.abc import Callable

import trio

from runtime.watching.log import EventLog

__all__ = ["Gathering"]

GATHER_S = 0.03


class Gathering:
    """The texts of all attempts that are being watched; used on the engine's thread.

    Texts go straight to the log of their run: no mailbox, and nothing for the journal, which has
    the answer whole.  One task, one timer, for all of them.
    """

    def __init__(self, log_of: Callable[[str], EventLog | None]) -> None:
        self._log_of = log_of
        self._pending: dict[str, list[str]] = {}
        self._comes = trio.Event()

    def __repr__(self) -> str:
        return f"<Gathering: {len(self._pending)} texts to be shown>"

    def begins(self, attempt: str) -> bool:
        """A final attempt goes to its vendor; whether somebody would see its text come."""
        log = self._log_of(run_of(attempt))
        if log is None:
            return False
        log.text_begins(attempt)
        return log.wants_text

    def grows(self, attempt: str, delta: str) -> None:
        """It has written more."""
        self._pending.setdefault(attempt, []).append(delta)
        self._comes.set()

    def ends(self, attempt: str, *, answered: bool) -> None:
        """It has ended; what it wrote is shown to the end, or void."""
        self._show(attempt)
        if not answered and (log := self._log_of(run_of(attempt))) is not None:
            log.text_fails(attempt)

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Shows what has been gathered, for as long as this runs."""
        task_status.started()
        while True:
            await self._comes.wait()
            await trio.sleep(GATHER_S)
            self._comes = trio.Event()
            for attempt in list(self._pending):
                self._show(attempt)

    def _show(self, attempt: str) -> None:
        texts = self._pending.pop(attempt, None)
        if texts and (log := self._log_of(run_of(attempt))) is not None:
            log.text(attempt, "".join(texts))


def run_of(attempt: str) -> str:
    """The run of an attempt."""
    return attempt.rpartition(".")[0]
