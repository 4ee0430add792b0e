"""The runs of one engine: those under way, with who waits for them, and those that ended lately."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from msgspec import Struct
from msgspec.json import encode

from actors.addresses import run_address
from actors.base import Address
from actors.domain.money import usd
from actors.errors import PlanError, RateLimited
from actors.events import Event
from actors.protocol import CallRecord, Failed, Finished, Mode, Order, Step
from runtime.frontends.wire import error_body
from runtime.kernel import Future
from runtime.watching import EventLog, Feed

__all__ = ["Course", "OnEvent", "RunFuture", "RunView", "Runs", "ended_log", "log_end", "replayed"]

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
    """How a run stands.  `result` and `error` are the JSON bodies of its end, `key` whose it is.

    `http_status` is that of an error.
    """

    id: str
    key: str | None
    status: RunStatus
    result: bytes | None = None
    error: bytes | None = None
    http_status: int = 200


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


def replayed(future: RunFuture, ended: RunView, on_event: OnEvent | None) -> RunFuture:
    """`future`, settled with the answer that its run came to; `on_event` is told of that alone."""
    if on_event is not None:
        for event in Feed(ended_log(ended)).take():
            on_event(event.as_map())
    future.set(ended.result or b"")
    return future


def ended_log(ended: RunView, after: int = 0) -> EventLog:
    """Of a run of whose events only the last is known; it is numbered as the next after `after`."""
    log = EventLog(ended.id, seq=after)
    has_answer = ended.status in ("complete", "degraded")
    body = ended.result or ended.error or encode({"id": ended.id, "status": ended.status})
    log.end(body=body, http_status=200 if has_answer else ended.http_status)
    return log


def log_end(run: str, mode: Mode, begun: float, status: str, end: Finished | Failed) -> None:
    """Writes the one line that is kept of every run; `begun` is on the monotonic clock."""
    logger.info(
        "run %s %s %s: %d calls, $%.6f, %.0f ms",
        run,
        mode,
        status,
        end.calls,
        usd(end.cost.spent_nano),
        (time.monotonic() - begun) * 1000,
    )


class _Live(Struct):
    """Of the order what is asked for while it runs: its conversation is its orchestrator's alone,
    ten thousand waiting runs would pay for two.
    """

    key: str | None
    wanted: bool
    futures: list[RunFuture]


class Runs:
    """Used from any thread.

    A run under way has a log, by its actor's address, once somebody watches it or is likely to come
    back for its events.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._live: dict[str, _Live] = {}
        self._logs: dict[Address, EventLog] = {}
        self._ended: OrderedDict[str, tuple[RunView, EventLog | None]] = OrderedDict()
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
        return live is not None and live.wanted

    def begin(
        self, future: RunFuture, order: Order, on_event: OnEvent | None, *, watched: bool = False
    ) -> None:
        if watched or order.wanted or on_event is not None:
            log = self._logs[run_address(order.run)] = EventLog(order.run, wants_text=watched)
            _listen(log, on_event)
        self._live[order.run] = _Live(order.key, order.wanted, [future])

    def join(self, future: RunFuture, on_event: OnEvent | None) -> bool:
        """Has `future` settled as well when its run ends; False when that is not under way.

        Raises RateLimited when too many wait for it already.
        """
        with self._lock:
            if (live := self._live.get(future.run_id)) is None:
                return False
            if len(live.futures) >= MOST_JOINED:
                raise RateLimited("rate limited: too many wait for this run", retry_after_s=1.0)
            live.futures.append(future)
            _listen(self.log(future.run_id), on_event)
            return True

    # --- events ---

    def is_watched(self, address: Address) -> bool:
        """Whether the events of the run that is carried out there are kept for anybody."""
        return address in self._logs

    def wants_text(self, run_id: str) -> bool:
        """Whether somebody would see its answer as it is written."""
        log = self.log(run_id)
        return log is not None and log.wants_text

    def log(self, run_id: str) -> EventLog | None:
        """The events of a run under way that is watched."""
        return self._logs.get(run_address(run_id))

    def happened(self, address: Address, event: Event) -> None:
        """Shows an event to whoever watches the run that is carried out there."""
        if (log := self._logs.get(address)) is not None:
            log.add(event)

    def feed(
        self, run_id: str, after: int = 0, news: Callable[[], None] | None = None
    ) -> Feed | None:
        """A way through the events of a run under way, or of one that ended lately.

        The events of a run that nobody watched begin where somebody does.
        """
        with self._lock:
            if run_id in self._live:
                if (log := self.log(run_id)) is None:
                    log = self._logs[run_address(run_id)] = EventLog(run_id)
                return Feed(log, after, news)
            view, log = self._ended.get(run_id, (None, None))
        if view is None:
            return None
        return Feed(ended_log(view, after) if log is None else log, after, news)

    # --- ends ---

    def answered(self, run_id: str, body: bytes, status: RunStatus) -> None:
        for future in self._end(run_id, status, body, 200):
            future.set(body)

    def failed(self, run_id: str, error: PlanError) -> None:
        status: RunStatus = "cancelled" if error.code == "cancelled" else "failed"
        for future in self._end(run_id, status, error_body(error), error.http_status):
            future.fail(error)

    def view(self, run_id: str) -> RunView | None:
        with self._lock:
            if (live := self._live.get(run_id)) is not None:
                return RunView(run_id, live.key, "running")
            return self._ended.get(run_id, (None,))[0]

    def _end(
        self, run_id: str, status: RunStatus, body: bytes, http_status: int
    ) -> list[RunFuture]:
        if (log := self.log(run_id)) is not None:
            log.end(body=body, http_status=http_status)
        with self._lock:
            if (live := self._live.pop(run_id, None)) is None:
                return []
            log = self._logs.pop(run_address(run_id), None)
            result, error = (body, None) if http_status == 200 else (None, body)
            view = RunView(run_id, live.key, status, result, error, http_status)
            self._forget(run_id)
            self._keep(view, log)
        if log is not None:  # it may have been watched since
            log.end(body=body, http_status=http_status)
        return live.futures

    def _forget(self, run_id: str) -> None:
        """The end that it came to before it was begun again."""
        if (before := self._ended.pop(run_id, None)) is not None:
            self._kept_bytes -= _size(*before)

    def _keep(self, view: RunView, log: EventLog | None) -> None:
        self._ended[view.id] = view, log
        self._kept_bytes += _size(view, log)
        while len(self._ended) > KEPT_RUNS or self._kept_bytes > KEPT_BYTES:
            _, oldest = self._ended.popitem(last=False)
            self._kept_bytes -= _size(*oldest)


def _listen(log: EventLog | None, on_event: OnEvent | None) -> None:
    if log is not None and on_event is not None:
        log.wants_text = True
        log.listen(lambda event: on_event(event.as_map()))


def _size(view: RunView, log: EventLog | None) -> int:
    kept = 0 if log is None else log.size
    return len(view.result or b"") + len(view.error or b"") + kept
