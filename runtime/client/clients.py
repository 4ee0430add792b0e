"""The two clients, alike but for how they wait."""

from __future__ import annotations

import asyncio
import logging
import secrets
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, TypeAlias

import trio
from anyio import CancelScope, to_thread

from actors.errors import Cancelled
from runtime.client.link import Link
from runtime.client.plans import RemotePlan, body_of, plan_frame
from runtime.client.talk import Talk
from runtime.config import socket_address
from runtime.frontends.socket.frames import MAX_FRAME_BYTES
from runtime.frontends.wire import DryRun, PlanRequest, PlanResult, as_dry_run, refuse_dry_run
from runtime.kernel import Future
from runtime.runs import OnEvent
from runtime.secret import Secret

logger = logging.getLogger("planhub.client")

RETRY_S = 15.0
LONGEST_ID = 4_096

Request: TypeAlias = PlanRequest | dict[str, Any] | str | list[dict[str, Any]]
"""A whole request, or a prompt that keywords say more about."""


class _Caller:
    """What both clients do."""

    def __init__(
        self,
        address: str,
        api_key: str | None = None,
        *,
        ssl_context: ssl.SSLContext | None = None,
        retry_s: float = RETRY_S,
        max_frame_bytes: int = MAX_FRAME_BYTES,
    ) -> None:
        """`address` is `HOST:PORT` or `unix:PATH`, with TLS where there is an `ssl_context`.

        Nothing is connected to before something is asked.  For `retry_s` seconds at a time a
        server that cannot be reached is tried again.  Raises ValueError for no address.
        """
        self.address = address
        talk = Talk(None if api_key is None else Secret(api_key))
        self._link = Link(socket_address(address), talk, retry_s, ssl_context)
        self._most = max_frame_bytes
        self._lock = threading.Lock()
        self._live: dict[str | int, RemotePlan] = {}
        self._last = 0

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.address}: {len(self._live)} plans>"

    def submit(
        self,
        request: Request,
        *,
        idempotency_key: str | None = None,
        on_event: OnEvent | None = None,
        **fields: Any,
    ) -> RemotePlan:
        """Begins a run and returns its future, whose `id` is what `cancel` takes.

        `request` is a PlanRequest, its body as a dict, or a prompt (a string or a list of
        messages) with the fields of `request`, `orchestration` and `policy` as keywords.
        `on_event` is called with each event as a map.  When the connection is lost the plan is
        sent again under the same key, a random one by default, so that nothing is bought twice.

        Raises BadRequest for what cannot be sent; what the server says the future tells.
        """
        refuse_dry_run(request)
        return self._begin(
            body_of(request, fields),
            _id_in(request, fields),
            key=secrets.token_hex(16) if idempotency_key is None else idempotency_key,
            named=idempotency_key is not None,
            on_event=on_event,
        )

    def _begin_dry(self, request: Request, fields: dict[str, Any]) -> RemotePlan:
        body = body_of(*as_dry_run(request, fields))
        key = secrets.token_hex(16)
        return self._begin(body, None, key=key, named=False, on_event=None, reads=DryRun)

    def _begin(self, body: bytes, id: object, **settings: Any) -> RemotePlan:
        plan = self._registered(id, **settings)
        try:
            plan.frame = plan_frame(plan, body, self._most)
            self._link.do(lambda: self._link.talk.ask(plan))
        except BaseException:
            self._forget(plan)
            raise
        plan.add_done_callback(lambda _: self._forget(plan))
        return plan

    def _registered(self, wished: object, **settings: Any) -> RemotePlan:
        with self._lock:
            plan = RemotePlan(self._free_id(wished), self._link.home, self._give_up, **settings)
            self._live[plan.id] = plan
            return plan

    def _free_id(self, wished: object) -> str | int:
        """The request's own where it has one that is free."""
        if isinstance(wished, str) and len(wished) <= LONGEST_ID and wished not in self._live:
            return wished
        self._last += 1
        return self._last

    def _forget(self, plan: RemotePlan) -> None:
        with self._lock:
            if self._live.get(plan.id) is plan:
                del self._live[plan.id]

    def _give_up(self, plan: RemotePlan) -> None:
        with suppress(Cancelled):  # the client is closed, and the plan has ended
            self._link.do(lambda: self._link.talk.cancel(plan))

    def _cancel(self, id: str | int) -> bool:
        plan = self._live.get(id)
        return plan is not None and plan.cancel()

    def _ping(self) -> Future[float]:
        waiting: Future[float] = Future(self._link.home)
        self._link.do(lambda: self._link.talk.ping(waiting))
        return waiting


