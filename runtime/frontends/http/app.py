"""The HTTP front end: an ASGI application over an engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cache, partial

import msgspec
from anyio import to_thread
from msgspec import Raw, Struct
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from actors.errors import BadRequest, PlanError
from runtime.frontends.admission import Admission, Ring
from runtime.frontends.http.access import UnknownRun, admitted, visible_run
from runtime.frontends.http.reading import (
    name_of,
    read_body,
    wants_no_answer,
)
from runtime.frontends.http.replies import (
    answering,
    reply,
    reply_error,
    reply_http_error,
    reply_json,
)
from runtime.frontends.http.streaming import EventStream, last_event_id, wants_events
from runtime.frontends.http.waiting import Waiting
from runtime.frontends.hub import Hub, RunFuture
from runtime.frontends.listing import model_entry
from runtime.frontends.openapi import openapi_document
from runtime.frontends.wire import PlanRequest, decode
from runtime.keys import ApiKey
from runtime.runs import RunView
from runtime.waking import AsyncioBell

MAX_REQUEST_BYTES = 8_388_608


def create_app(
    hub: Hub, keys: Ring | None = None, max_request_bytes: int = MAX_REQUEST_BYTES
) -> Starlette:
    """The application that answers for `hub`; `keys` None asks for none, and then only programs
    of this machine are answered.
    """
    pages = _Pages(hub, Admission(hub, keys), max_request_bytes)
    app = Starlette(
        routes=[
            Route("/v1/plan", answering(pages.plan), methods=["POST"]),
            Route("/v1/plan/{id}", answering(pages.show_run), methods=["GET"]),
            Route("/v1/plan/{id}", answering(pages.cancel_run), methods=["DELETE"]),
            Route("/v1/plan/{id}/events", answering(pages.watch_run), methods=["GET"]),
            Route("/v1/models", answering(pages.models), methods=["GET"]),
            Route("/healthz", answering(pages.health), methods=["GET"]),
            Route("/readyz", answering(pages.readiness), methods=["GET"]),
            Route("/openapi.json", answering(pages.openapi), methods=["GET"]),
        ],
        exception_handlers={HTTPException: reply_http_error},
    )
    app.router.redirect_slashes = False
    app.state.waiting = pages.waiting
    return app


class _RunPage(Struct, omit_defaults=True):
    """`result` or `error` once it has ended."""

    id: str
    status: str
    result: Raw | None = None
    error: Raw | None = None


class _Pages:
    """One method per path."""

    def __init__(self, hub: Hub, admission: Admission, max_request_bytes: int) -> None:
        self._hub = hub
        self._admission = admission
        self._max_bytes = max_request_bytes
        self.waiting = Waiting()

    async def plan(self, request: Request) -> Response:
        """Checks in the order that clients rely on: key, size, content type, JSON, the rest."""
        key = admitted(self._admission, request.headers, "plan")
        self._admission.begin(key)
        body = await read_body(request, self._max_bytes)
        order = decode(body, request.headers.get("content-type"))
        watched = bool(order.stream) or wants_events(request)
        future = await self._submit(request, order, key, watched)
        told = {"idempotency_replay": "true"} if future.replay else {}
        if wants_no_answer(request) and not future.done():
            told["location"] = f"/v1/plan/{future.run_id}"
            told["preference_applied"] = "respond-async"
            self.waiting.until_settled(future)
            return reply_json(_RunPage(future.run_id, "running"), 202, **told)
        if watched:
            return await self._watched(request, future, **told)
        try:
            return reply(await self._answer(request, future), 200, **told)
        except PlanError as error:
            return reply_error(error, **told)

    async def _submit(
        self, request: Request, order: PlanRequest, key: ApiKey | None, watched: bool
    ) -> RunFuture:
        submit = partial(self._hub.submit, order, key=key, watched=watched)
        if (name := name_of(request)) is None:
            return submit(wanted=wants_no_answer(request))
        return await to_thread.run_sync(partial(submit, idempotency_key=name))

    async def _answer(self, request: Request, future: RunFuture) -> bytes:
        """The run's answer; a client that leaves first has its run cancelled, and so ended, unless
        it may ask again by name.
        """
        if name_of(request) is not None:
            self.waiting.until_settled(future)
            return await future
        run_id = future.run_id

        def left(watching: asyncio.Task[None]) -> None:
            if not watching.cancelled():
                self._hub.cancel(run_id)

        watching = asyncio.ensure_future(_disconnected(request))
        watching.add_done_callback(left)
        self.waiting.begun(run_id)
        try:
            return await future
        except asyncio.CancelledError:
            self._hub.cancel(run_id)
            raise
        finally:
            self.waiting.ended(run_id)
            watching.cancel()

    async def _watched(self, request: Request, future: RunFuture, **told: str) -> Response:
        """The run's events; a client that leaves has it cancelled as by :meth:`_answer`."""
        named = name_of(request) is not None
        run_id = future.run_id
        cancel: Callable[[], object] = partial(self._hub.cancel, run_id)
        if named:
            cancel = _nothing
        try:
            return await self._events(run_id, 0, cancel, **told)
        except BaseException:
            cancel()
            raise

    async def _events(
        self, run_id: str, after: int, on_left: Callable[[], object], **told: str
    ) -> Response:
        bell = AsyncioBell()
        feed = await to_thread.run_sync(self._hub.feed, run_id, after, bell.ring)
        if feed is None:
            raise UnknownRun("unknown run")
        if feed.ended:
            return Response(status_code=204)
        self.waiting.begun(run_id)
        ended = partial(self.waiting.ended, run_id)
        headers = {name.replace("_", "-"): value for name, value in told.items()}
        return EventStream(feed, bell, on_left=on_left, on_end=ended, headers=headers)

    async def watch_run(self, request: Request) -> Response:
        """The events of a run, of the client's own or another's; nothing comes after the last."""
        after = last_event_id(request)
        view = await self._visible(request)
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")
        return await self._events(view.id, after, _nothing)

    async def show_run(self, request: Request) -> Response:
        view = await self._visible(request)
        page = _RunPage(view.id, view.status, _raw(view.result), _raw(view.error))
        return reply_json(page)

    async def cancel_run(self, request: Request) -> Response:
        """Begins to cancel; a run that has ended stays as it is."""
        view = await self._visible(request)
        cancelling = self._hub.cancel(view.id)
        return reply_json(_RunPage(view.id, view.status), 202 if cancelling else 200)

    async def _visible(self, request: Request) -> RunView:
        key = self._key_of_reader(request)
        run_id: str = request.path_params["id"]
        return await to_thread.run_sync(visible_run, self._hub, run_id, key)

    def _key_of_reader(self, request: Request) -> ApiKey | None:
        """Runs are read with the scope `plan`, or with `admin` alone."""
        try:
            return admitted(self._admission, request.headers, "plan")
        except BadRequest as error:
            if error.http_status != 403:
                raise
            return admitted(self._admission, request.headers, "admin")

    async def models(self, request: Request) -> Response:
        admitted(self._admission, request.headers, "plan")
        states = await to_thread.run_sync(self._hub.models)
        return reply_json({"models": [model_entry(state) for state in states]})

    async def health(self, _: Request) -> Response:
        return reply_json({"status": "ok"})

    async def readiness(self, _: Request) -> Response:
        ready, why = await to_thread.run_sync(self._hub.ready)
        status = "ready" if ready else "not ready"
        return reply_json({"status": status, "reason": why}, 200 if ready else 503)

    async def openapi(self, _: Request) -> Response:
        return reply(_openapi_body())


@cache
def _openapi_body() -> bytes:
    return msgspec.json.encode(openapi_document())


def _nothing() -> None:
    """Who only watches changes nothing by leaving."""


def _raw(body: bytes | None) -> Raw | None:
    return None if body is None else Raw(body)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
