"""Has runs carried out: spawns an orchestrator for each, and tells whoever waits how it ended."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from msgspec.structs import astuple

from actors.addresses import run_address
from actors.base import Overloaded
from actors.errors import Draining, Internal, PlanError, RateLimited
from actors.protocol import Begin, Cancel, Failed, Finished, Mode, Park
from actors.tree import orchestrator
from runtime.frontends.wire import error_from_body
from runtime.kernel import ActorStopped, System
from runtime.runs import Course, OnEvent, RunFuture, Runs, log_end

if TYPE_CHECKING:
    from pykka._types import OptExcInfo

__all__ = ["PATIENCE_S", "Launcher"]

logger = logging.getLogger("planhub.runs")

End: TypeAlias = Finished | Failed | Overloaded

PATIENCE_S = 10.0
"""How long after its deadline a run may still take to say so, before it is given up on."""


class Launcher:
    """Begins runs, `most` at a time and none while it is `draining`; any thread may call it."""

    def __init__(self, system: System, runs: Runs, most: int) -> None:
        self._system = system
        self._runs = runs
        self._most = most
        self.draining = False

    def begin(
        self, course: Course, on_event: OnEvent | None = None, *, watched: bool = False
    ) -> RunFuture:
        """Raises Draining, or RateLimited when the engine is full."""
        if self.draining or self._system.ended:
            raise Draining("shutting down", retry_after_s=PATIENCE_S)
        if len(self._runs) >= self._most:
            raise RateLimited("rate limited: the engine is full", retry_after_s=1.0)
        return self.carry_on(course, on_event, watched=watched)

    def carry_on(
        self, course: Course, on_event: OnEvent | None = None, *, watched: bool = False
    ) -> RunFuture:
        """Begins a run whatever else there is: it was begun before."""
        future = self.future(course.order.run)
        self._runs.begin(future, course.order, on_event, watched=watched)
        self._system.here(partial(self._launch, course, time.monotonic()))
        return future

    def future(self, run: str, *, replay: bool = False) -> RunFuture:
        return RunFuture(run, self._system.home, self.cancel, replay=replay)

    def cancel(self, run: str) -> bool:
        """Has a run cancelled; False when it is not under way."""
        return self._order(run, Cancel())

    def park(self, run: str) -> bool:
        """Has a run end for this engine alone; the next one carries it on."""
        return self._order(run, Park())

    def _order(self, run: str, order: Cancel | Park) -> bool:
        if run not in self._runs:
            return False
        self._system.tell(run_address(run), order)
        return True

    def _launch(self, course: Course, begun: float) -> None:
        """On the system's thread, in one call: each one handed over may wake that thread."""
        order = course.order
        spec = orchestrator(order.run)
        with suppress(ActorStopped):  # the ask says so to whoever waits
            self._system.spawn(spec)
        self._system.ask_for(
            _Carried(self, order.run, order.mode, begun),
            spec.address,
            lambda me: Begin(me, order.run, *astuple(course)),
            order.latency_s + PATIENCE_S,
        )

    def ended(self, run: str, mode: Mode, begun: float, reply: End) -> None:
        """Its orchestrator said so."""
        match reply:
            case Finished():
                log_end(run, mode, begun, reply.status, reply)
                self._runs.answered(run, reply.body, reply.status)
            case Failed():
                log_end(run, mode, begun, reply.code, reply)
                self._runs.failed(run, error_from_body(reply.body, reply.http_status))
            case Overloaded():
                self._runs.failed(run, RateLimited("rate limited", run=run, retry_after_s=1.0))

    def unanswered(self, run: str, error: object) -> None:
        """Its orchestrator ended without a word, or is silent; the system may have ended."""
        logger.error("run %s ended without an answer: %s", run, error)
        self._runs.failed(run, self.lost(run))

    def lost(self, run: str) -> PlanError:
        """What is told where whoever should have answered is gone."""
        if self.draining:
            return Draining("shutting down", run=run, retry_after_s=PATIENCE_S)
        return Internal("internal error", run=run)


class _Carried:
    """A run that an orchestrator was asked to carry out: settled with its end, as a future is, but
    a fifth of one; ten thousand waiting runs have it.
    """

    __slots__ = ("_begun", "_launcher", "_mode", "_run")

    def __init__(self, launcher: Launcher, run: str, mode: Mode, begun: float) -> None:
        self._launcher = launcher
        self._run = run
        self._mode = mode
        self._begun = begun

    def __repr__(self) -> str:
        return f"<run {self._run}, {self._mode}>"

    def set(self, reply: End) -> None:
        self._launcher.ended(self._run, self._mode, self._begun, reply)

    def set_exception(self, error: OptExcInfo) -> None:
        self._launcher.unanswered(self._run, error[1])
