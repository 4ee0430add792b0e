"""Serves the application on uvicorn: from binding the address to the last answer of a drain.

On the first SIGTERM or SIGINT nothing new is begun (503, with Retry-After) and what runs may
finish, for a grace; then, or on a second signal, it is cancelled and its clients are told.  What
somebody wants after a restart too is left to the next server.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from types import FrameType
from typing import Protocol

import uvicorn
from starlette.applications import Starlette

from runtime.frontends.admission import CannotServe, refuse_open_door
from runtime.frontends.http.app import create_app
from runtime.frontends.http.connection import Connection
from runtime.frontends.http.waiting import Waiting
from runtime.frontends.hub import Hub
from runtime.keys import KeyRing

logger = logging.getLogger("planhub.http")

GRACE_S = 30.0
CANCEL_WITHIN_S = 5.0


class Beside(Protocol):
    """Another front end of the same engine, whose end is that of this one; from any thread."""

    def drained(self) -> Awaitable[None]:
        """Done once it owes no answer."""

    def leave(self) -> None:
        """Has what it still waits for end as the engine's end does."""


def serve(
    hub: Hub,
    host: str,
    port: int,
    *,
    keys: KeyRing | None = None,
    max_request_bytes: int = 8_388_608,
    grace_s: float = GRACE_S,
    beside: Beside | None = None,
    on_listening: Callable[[str], None] | None = None,
    on_reload: Callable[[], None] | None = None,
) -> int | None:
    """Serves until a signal says to stop, which is returned; blocks.

    `on_listening` is called with the address once signals are heeded, `on_reload` on each SIGHUP.
    Raises :class:`CannotServe`.
    """
    refuse_open_door(host, keys)
    listener = _bind(host, port)
    app = create_app(hub, keys, max_request_bytes)
    server = DrainingServer(app, hub, grace_s, on_reload, beside)
    if on_listening is not None:
        name = f"[{host}]" if ":" in host else host
        server.on_started = partial(on_listening, f"http://{name}:{listener.getsockname()[1]}")
    server.run(sockets=[listener])
    return server.stopped_by


def uvicorn_config(app: Starlette) -> uvicorn.Config:
    """No access log, no headers of a proxy believed, no websockets; logging is the host's."""
    return uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=int(CANCEL_WITHIN_S),
    )


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise CannotServe(
            f"cannot listen on {host}:{port}: {why.lower()}; choose another with --http HOST:PORT"
        ) from error


class DrainingServer(uvicorn.Server):
    """Goes on answering while it drains, and leaves the process's exit to its caller."""

    def __init__(
        self,
        app: Starlette,
        hub: Hub,
        grace_s: float = GRACE_S,
        on_reload: Callable[[], None] | None = None,
        beside: Beside | None = None,
    ) -> None:
        super().__init__(uvicorn_config(app))
        self._waiting: Waiting = app.state.waiting
        self.stopped_by: int | None = None
        self.on_started: Callable[[], None] = lambda: None
        self._hub = hub
        self._beside = beside
        self._grace_s = grace_s
        self._on_reload = on_reload
        self._loop: asyncio.AbstractEventLoop | None = None
        self._hurry: asyncio.Event | None = None
        self._drain: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._hurry = asyncio.Event()
        if self._on_reload is not None:
            self._loop.add_signal_handler(signal.SIGHUP, self._on_reload)
        await super().startup(sockets)
        self.on_started()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - a signal's
        """A signal came.  It is not raised again afterwards, as uvicorn would."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self.begin_to_stop, sig)

    def begin_to_stop(self, sig: int | None = None) -> None:
        """On the loop: drains; the second time, without patience."""
        if self._drain is None:
            self.stopped_by = sig
            self._hub.drain()
            self._drain = asyncio.ensure_future(self._drained())
        elif self._hurry is not None:
            self._hurry.set()

    async def _drained(self) -> None:
        waiting = self._waiting
        assert self._hurry is not None
        logger.info("shutting down: %d runs to finish", len(waiting.runs))
        hurry = asyncio.ensure_future(self._hurry.wait())
        idle = asyncio.ensure_future(self._idle())
        await asyncio.wait((hurry, idle), timeout=self._grace_s, return_when="FIRST_COMPLETED")
        for run_id in list(waiting.runs):
            self._hub.leave(run_id)
        if self._beside is not None:
            self._beside.leave()
        await asyncio.wait((idle,), timeout=CANCEL_WITHIN_S)
        hurry.cancel()
        idle.cancel()
        self.should_exit = True

    async def _idle(self) -> None:
        await self._waiting.idle()
        if self._beside is not None:
            await self._beside.drained()