class Client(_Caller):
    """For plain code; any number of threads share it.  Close it, or use it as a context manager.

    with Client("127.0.0.1:8081", api_key="planhub_…") as client:
        print(client.plan("Design a REST API", mode="vote").text)
    """

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self.close()

    def plan(
        self,
        request: Request,
        *,
        idempotency_key: str | None = None,
        on_event: OnEvent | None = None,
        **fields: Any,
    ) -> PlanResult:
        """Runs a request, as `submit` takes it, and waits for its answer.

        `on_event` is called on the client's own thread.  Raises PlanError; Ctrl-C cancels the run,
        unless it has an `idempotency_key`.
        """
        plan = self.submit(request, idempotency_key=idempotency_key, on_event=on_event, **fields)
        try:
            return plan.result()
        except BaseException:
            plan.leave()
            raise

    def dry_run(self, request: Request, **fields: Any) -> DryRun:
        """What a request, as `submit` takes it, would come to; nothing is sent on or reserved."""
        return _foretold(self._begin_dry(request, fields).result())

    def cancel(self, id: str | int) -> bool:
        """Has a plan cancelled, which then ends in `Cancelled`; False when it is not under way.

        `id` is the request's own, where it has one, or that of what `submit` returned.
        """
        return self._cancel(id)

    def ping(self) -> float:
        """How long the server takes to answer, in seconds; raises PlanError."""
        return self._ping().get()

    def close(self) -> None:
        """Cancels what still runs, unless it was named, and disconnects."""
        self._link.close()


class AsyncClient(_Caller):
    """The same for trio and asyncio.  Close it, or use it as an async context manager.

    async with AsyncClient("127.0.0.1:8081") as client:
        print((await client.plan("Design a REST API", mode="vote")).text)
    """

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        await self.close()

    async def plan(
        self,
        request: Request,
        *,
        idempotency_key: str | None = None,
        on_event: OnEvent | None = None,
        **fields: Any,
    ) -> PlanResult:
        """The same; `on_event` is called on the caller's loop, before the answer is returned.

        Cancelling the caller cancels the run, unless it has an `idempotency_key`.
        """
        watch = None if on_event is None else _on_this_loop(on_event)
        plan = self.submit(request, idempotency_key=idempotency_key, on_event=watch, **fields)
        try:
            return await plan
        except BaseException:
            plan.leave()
            raise

    async def dry_run(self, request: Request, **fields: Any) -> DryRun:
        """As `Client.dry_run`."""
        return _foretold(await self._begin_dry(request, fields))

    async def cancel(self, id: str | int) -> bool:
        """As `Client.cancel`."""
        return self._cancel(id)

    async def ping(self) -> float:
        """As `Client.ping`."""
        return await self._ping()

    async def close(self) -> None:
        """As `Client.close`."""
        with CancelScope(shield=True):  # bounded by the link
            await to_thread.run_sync(self._link.close)


def _foretold(answer: Any) -> DryRun:
    assert isinstance(answer, DryRun), "it is read as one"
    return answer


def _id_in(request: Request, fields: dict[str, Any]) -> object:
    match request:
        case PlanRequest(request=part):
            return None if part is None else part.id
        case {"request": {"id": id}}:
            return id
        case _:
            return fields.get("id")


def _on_this_loop(on_event: OnEvent) -> OnEvent:
    """Calls it on the loop that is running, which may have ended by then."""
    if trio.lowlevel.in_trio_run():
        soon: Callable[..., object] = trio.lowlevel.current_trio_token().run_sync_soon
    else:
        soon = asyncio.get_running_loop().call_soon_threadsafe

    def show(event: dict[str, Any]) -> None:
        with suppress(trio.RunFinishedError, RuntimeError):
            soon(_show, on_event, event)

    return show


def _show(on_event: OnEvent, event: dict[str, Any]) -> None:
    """What watches is not to bring the loop down."""
    try:
        on_event(event)
    except Exception:
        logger.exception("what watched a plan failed")
