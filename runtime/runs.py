"""The runs of one engine: those under way, with who waits for them, and those that ended lately."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct

from actors.errors import PlanError
from actors.events import RunEvent
from runtime.frontends.wire import error_body
from runtime.kernel import Future

__all__ = ["OnEvent", "RunFuture", "RunView", "Runs"]

logger = logging.getLogger("planhub.runs")

OnEvent: TypeAlias = Callable[[dict[str, Any]], None]
RunStatus: TypeAlias = Literal["running", "complete", "degraded", "failed", "cancelled"]

KEPT_RUNS = 1_000
KEPT_BYTES = 64 * 2**20


class RunView(Struct, frozen=True):
    """How a run stands.  `result` and `error` are the JSON bodies of its end, `key` whose it is."""

    id: str
    key: str | None
    status: RunStatus
    result: bytes | None = None
    error: bytes | None = None


class RunFuture(Future[bytes]):
    """The body of the answer to be, or the :class:`~actors.errors.PlanError` instead of it."""

    def __init__(self, run_id: str, home: Any, give_up: Callable[[str], object]) -> None:
        super().__init__(home)
        self.run_id = run_id
        self._give_up = give_up

    def cancel(self) -> bool:
        """Has the run cancelled; it then ends in `Cancelled`.  False when it had ended before."""
        if self.done():
            return False
        self._give_up(self.run_id)
        return True


class _Live(Struct):
    key: str | None
    future: RunFuture
    watcher: OnEvent | None


class Runs:
    """Used from any thread: each operation is one step on a dict."""

    def __init__(self) -> None:
        self._live: dict[str, _Live] = {}
        self._ended: OrderedDict[str, RunView] = OrderedDict()
        self._kept_bytes = 0

    def __len__(self) -> int:
        """How many are under way."""
        return len(self._live)

    def __contains__(self, run_id: str) -> bool:
        return run_id in self._live

    def futures(self) -> list[RunFuture]:
        """Of those under way."""
        return [live.future for live in list(self._live.values())]

    def begin(self, future: RunFuture, key: str | None, watcher: OnEvent | None) -> None:
        self._live[future.run_id] = _Live(key, future, watcher)

    def watch(self, event: RunEvent) -> None:
        """Shows an event to whoever watches its run; one that raises watches no longer."""
        live = self._live.get(event.run)
        if live is None or live.watcher is None:
            return
        try:
            live.watcher(msgspec.json.decode(msgspec.json.encode(event)))
        except Exception:
            logger.exception("what watched run %s failed", event.run)
            live.watcher = None

    def answered(self, run_id: str, body: bytes, status: RunStatus) -> None:
        if (live := self._live.pop(run_id, None)) is not None:
            self._keep(RunView(run_id, live.key, status, result=body))
            live.future.set(body)

    def failed(self, run_id: str, error: PlanError) -> None:
        if (live := self._live.pop(run_id, None)) is not None:
            status: RunStatus = "cancelled" if error.error_code == "cancelled" else "failed"
            self._keep(RunView(run_id, live.key, status, error=error_body(error)))
            live.future.fail(error)

    def view(self, run_id: str) -> RunView | None:
        if (live := self._live.get(run_id)) is not None:
            return RunView(run_id, live.key, "running")
        return self._ended.get(run_id)

    def _keep(self, view: RunView) -> None:
        self._ended[view.id] = view
        self._kept_bytes += _size(view)
        while len(self._ended) > KEPT_RUNS or self._kept_bytes > KEPT_BYTES:
            _, oldest = self._ended.popitem(last=False)
            self._kept_bytes -= _size(oldest)


def _size(view: RunView) -> int:
    return len(view.result or b"") + len(view.error or b"")
