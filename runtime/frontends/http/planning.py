"""`POST /v1/plan`, spoken as plain ASGI: it is the path whose cost counts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial

from anyio import to_thread
from msgspec import Raw, Struct
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from actors.errors import PlanError
from runtime.frontends.admission import Admission
from runtime.frontends.http.access import UnknownRun, admitted
from runtime.frontends.http.leaving import Leaving
from runtime.frontends.http.reading import headers_of, name_of, read_body, wants_no_answer
from runtime.frontends.http.replies import Answer, reply_error, reply_json, reply_to
from runtime.frontends.http.streaming import EventStream, wants_events
from runtime.frontends.http.waiting import Waiting
from runtime.frontends.hub import Hub, RunFuture
from runtime.frontends.wire import PlanRequest, decode
from runtime.keys import ApiKey
from runtime.waking import AsyncioBell

__all__ = ["PlanPage", "RunPage", "nothing", "watching"]

Headers = Mapping[str, str]


class RunPage(Struct, omit_defaults=True):
    """How a run stands; `result` or `error` once it has ended."""

    id: str
    status: str
    result: Raw | None = None
    error: Raw | None = None


class PlanPage:
    """An ASGI application for one path."""

    def __init__(
        self, hub: Hub, admission: Admission, max_request_bytes: int, waiting: Waiting
    ) -> None:
        self._hub = hub
        self._admission = admission
        self._max_bytes = max_request_bytes
        self._waiting = waiting
        self._leaving = Leaving()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self._response(headers_of(scope), receive)
        except Exception as error:  # noqa: BLE001 - the client is told, whatever it is
            response = reply_to(error, scope)
        await response(scope, receive, send)

    async def _response(self, headers: Headers, receive: Receive) -> ASGIApp:
        """Checks in the order that clients rely on: key, size, content type, JSON, the rest."""
        key = admitted(self._admission, headers, "plan")
        self._admission.begin(key)
        body = await read_body(headers, receive, self._max_bytes)
        order = decode(body, headers.get("content-type"))
        if order.dry_run:
            dry_run = partial(self._hub.dry_run, order, key=key)
            return reply_json(await to_thread.run_sync(dry_run))
        watched = bool(order.stream) or wants_events(headers)
        name, wanted = name_of(headers), wants_no_answer(headers)
        future = await self._submit(order, key, watched, name, wanted)
        told = {"idempotency_replay": "true"} if future.replay else {}
        if wanted and not future.done():
            return self._later(future, told)
        if watched:
            return await self._watched(future, name, told)
        try:
            return Answer(await self._answer(future, name, receive), told)
        except PlanError as error:
            return reply_error(error, **told)

    async def _submit(
        self,
        order: PlanRequest,
        key: ApiKey | None,
        watched: bool,
        name: str | None,
        wanted: bool,
    ) -> RunFuture:
        submit = self._hub.submit
        if name is None:
            return submit(order, key=key, watched=watched, wanted=wanted)
        return await to_thread.run_sync(
            partial(submit, order, key=key, watched=watched, idempotency_key=name)
        )

    def _later(self, future: RunFuture, told: dict[str, str]) -> Response:
        told["location"] = f"/v1/plan/{future.run_id}"
        told["preference_applied"] = "respond-async"
        self._waiting.until_settled(future)
        return reply_json(RunPage(future.run_id, "running"), 202, **told)

    async def _answer(self, future: RunFuture, name: str | None, receive: Receive) -> bytes:
        """The run's answer; a client that leaves first has its run cancelled, and so ended, unless
        it may ask again by name.
        """
        if name is not None:
            self._waiting.until_settled(future)
            return await future
        run_id = future.run_id
        watch = self._leaving.watch(receive, partial(self._hub.cancel, run_id))
        self._waiting.begun(run_id)
        try:
            return await future
        except asyncio.CancelledError:
            self._hub.cancel(run_id)
            raise
        finally:
            self._waiting.ended(run_id)
            watch.end()

    async def _watched(self, future: RunFuture, name: str | None, told: dict[str, str]) -> Response:
        """The run's events; a client that leaves has it cancelled as by :meth:`_answer`."""
        run_id = future.run_id
        cancel = partial(self._hub.cancel, run_id) if name is None else nothing
        try:
            return await watching(self._hub, self._waiting, run_id, 0, cancel, **told)
        except BaseException:
            cancel()
            raise


async def watching(
    hub: Hub,
    waiting: Waiting,
    run_id: str,
    after: int,
    on_left: Callable[[], object],
    **told: str,
) -> Response:
    """The events of a run after number `after`; nothing comes after the last."""
    bell = AsyncioBell()
    feed = await to_thread.run_sync(hub.feed, run_id, after, bell.ring)
    if feed is None:
        raise UnknownRun("unknown run")
    if feed.ended:
        return Response(status_code=204)
    waiting.begun(run_id)
    ended = partial(waiting.ended, run_id)
    headers = {name.replace("_", "-"): value for name, value in told.items()}
    return EventStream(feed, bell, on_left=on_left, on_end=ended, headers=headers)


def nothing() -> None:
    """Who only watches changes nothing by leaving."""
