"""What a front end needs of an engine: :class:`runtime.engine.Engine`, or a fake of it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Protocol

from actors.domain.judges import JudgeRecord
from actors.protocol import ModelState
from runtime.frontends.wire import DryRun, PlanRequest
from runtime.keys import ApiKey
from runtime.runs import OnEvent, RunView
from runtime.watching import Feed


class RunFuture(Protocol):
    """The JSON body of a run's answer to be, or the PlanError instead of it."""

    run_id: str
    replay: bool

    def done(self) -> bool: ...

    def get(self, timeout: float | None = None) -> bytes: ...

    def __await__(self) -> Generator[Any, None, bytes]: ...

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        """Calls `callback` once it is settled, on the engine's thread; or now."""


class Hub(Protocol):
    """An engine that takes requests.  Every method may be called from any thread."""

    draining: bool

    def submit(
        self,
        request: PlanRequest,
        *,
        key: ApiKey | None = None,
        on_event: OnEvent | None = None,
        watched: bool = False,
        idempotency_key: str | None = None,
        wanted: bool = False,
    ) -> RunFuture:
        """Begins a run, or joins the one of that name; raises a PlanError when it may not begin.

        Blocks on the disk for a name.  A run that is `watched` keeps its events for `feed`; one
        that is `wanted` is carried on after a restart.
        """

    def feed(
        self, run_id: str, after: int = 0, news: Callable[[], None] | None = None
    ) -> Feed | None:
        """The events of a run after number `after`, or None; `news` is called on the engine's
        thread.  Blocks on the disk for a run that ended long ago.
        """

    def submit_at_once(
        self,
        request: PlanRequest,
        *,
        key: ApiKey | None = None,
        on_event: OnEvent | None = None,
        idempotency_key: str,
    ) -> RunFuture | None:
        """`submit` under a name that never blocks: None, and nothing begun, when it would."""

    def dry_run(self, request: PlanRequest, *, key: ApiKey | None = None) -> DryRun:
        """What a request would come to; begins nothing.  Blocks for a moment; raises PlanError."""

    def cancel(self, run_id: str) -> bool:
        """Has a run cancelled; False when it is not under way."""

    def leave(self, run_id: str) -> None:
        """Has a run end with the engine: cancelled, unless somebody wants it after a restart."""

    def get(self, run_id: str) -> RunView | None:
        """How a run stands, or ended; blocks on the disk for one that ended long ago."""

    def models(self) -> tuple[ModelState, ...]:
        """The models, and how they are; blocks for a moment."""

    def judges(self) -> tuple[JudgeRecord, ...]:
        """How models did as judges; blocks on the disk."""

    def ready(self) -> tuple[bool, str]:
        """Whether requests can be answered, and why not; blocks for a moment."""

    def drain(self) -> None:
        """Takes no new runs; those under way go on."""
