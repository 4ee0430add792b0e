"""An engine for front ends to talk to: what is submitted waits until the test settles it."""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

import msgspec

from actors.domain.judges import JudgeRecord
from actors.domain.model import Model, Price
from actors.errors import Cancelled, Internal, PlanError
from actors.protocol import ModelState
from runtime.frontends.wire import DryRun, PlanRequest, error_body
from runtime.kernel import Future
from runtime.keys import ApiKey
from runtime.runs import OnEvent, RunView
from runtime.watching import EventLog, Feed

ANSWER = msgspec.json.encode({"negotiated_model": "m", "response": {}, "status": "complete"})


class FakeFuture(Future[bytes]):
    def __init__(self, run_id: str) -> None:
        super().__init__()
        self.run_id = run_id
        self.replay = False


class FakeHub:
    """`answer` settles every run at once; None leaves it running; an exception is raised."""

    def __init__(self, answer: bytes | Exception | None = ANSWER) -> None:
        self.answer = answer
        self.draining = False
        self.requests: list[PlanRequest] = []
        self.begun: SimpleQueue[str] = SimpleQueue()
        self.cancelled: list[str] = []
        self.given_up: SimpleQueue[str] = SimpleQueue()
        self.futures: dict[str, FakeFuture] = {}
        self.views: dict[str, RunView] = {}
        self.logs: dict[str, EventLog] = {}
        self.names: dict[str | None, str] = {}
        self.wanted: list[str] = []
        self.is_ready = (True, "ready")

    def submit(
        self,
        request: PlanRequest,
        *,
        key: ApiKey | None = None,
        on_event: OnEvent | None = None,
        watched: bool = False,
        idempotency_key: str | None = None,
        wanted: bool = False,
    ) -> FakeFuture:
        """A name that was used before is answered by its run, whatever is asked."""
        if (known := self.names.get(idempotency_key)) is not None:
            self.futures[known].replay = True
            return self.futures[known]
        self.requests.append(request)
        future = FakeFuture(f"run{len(self.requests)}")
        if wanted:
            self.wanted.append(future.run_id)
        if idempotency_key is not None:
            self.names[idempotency_key] = future.run_id
        self.futures[future.run_id] = future
        self.logs[future.run_id] = EventLog(future.run_id)
        owner = None if key is None else key.id
        self.views[future.run_id] = RunView(future.run_id, owner, "running")
        self._settle(future)
        self.begun.put(future.run_id)
        return future

    def dry_run(self, request: PlanRequest, *, key: ApiKey | None = None) -> DryRun:
        raise Internal("nothing is foretold here")

    def feed(
        self, run_id: str, after: int = 0, news: Callable[[], None] | None = None
    ) -> Feed | None:
        log = self.logs.get(run_id)
        return None if log is None else Feed(log, after, news)

    def _settle(self, future: FakeFuture) -> None:
        match self.answer:
            case PlanError() as error:
                body = error_body(error)
                self.logs[future.run_id].end(body=body, http_status=error.http_status)
                future.fail(error)
            case Exception() as error:
                raise error
            case bytes(body):
                self.finish(future.run_id, body)
            case None:
                pass

    def finish(self, run_id: str, body: bytes = ANSWER) -> None:
        owner = self.views[run_id].key
        self.views[run_id] = RunView(run_id, owner, "complete", result=body)
        self.logs[run_id].end(body=body, http_status=200)
        self.futures[run_id].set(body)

    def cancel(self, run_id: str) -> bool:
        future = self.futures.get(run_id)
        if future is None or future.done():
            return False
        self.cancelled.append(run_id)
        self.given_up.put(run_id)
        error = Cancelled("cancelled", run=run_id)
        self.logs[run_id].end(body=error_body(error), http_status=error.http_status)
        future.fail(error)
        return True

    def leave(self, run_id: str) -> None:
        self.cancel(run_id)

    def get(self, run_id: str) -> RunView | None:
        return self.views.get(run_id)

    def models(self) -> tuple[ModelState, ...]:
        model = Model("m", "v", "up", price=Price(10**9, 2 * 10**9, 10**9, 10**9))
        return (ModelState(model, True, "", 12.5, 0.0),)

    def judges(self) -> tuple[JudgeRecord, ...]:
        return (JudgeRecord("m", verdicts=8, ties=2, second_looks=4, flips=1),)

    def ready(self) -> tuple[bool, str]:
        return self.is_ready

    def drain(self) -> None:
        self.draining = True


def body(**parts: Any) -> dict[str, Any]:
    return {"request": {"messages": [{"role": "user", "content": "hi"}]}, **parts}
