"""The HTTP front end: an ASGI application over an engine."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
from anyio import to_thread
from msgspec import Raw
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from actors.errors import BadRequest
from runtime.frontends.admission import Admission, Ring
from runtime.frontends.http.access import admitted, visible_run
from runtime.frontends.http.planning import PlanPage, RunPage, nothing, watching
from runtime.frontends.http.replies import answering, reply, reply_http_error, reply_json
from runtime.frontends.http.streaming import last_event_id
from runtime.frontends.http.waiting import Waiting
from runtime.frontends.hub import Hub
from runtime.frontends.listing import judge_entry, model_entry
from runtime.frontends.openapi import openapi_document
from runtime.keys import ApiKey
from runtime.runs import RunView

MAX_REQUEST_BYTES = 8_388_608
PLAN = "/v1/plan"


def create_app(
    hub: Hub, keys: Ring | None = None, max_request_bytes: int = MAX_REQUEST_BYTES
) -> Starlette:
    """The application that answers for `hub`; `keys` None asks for none, and then only programs
    of this machine are answered.
    """
    admission, waiting = Admission(hub, keys), Waiting()
    plan = PlanPage(hub, admission, max_request_bytes, waiting)
    pages = _Pages(hub, admission, waiting)
    app = _Application(
        plan,
        routes=[
            Route(PLAN, plan, methods=["POST"]),
            Route("/v1/plan/{id}", answering(pages.show_run), methods=["GET"]),
            Route("/v1/plan/{id}", answering(pages.cancel_run), methods=["DELETE"]),
            Route("/v1/plan/{id}/events", answering(pages.watch_run), methods=["GET"]),
            Route("/v1/models", answering(pages.models), methods=["GET"]),
            Route("/admin/v1/judges", answering(pages.judges), methods=["GET"]),
            Route("/healthz", answering(pages.health), methods=["GET"]),
            Route("/readyz", answering(pages.readiness), methods=["GET"]),
            Route("/openapi.json", answering(pages.openapi), methods=["GET"]),
        ],
        exception_handlers={HTTPException: reply_http_error},
    )
    app.router.redirect_slashes = False
    app.state.waiting = waiting
    return app


class _Application(Starlette):
    """Starlette, but for the one path that need not pay for it."""

    def __init__(self, plan: PlanPage, **options: Any) -> None:
        super().__init__(**options)
        self._plan = plan

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == PLAN and scope["method"] == "POST":
            await self._plan(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


class _Pages:
    """One method per path that is not :class:`PlanPage`'s."""

    def __init__(self, hub: Hub, admission: Admission, waiting: Waiting) -> None:
        self._hub = hub
        self._admission = admission
        self._waiting = waiting

    async def watch_run(self, request: Request) -> Response:
        """The events of a run, of the client's own or another's; nothing comes after the last."""
        after = last_event_id(request)
        view = await self._visible(request)
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")
        return await watching(self._hub, self._waiting, view.id, after, nothing)

    async def show_run(self, request: Request) -> Response:
        view = await self._visible(request)
        page = RunPage(view.id, view.status, _raw(view.result), _raw(view.error))
        return reply_json(page)

    async def cancel_run(self, request: Request) -> Response:
        """Begins to cancel; a run that has ended stays as it is."""
        view = await self._visible(request)
        cancelling = self._hub.cancel(view.id)
        return reply_json(RunPage(view.id, view.status), 202 if cancelling else 200)

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

    async def judges(self, request: Request) -> Response:
        admitted(self._admission, request.headers, "admin")
        records = await to_thread.run_sync(self._hub.judges)
        return reply_json({"judges": [judge_entry(record) for record in records]})

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


def _raw(body: bytes | None) -> Raw | None:
    return None if body is None else Raw(body)
