"""The embedding API: planhub inside a host's own process, from sync code, trio or asyncio."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

import trio
from anyio import to_thread
from msgspec.structs import replace

from actors.domain.judges import JudgeRecord
from actors.errors import PlanError
from actors.protocol import AccountsListed, ModelState
from runtime import config as configuration
from runtime import telemetry
from runtime.config import Config
from runtime.engine import Engine
from runtime.frontends.wire import (
    DryRun,
    PlanRequest,
    PlanResult,
    checked,
    plan_request,
    refuse_dry_run,
)
from runtime.kernel import Future
from runtime.runs import OnEvent, RunFuture, RunView
from runtime.waking import ThreadBell, bell_here
from runtime.watching import Feed

__all__ = ["PlanFuture", "Planhub"]

logger = logging.getLogger("planhub")

Prompt: TypeAlias = PlanRequest | str | list[dict[str, Any]]

LOOK_AGAIN_S = 15.0
"""How long a stream waits for news before it looks by itself."""


class PlanFuture(Future[PlanResult]):
    """The answer to be: `result(timeout)`, `cancel()`, `add_done_callback(fn)`, or await it."""

    def __init__(self, run: RunFuture, *, wanted: bool = False) -> None:
        super().__init__(run.home)
        self.run_id = run.run_id
        self.replay = run.replay
        self._run = run
        self._wanted = wanted
        run.add_done_callback(self._ended)

    def result(self, timeout: float | None = None) -> PlanResult:
        """The answer, waited for.  Raises PlanError, or `pykka.Timeout` after `timeout` seconds."""
        return self.get(timeout)

    def cancel(self) -> bool:
        """Has the run cancelled; it then ends in `Cancelled`.  False when it had ended before."""
        return self._run.cancel()

    def leave(self) -> None:
        """Nobody waits here any more: cancelled, unless it will be asked for by name."""
        if not self._wanted:
            self.cancel()

    def _ended(self, run: Future[bytes]) -> None:
        try:
            self.set(PlanResult.from_json(run.get(timeout=0)))
        except Exception as error:  # noqa: BLE001 - it is what this future is settled with
            self.fail(error)


class Planhub:
    """One running planhub.  Close it, or use it as a context manager."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def __repr__(self) -> str:
        return f"<Planhub {self.engine!r}>"

    @classmethod
    def open(
        cls, config: str | Path | Config | None = None, *, database: str | Path | None = None
    ) -> Planhub:
        """Starts one on a thread of its own.

        `config` is a file, or a Config; without it `planhub.toml` here, else the vendors whose keys
        are in the environment, else the built-in simulated one.  `database` goes before the
        configuration's; without either everything is kept in memory.  Raises ConfigError, and
        StorageError for a database that cannot be used or is in use.
        """
        engine = _engine(config, database)
        engine.start()
        return cls(engine)

    @classmethod
    @asynccontextmanager
    async def open_async(
        cls, config: str | Path | Config | None = None, *, database: str | Path | None = None
    ) -> AsyncIterator[Planhub]:
        """The same for `async with`: inside trio on that very loop, inside asyncio beside it."""
        engine = _engine(config, database)
        if _in_trio():
            async with engine.running():
                yield cls(engine)
            return
        import asyncio

        await asyncio.to_thread(engine.start)
        try:
            yield cls(engine)
        finally:
            await asyncio.to_thread(engine.stop)

    def close(self) -> None:
        """Cancels what still runs and stops."""
        self.engine.stop()

    def __enter__(self) -> Planhub:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self.close()

    # --- requests ---

    def submit(
        self,
        request: Prompt,
        *,
        on_event: OnEvent | None = None,
        idempotency_key: str | None = None,
        **fields: Any,
    ) -> PlanFuture:
        """Begins a run and returns its future.

        `request` is a PlanRequest, or a prompt (a string or a list of messages) with the fields of
        `request`, `orchestration` and `policy` as keywords.  `on_event` is called with each event
        as a map, on the engine's thread.  The same request under the same `idempotency_key` joins
        its run, or has its answer again.  Raises BadRequest, and Conflict for another request.
        """
        return self._submit(request, fields, idempotency_key, on_event=on_event)

    def _submit(
        self,
        request: Prompt,
        fields: dict[str, Any],
        idempotency_key: str | None,
        *,
        on_event: OnEvent | None = None,
        watched: bool = False,
    ) -> PlanFuture:
        asked = _asked(request, fields)
        refuse_dry_run(asked)
        run = self.engine.submit(
            asked, on_event=on_event, watched=watched, idempotency_key=idempotency_key
        )
        return PlanFuture(run, wanted=idempotency_key is not None)

    def plan(
        self,
        request: Prompt,
        *,
        on_event: OnEvent | None = None,
        idempotency_key: str | None = None,
        **fields: Any,
    ) -> PlanResult:
        """Runs a request and waits for its answer.

        Raises PlanError; Ctrl-C cancels the run, unless it has an `idempotency_key`.
        """
        future = self.submit(request, on_event=on_event, idempotency_key=idempotency_key, **fields)
        try:
            return future.result()
        except BaseException:
            future.leave()
            raise

    async def plan_async(
        self,
        request: Prompt,
        *,
        on_event: OnEvent | None = None,
        idempotency_key: str | None = None,
        **fields: Any,
    ) -> PlanResult:
        """The same for trio and asyncio; cancelling the caller cancels the run likewise."""
        future = self.submit(request, on_event=on_event, idempotency_key=idempotency_key, **fields)
        try:
            return await future
        except BaseException:
            future.leave()
            raise

    def stream(
        self, request: Prompt, *, idempotency_key: str | None = None, **fields: Any
    ) -> Iterator[dict[str, Any]]:
        """Runs a request and yields its events; leaving the loop early cancels the run likewise.

        A run that is joined is seen from its beginning, as far as its events are kept; one that
        has ended long ago in its last event.
        """
        bell = ThreadBell()
        future, feed = self._watched(request, idempotency_key, fields, bell.ring)
        try:
            while not feed.ended:
                for event in feed.take():
                    yield event.as_map()
                if not feed.ended:
                    bell.wait(LOOK_AGAIN_S)
        finally:
            feed.close()
            future.leave()

    async def stream_async(
        self, request: Prompt, *, idempotency_key: str | None = None, **fields: Any
    ) -> AsyncGenerator[dict[str, Any]]:
        """The same for `async for`, in trio and asyncio.

        A loop that is left early leaves the run to whoever closes the generator: use
        `contextlib.aclosing` where that should be at once.
        """
        bell = bell_here()
        future, feed = self._watched(request, idempotency_key, fields, bell.ring)
        try:
            while not feed.ended:
                for event in feed.take():
                    yield event.as_map()
                if not feed.ended:
                    await bell.wait(LOOK_AGAIN_S)
        finally:
            feed.close()
            future.leave()

    def _watched(
        self,
        request: Prompt,
        idempotency_key: str | None,
        fields: dict[str, Any],
        news: Callable[[], None],
    ) -> tuple[PlanFuture, Feed]:
        future = self._submit(request, fields, idempotency_key, watched=True)
        feed = self.engine.feed(future.run_id, news=news)
        if feed is None:
            raise PlanError("its events are not known any more", run=future.run_id)
        return future, feed

    # --- what it knows ---

    def dry_run(self, request: Prompt, **fields: Any) -> DryRun:
        """What a request, as `submit` takes it, would come to if it began now: the calls, the
        models, the cost, the time.  Nothing is sent, nothing reserved.

        Raises BadRequest; what would refuse the run itself is in the answer.
        """
        return self.engine.dry_run(replace(_asked(request, fields), dry_run=True))

    async def dry_run_async(self, request: Prompt, **fields: Any) -> DryRun:
        """The same for trio and asyncio."""
        return await to_thread.run_sync(partial(self.dry_run, request, **fields))

    def get(self, run_id: str) -> RunView | None:
        """How a run stands or ended."""
        return self.engine.get(run_id)

    def models(self) -> tuple[ModelState, ...]:
        """The models, and how they do."""
        return self.engine.models()

    def judges(self) -> tuple[JudgeRecord, ...]:
        """How models did as judges; without a database, lately."""
        return self.engine.judges()

    def ledger(self) -> AccountsListed:
        """The limits: spent, held, and what they are."""
        return self.engine.accounts()


def _asked(request: Prompt, fields: dict[str, Any]) -> PlanRequest:
    if not isinstance(request, PlanRequest):
        return plan_request(request, **fields)
    if fields:
        raise TypeError(f"a PlanRequest is complete: {', '.join(fields)} cannot be added")
    return checked(request)


def _engine(config: str | Path | Config | None, database: str | Path | None) -> Engine:
    telemetry.be_silent()
    if not isinstance(config, Config):
        config = configuration.load(config, os.environ)
    place = database or config.server.database
    if place is None:
        logger.info("no database is configured: books and runs are kept in memory")
    return Engine(config, None if place is None else Path(place))


def _in_trio() -> bool:
    return trio.lowlevel.in_trio_run()
