"""Carries out what the client of one connection wants."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, TypeVar

import msgspec

from actors.errors import Cancelled, Forbidden, Internal, PlanError
from runtime.frontends.admission import Admission
from runtime.frontends.hub import Hub, RunFuture
from runtime.frontends.socket.conversation import Conversation
from runtime.frontends.socket.messages import Cancel, Hello, Plan
from runtime.frontends.wire import DryRun, decode_map
from runtime.runs import OnEvent

logger = logging.getLogger("planhub.socket")

T = TypeVar("T")


class Yard(Protocol):
    """What a session needs of its server."""

    hub: Hub
    admission: Admission

    def here(self, action: Callable[[], None]) -> None:
        """Has `action` done on the engine's thread: now, or soon."""

    def in_thread(self, work: Callable[[], T], then: Callable[[T | Exception], None]) -> None:
        """Has `work`, which may block, done elsewhere, and `then` told on the engine's thread."""


class _Asked:
    """A plan in flight; `run` is known once it has begun."""

    __slots__ = ("given_up", "named", "run")

    def __init__(self, named: bool) -> None:
        self.named = named
        self.run: str | None = None
        self.given_up = False


class Session:
    """Used on the engine's thread; `stir` is called when there may be something to send."""

    def __init__(self, yard: Yard, conversation: Conversation, stir: Callable[[], None]) -> None:
        self._yard = yard
        self._conversation = conversation
        self._stir = stir
        self._presented: str | None = None
        self._asked: dict[str | int, _Asked] = {}

    def __repr__(self) -> str:
        return f"<Session of {self._conversation!r}>"

    def __len__(self) -> int:
        """How many plans it owes an answer for."""
        return len(self._asked)

    def work(self, most: int) -> bool:
        """Does at most so much of what the client wants; True when there may be more."""
        for _ in range(most):
            match self._conversation.next():
                case None:
                    return False
                case Hello() as hello:
                    self._greet(hello)
                case Plan() as plan:
                    self._plan(plan)
                case Cancel(id=id):
                    self._cancel(self._asked[id])
        return True

    def leave(self) -> None:
        """Has its runs end as the engine's end does."""
        for asked in list(self._asked.values()):
            if asked.run is not None:
                self._yard.hub.leave(asked.run)

    def close(self) -> None:
        """The client is gone: its runs are cancelled, except those it may ask for by name."""
        gone, self._asked = self._asked, {}
        for asked in gone.values():
            if not asked.named:
                self._cancel(asked)

    # --- orders ---

    def _greet(self, hello: Hello) -> None:
        try:
            self._yard.admission.key(hello.api_key, "plan")
        except Forbidden:
            pass  # the key is known: each plan is told that it may not
        except PlanError as error:
            self._conversation.end(error)
            return
        self._presented = hello.api_key
        self._conversation.welcome()

    def _plan(self, plan: Plan) -> None:
        asked = self._asked[plan.id] = _Asked(plan.idempotency_key is not None)
        try:
            self._submit(plan, asked)
        except Exception as error:  # noqa: BLE001 - told to the client, whatever it is
            self._failed(plan.id, error)

    def _submit(self, plan: Plan, asked: _Asked) -> None:
        """Checks in the order of every front end: key, rate, draining, the body."""
        yard, name = self._yard, plan.idempotency_key
        key = yard.admission.key(self._presented, "plan")
        yard.admission.begin(key)
        request = decode_map(plan.body)
        if request.dry_run:
            foretell = partial(yard.hub.dry_run, request, key=key)
            yard.in_thread(foretell, partial(self._foretold, plan.id, asked))
            return
        wants_events = plan.events or request.stream
        watcher = self._watcher(plan.id, asked) if wants_events else None
        if name is None:
            self._begun(plan.id, asked, yard.hub.submit(request, key=key, on_event=watcher))
            return
        future = yard.hub.submit_at_once(request, key=key, on_event=watcher, idempotency_key=name)
        if future is not None:
            self._begun(plan.id, asked, future)
            return
        work = partial(yard.hub.submit, request, key=key, on_event=watcher, idempotency_key=name)
        yard.in_thread(work, partial(self._begun_in_thread, plan.id, asked))

    def _foretold(self, id: str | int, asked: _Asked, came: DryRun | Exception) -> None:
        """A dry run that was given up meanwhile is told as cancelled."""
        if self._asked.get(id) is not asked:
            return
        if isinstance(came, Exception) or asked.given_up:
            self._failed(id, came if isinstance(came, Exception) else Cancelled("cancelled"))
        else:
            self._answered(id, msgspec.json.encode(came))

    def _begun_in_thread(self, id: str | int, asked: _Asked, came: RunFuture | Exception) -> None:
        if isinstance(came, Exception):
            if self._asked.get(id) is asked:
                self._failed(id, came)
        else:
            self._begun(id, asked, came)

    def _begun(self, id: str | int, asked: _Asked, future: RunFuture) -> None:
        asked.run = future.run_id
        if asked.given_up:
            self._cancel(asked)
        future.add_done_callback(partial(self._ended, id, asked))

    def _cancel(self, asked: _Asked) -> None:
        asked.given_up = True
        if asked.run is not None:
            self._yard.hub.cancel(asked.run)

    # --- answers ---

    def _watcher(self, id: str | int, asked: _Asked) -> OnEvent:
        def show(event: dict[str, Any]) -> None:
            if self._asked.get(id) is asked:
                self._conversation.show(id, event)
                self._stir()

        return lambda event: self._yard.here(partial(show, event))

    def _ended(self, id: str | int, asked: _Asked, future: RunFuture) -> None:
        if self._asked.get(id) is not asked:
            return
        try:
            body = future.get(timeout=0)
        except Exception as error:  # noqa: BLE001 - told to the client, whatever it is
            self._failed(id, error)
            return
        self._answered(id, body)

    def _answered(self, id: str | int, body: bytes) -> None:
        del self._asked[id]
        self._conversation.answer(id, body)
        self._stir()

    def _failed(self, id: str | int, error: Exception) -> None:
        if not isinstance(error, PlanError):
            trace = secrets.token_hex(8)
            logger.error("internal error %s", trace, exc_info=error)
            error = Internal("internal error", run=trace)
        self._asked.pop(id, None)
        self._conversation.fail(id, error)
        self._stir()
