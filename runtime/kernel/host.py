"""Drives a system with trio: on a background thread, or inside a trio program.

One task dispatches: its loop has it run what is ready for a millisecond, lets the other tasks have
their turns, and when nothing is ready waits until the system wakes it or a timer is due.  Services
(a transport's `serve`) run beside it for as long as the system does.

It installs no signal handler, touches no setting of the process and keeps nothing global: it may
be started and stopped any number of times, beside others of its kind.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from math import inf
from typing import Protocol

import trio

from actors.base import SupervisorSpec
from runtime.kernel.errors import ActorStopped, SystemFailed, WrongThread, reason_of
from runtime.kernel.future import Future
from runtime.kernel.loop import AT_ONCE, Loop, Parking
from runtime.kernel.system import System

__all__ = ["Host", "Service"]

logger = logging.getLogger("planhub.kernel")


class Service(Protocol):
    """Runs until it is cancelled; `task_status.started()` says that it can be used."""

    async def __call__(self, *, task_status: trio.TaskStatus[None]) -> None: ...


START_S = 10.0
STOP_S = 10.0


class Host:
    """Runs one system, its tree and its services, once."""

    def __init__(
        self,
        system: System,
        tree: SupervisorSpec,
        services: Sequence[Service] = (),
        loop: Loop | None = None,
    ) -> None:
        self.system = system
        self._tree = tree
        self._services = services
        self._loop = Parking() if loop is None else loop
        self._thread: threading.Thread | None = None
        self._due: float | None = None
        self._due_at = inf
        self._dispatching = trio.CancelScope(shield=True)
        self._claimed = False
        self._nursery: trio.Nursery | None = None
        self._ended = trio.Event()

    def __repr__(self) -> str:
        return f"<Host of {self.system!r}>"

    @property
    def failure(self) -> SystemFailed | None:
        """Why the system ended, if it did so by itself."""
        return self.system.failure

    def call_soon(self, function: Callable[[], None]) -> None:
        """Calls `function` on the engine's thread; ActorStopped when the engine has ended."""
        self.system.call_soon(function)

    def serve_beside(self, service: Service) -> Future[None]:
        """Runs one more service from now on, any thread; the future tells once it can be used."""
        started: Future[None] = Future(self.system.home)

        def start() -> None:
            if self._nursery is None:
                started.fail(ActorStopped("the system has ended"))
            else:
                self._nursery.start_soon(self._serve_late, service, started)

        self.call_soon(start)
        return started

    # --- on a background thread ---

    def start(self) -> None:
        """Starts the thread and returns once the tree has been started.

        Raises what kept it from starting.
        """
        self._claim()
        started: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._run_thread, args=(started,), name="planhub engine", daemon=True
        )
        self._thread.start()
        started.get(timeout=START_S)

    def stop(self, timeout: float = STOP_S) -> None:
        """Shuts the system down and ends the thread.

        Actors have `timeout` seconds to handle what they have; then they are ended as they are.
        """
        thread = self._thread
        if thread is None:
            return
        if thread is threading.current_thread():
            raise WrongThread("the engine's thread cannot wait for its own end")
        self.system.shutdown()
        thread.join(timeout)
        if thread.is_alive():
            logger.error("the engine did not shut down in %.1f s", timeout)
            self.system.hand_over(self.system.close)
            thread.join(STOP_S)

    def _run_thread(self, started: Future[None]) -> None:
        try:
            trio.run(self._run, started)
        except BaseException as error:  # noqa: BLE001  it ends a thread, and is told to the starter
            self._end_by(error)
            started.fail(error)
        finally:
            self.system.detach()

    async def _run(self, started: Future[None]) -> None:
        async with self._running(STOP_S):
            started.set()
            await self._ended.wait()

    # --- inside a trio program ---

    @asynccontextmanager
    async def running(self, timeout: float = STOP_S) -> AsyncIterator[System]:
        """Runs the system inside this trio program for as long as the block does.

        When the system fails by itself, the block goes on: its asks raise, `failure` tells why.
        At the end of the block actors have `timeout` seconds to handle what they have.
        """
        self._claim()
        async with self._running(timeout) as system:
            yield system

    def _claim(self) -> None:
        if self._claimed:
            raise RuntimeError("a host runs its system once")
        self._claimed = True

    @asynccontextmanager
    async def _running(self, timeout: float) -> AsyncIterator[System]:
        self.system.attach(self._loop.wake)
        raised: Exception | None = None
        try:
            self.system.start_tree(self._tree)
            async with trio.open_nursery() as nursery:
                try:
                    await nursery.start(self._serve, self._dispatch)
                    for service in self._services:
                        await nursery.start(self._serve, service)
                    self._nursery = nursery
                    try:
                        yield self.system
                    except Exception as error:  # noqa: BLE001  raised again, not in the nursery's group
                        raised = error
                    finally:
                        await self._shut_down(timeout)
                        self._nursery = None
                finally:
                    nursery.cancel_scope.cancel()
                    self._dispatching.cancel()
        except Exception as error:
            self._end_by(error)
            raise
        finally:
            self.system.close()
            self.system.detach()
        if raised is not None:
            raise raised

    async def _shut_down(self, timeout: float) -> None:
        """Within `timeout`, even if the block was cancelled: money is settled on the way out."""
        self.system.shutdown()
        with trio.CancelScope(shield=True, deadline=trio.current_time() + timeout):
            await self._ended.wait()
        self.system.close()

    async def _serve(self, service: Service, task_status: trio.TaskStatus[None]) -> None:
        try:
            await service(task_status=task_status)
        except Exception as error:
            logger.exception("a service failed")
            self._end_by(error)

    async def _serve_late(self, service: Service, started: Future[None]) -> None:
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(self._serve, service)
                started.set()
        finally:
            started.fail(ActorStopped("the service has ended"))

    def _end_by(self, error: BaseException) -> None:
        self.system.close(SystemFailed(reason_of(error)))

    # --- the dispatcher ---

    async def _dispatch(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Goes on when the program is cancelled: the system has to end first."""
        try:
            with self._dispatching:
                await self._loop.run(self._turn, task_status=task_status)
        finally:
            self._ended.set()

    def _turn(self) -> float:
        """Runs what is ready, for a millisecond at most."""
        system = self.system
        try:
            if not system.ended:
                system.fire_timers()
                if system.run_ready():
                    return AT_ONCE
            if not system.ended:
                return self._next_turn(system.next_timer())
        except Exception as error:
            logger.exception("the dispatcher failed")
            self._end_by(error)
        self._ended.set()
        return inf

    def _next_turn(self, due: float | None) -> float:
        """When a timer is due by trio's clock: the same each time, so that no alarm is set anew."""
        if due != self._due:
            self._due = due
            self._due_at = inf if due is None else trio.current_time() + due - self.system.clock()
        return self._due_at
