"""The runs of one engine: those under way, with who waits for them, and those that ended lately."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct

from actors.domain.money import usd
from actors.errors import PlanError, RateLimited
from actors.events import RunEvent, RunFinished
from actors.protocol import CallRecord, Failed, Finished, Order, Step
from runtime.frontends.wire import error_body
from runtime.kernel import Future

__all__ = ["Course", "OnEvent", "RunFuture", "RunView", "Runs", "log_end", "replayed"]

logger = logging.getLogger("planhub.runs")

OnEvent: TypeAlias = Callable[[dict[str, Any]], None]
RunStatus: TypeAlias = Literal["running", "complete", "degraded", "failed", "cancelled"]

MOST_JOINED = 1_000
KEPT_RUNS = 1_000
KEPT_BYTES = 64 * 2**20


class Course(Struct, frozen=True):
    """What a run is begun with, as in :class:`actors.protocol.Begin`."""

    order: Order
    steps: tuple[Step, ...] = ()
    records: tuple[CallRecord, ...] = ()
    attempts: int = 0


class RunView(Struct, frozen=True):
    """How a run stands.  `result` and `error` are the JSON bodies of its end, `key` whose it is."""

    id: str
    key: str | None
    status: RunStatus
    result: bytes | None = None
    error: bytes | None = None


class RunFuture(Future[bytes]):
    """The body of the answer to be, or the :class:`~actors.errors.PlanError` instead of it.

    `replay` says that the run was begun by another request of the same name.
    """

    def __init__(
        self, run_id: str, home: Any, give_up: Callable[[str], object], *, replay: bool = False
    ) -> None:
        super().__init__(home)
        self.run_id = run_id
        self.replay = replay
        self._give_up = give_up

    def cancel(self) -> bool:
        """Has the run cancelled; it then ends in `Cancelled`.  False when it had ended before."""
        if self.done():
            return False
        self._give_up(self.run_id)
        return True


def replayed(future: RunFuture, ended: RunView, watcher: OnEvent | None) -> RunFuture:
    """`future`, settled with the answer that its run came to; `watcher` is told of that alone."""
    body = ended.result or b""
    if watcher is not None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        event = RunFinished(run=ended.id, seq=1, at=at, result=msgspec.Raw(body))
        watcher(msgspec.json.decode(msgspec.json.encode(event)))
    future.set(body)
    return future


def log_end(order: Order, begun: float, status: str, end: Finished | Failed) -> None:
    """Writes the one line that is kept of every run; `begun` is on the monotonic clock."""
    logger.info(
        "run %s %s %s: %d calls, $%.6f, %.0f ms",
        order.run,
        order.mode,
        status,
        end.calls,
        usd(end.cost.spent_nano),
        (time.monotonic() - begun) * 1000,
    )


class _Live(Struct):
    order: Order
    futures: list[RunFuture]
    watchers: list[OnEvent]


class Runs:
    """Used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
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
        return [future for live in list(self._live.values()) for future in live.futures]

    def is_wanted(self, run_id: str) -> bool:
        """Whether somebody will ask for it after a restart too."""
        live = self._live.get(run_id)
        return live is not None and live.order.wanted

    def begin(self, future: RunFuture, order: Order, watcher: OnEvent | None) -> None:
        watchers = [] if watcher is None else [watcher]
        self._live[order.run] = _Live(order, [future], watchers)

    def join(self, future: RunFuture, watcher: OnEvent | None) -> bool:
        """Has `future` settled as well when its run ends; False when that is not under way.

        Raises RateLimited when too many wait for it already.
        """
        with self._lock:
            if (live := self._live.get(future.run_id)) is None:
                return False
            if len(live.futures) >= MOST_JOINED:
                raise RateLimited("rate limited: too many wait for this run", retry_after_s=1.0)
            live.futures.append(future)
            live.watchers += [] if watcher is None else [watcher]
            return True

    def watch(self, event: RunEvent) -> None:
        """Shows an event to whoever watches its run; one that raises watches no longer."""
        live = self._live.get(event.run)
        if live is None or not live.watchers:
            return
        encoded = msgspec.json.encode(event)
        for watcher in live.watchers.copy():
            try:
                watcher(msgspec.json.decode(encoded))
            except Exception:
                logger.exception("what watched run %s failed", event.run)
                live.watchers.remove(watcher)

    def answered(self, run_id: str, body: bytes, status: RunStatus) -> None:
        for future in self._end(run_id, status, body, None):
            future.set(body)

    def failed(self, run_id: str, error: PlanError) -> None:
        status: RunStatus = "cancelled" if error.code == "cancelled" else "failed"
        for future in self._end(run_id, status, None, error_body(error)):
            future.fail(error)

    def view(self, run_id: str) -> RunView | None:
        with self._lock:
            if (live := self._live.get(run_id)) is not None:
                return RunView(run_id, live.order.key, "running")
            return self._ended.get(run_id)

    def _end(
        self, run_id: str, status: RunStatus, result: bytes | None, error: bytes | None
    ) -> list[RunFuture]:
        with self._lock:
            if (live := self._live.pop(run_id, None)) is None:
                return []
            self._forget(run_id)
            self._keep(RunView(run_id, live.order.key, status, result, error))
            return live.futures

    def _forget(self, run_id: str) -> None:
        """The end that it came to before it was begun again."""
        if (before := self._ended.pop(run_id, None)) is not None:
            self._kept_bytes -= _size(before)

    def _keep(self, view: RunView) -> None:
        self._ended[view.id] = view
        self._kept_bytes += _size(view)
        while len(self._ended) > KEPT_RUNS or self._kept_bytes > KEPT_BYTES:
            _, oldest = self._ended.popitem(last=False)
            self._kept_bytes -= _size(oldest)


def _size(view: RunView) -> int:
    return len(view.result or b"") + len(view.error or b"")
