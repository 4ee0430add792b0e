"""The composition root: the only file that wires everything together.

An :class:`Engine` is one running planhub: a kernel with the tree of actors, a caller per vendor,
the validator, the storage.  Front ends begin runs with `submit` and hear of them by a future and
by events; they never see an actor.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import trio
from msgspec.structs import replace

from actors.addresses import LEDGER, ROUTER, pool_address
from actors.base import Address, Context, Work
from actors.cost_ledger import CostLedger
from actors.domain.judges import JudgeRecord
from actors.errors import PlanError
from actors.judge import Judge
from actors.protocol import (
    AccountsListed,
    CallVendor,
    ModelState,
    Order,
    ReconfigureLedger,
    ReconfigurePool,
    ReconfigureRouter,
    Validate,
)
from actors.provider_pool import ProviderPool
from actors.router import Router
from actors.strategies import VERSIONS
from actors.tree import Parts, tree
from runtime import questions
from runtime.config import Config, connections, to_edge, to_models, vendor_settings
from runtime.config.reloading import check_reloadable
from runtime.foretelling import foretold
from runtime.frontends.wire import DryRun, Edge, PlanRequest, to_order
from runtime.frontends.wire.equality import fingerprint
from runtime.kernel import ActorStopped, Host, System
from runtime.keys import ApiKey
from runtime.launching import PATIENCE_S, Launcher
from runtime.names import Names, check_name
from runtime.reactor import Reactor
from runtime.repeats import Repeats
from runtime.run_ids import RunIds
from runtime.runs import (
    Course,
    OnEvent,
    RunFuture,
    Runs,
    RunView,
    ended_log,
)
from runtime.storage.memory import MemoryStorage
from runtime.storage.remembered import Remembered
from runtime.validation import Validator
from runtime.vendors import VendorCaller, connect
from runtime.watching import Feed
from runtime.watching.gathering import Gathering

__all__ = ["Engine"]

logger = logging.getLogger("planhub.runs")

SETTLE_S = 2.0
"""How long the end of an engine waits for its cancelled runs."""


class Engine:
    """Runs requests; any thread may call it.  Without a `database` everything is in memory."""

    def __init__(self, config: Config, database: Path | None = None) -> None:
        self.config = config
        self.database = database
        self.edge: Edge = to_edge(config)
        self.table = to_models(config)
        self.draining = False
        self._had_ledger = False
        self.runs = Runs()
        self._texts = Gathering(self.runs.log)
        self._ids = RunIds()
        self._names = Names()
        self._remembered = Remembered()
        self._interrupted: list[Course] = []
        self._random = Random()
        self.system = System(
            clock=time.monotonic,
            wall=time.time,
            random=self._random.random,
            emit=self.runs.happened,
            start_work=self._start_work,
            abort_work=self._abort_work,
            is_watched=self.runs.is_watched,
        )
        self._launcher = Launcher(self.system, self.runs, config.server.max_runs)
        self._repeats = Repeats(
            self._names, self.runs, self._launcher, self.get, self._after_failure
        )
        self.reactor = Reactor()
        self.vendors: Mapping[str, VendorCaller] = {
            settings.provider: connect(settings, self.system.tell, self.reactor, self._texts)
            for settings in connections(config)
        }
        self._callers = {pool_address(name): caller for name, caller in self.vendors.items()}
        self._validator = Validator(self.system.tell)
        vendors = (vendor.serve for vendor in self.vendors.values())
        services = [self._validator.serve, self._texts.serve, *vendors]
        loop = self.reactor if Reactor.available() else None
        self.host = Host(self.system, tree(self._parts()), services, loop)

    def __repr__(self) -> str:
        books = self.database or "in memory"
        return f"<Engine {len(self.vendors)} vendors, {len(self.runs)} runs, books {books}>"

    def _parts(self) -> Parts:
        """Each actor is made from the configuration in force when it is: a reload outlives it."""
        pools = [settings.provider for settings in vendor_settings(self.config)]
        in_memory = self.database is None
        return Parts(
            storage=self._memory if in_memory else self._storage,
            ledger=self._make_ledger,
            judge=Judge,
            router=lambda ctx: Router(ctx, self.table),
            pools={provider: partial(self._pool, provider) for provider in pools},
            storage_blocks=not in_memory,
        )

    def _make_ledger(self, ctx: Context) -> CostLedger:
        successor, self._had_ledger = self._had_ledger, True
        return CostLedger(ctx, self.edge.monthly_limit_nano, successor=successor)

    def _pool(self, provider: str, ctx: Context) -> ProviderPool:
        of = {settings.provider: settings for settings in vendor_settings(self.config)}
        return ProviderPool(ctx, of[provider])

    def _memory(self, ctx: Context) -> MemoryStorage:
        return MemoryStorage(ctx, self._remembered)

    def _storage(self, _: Context) -> Any:
        from runtime.storage.sqlite import SqliteStorage

        assert self.database is not None, "books in memory are kept by MemoryStorage"
        journal = self.config.journal
        return SqliteStorage(
            self.database, durability=journal.durability, store_content=journal.store_content
        )

    # --- life ---

    def start(self) -> None:
        """Starts on a background thread; returns when requests can be taken.

        Runs that were interrupted and that somebody wants go on.  Raises StorageError for a
        database that cannot be used, or that another engine uses.
        """
        self._recover()
        self.host.start()
        self._carry_on()

    def stop(self, timeout: float = PATIENCE_S) -> None:
        """Ends every run and the engine; leaves no thread, socket or process behind.

        Runs are cancelled first and have a moment to settle what they had sent; those that somebody
        wants are left to the next engine on the same database.
        """
        until = time.monotonic() + SETTLE_S
        for future in self._cancel_all():
            with suppress(PlanError, TimeoutError):
                future.get(max(0.0, until - time.monotonic()))
        self.host.stop(timeout)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Engine]:
        """Runs inside the trio program that enters this; raises as `start` does."""
        self._recover()
        async with self.host.running():
            self._carry_on()
            try:
                yield self
            finally:
                with trio.move_on_after(SETTLE_S, shield=True):
                    for future in self._cancel_all():
                        with suppress(PlanError):
                            await future

    def _recover(self) -> None:
        """Opens the database here, where whoever starts the engine hears what is wrong."""
        if self.database is not None:
            from runtime.storage import journal
            from runtime.survival import recover

            self._interrupted = recover(self.database)
            self._names.load(journal.named(self.database, self._names.since))

    def _carry_on(self) -> None:
        for course in self._interrupted:
            logger.info("run %s is carried on", course.order.run)
            self._launcher.carry_on(course)
        self._interrupted.clear()

    def _cancel_all(self) -> list[RunFuture]:
        self.drain()
        futures = self.runs.futures()
        for run_id in dict.fromkeys(future.run_id for future in futures):
            self.leave(run_id)
        return futures

    def leave(self, run_id: str) -> None:
        """Ends a run as the engine's end does: one that somebody wants, for this engine alone."""
        if self.database is not None and self.runs.is_wanted(run_id):
            self._launcher.park(run_id)
        else:
            self.cancel(run_id)

    def drain(self) -> None:
        """Takes no new runs; those under way go on."""
        self.draining = self._launcher.draining = True

    def reload(self, config: Config) -> None:
        """Takes over another configuration, all of it or none; runs keep what they began with.

        Models, limits, defaults and rates change at once.  How vendors are reached, and where the
        books are, cannot change in a running engine: raises ConfigError that names what did.
        """
        check_reloadable(self.config, config)
        self.config, self.edge, self.table = config, to_edge(config), to_models(config)
        self.system.tell(ROUTER, ReconfigureRouter(self.table))
        self.system.tell(LEDGER, ReconfigureLedger(self.edge.monthly_limit_nano))
        for settings in vendor_settings(config):
            self.system.tell(pool_address(settings.provider), ReconfigurePool(settings))

    # --- requests ---

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
        """Begins a run for a request that has been checked.

        `on_event` is called with each event as a map, on the engine's thread.  A run that is
        `watched` keeps its events from the first for whoever asks for its `feed`.  Under an
        `idempotency_key` the same request joins its run, has its answer again, or carries it on
        after a failure; that may block on the disk.  A run that is `wanted`, or has such a key, is
        carried on after a restart.

        Raises BadRequest, Conflict, Draining, or RateLimited when the engine is full; whatever
        comes later the future tells.
        """
        if idempotency_key is not None:
            order = self._named_order(request, key, idempotency_key)
            return self._repeats.submit(order, on_event, watched=watched)
        order = self._order(request, key)
        course = Course(replace(order, wanted=True) if wanted else order)
        return self._launcher.begin(course, on_event, watched=watched)

    def submit_at_once(
        self,
        request: PlanRequest,
        *,
        key: ApiKey | None = None,
        on_event: OnEvent | None = None,
        idempotency_key: str,
    ) -> RunFuture | None:
        """`submit` under a name that never blocks: None, and nothing begun, when it would."""
        order = self._named_order(request, key, idempotency_key)
        return self._repeats.submit_at_once(order, on_event)

    def _named_order(self, request: PlanRequest, key: ApiKey | None, name: str) -> Order:
        check_name(name)
        body_hash = fingerprint(request)
        order = self._order(request, key)
        return replace(order, wanted=True, idempotency_key=name, body_hash=body_hash)

    def _after_failure(self, order: Order) -> Course:
        from runtime.survival import after_failure, load

        if self.database is None:
            return after_failure(self._remembered.load(order.run), order)
        return after_failure(load(self.database, order.run), order)

    def _order(self, request: PlanRequest, key: ApiKey | None) -> Order:
        order = to_order(
            request,
            self.edge,
            run=self._ids.next(),
            seed=self._random.getrandbits(48),
            created=int(time.time()),
            key=None if key is None else key.id,
            key_limit_nano=None if key is None else key.limit_nano,
        )
        return replace(order, strategy=VERSIONS[order.mode])

    def cancel(self, run_id: str) -> bool:
        """Has a run cancelled; False when it is not under way."""
        return self._launcher.cancel(run_id)

    def get(self, run_id: str) -> RunView | None:
        """How a run stands, or ended; None for one that nobody knows."""
        view = self.runs.view(run_id)
        if view is None and self.database is not None:
            from runtime.storage.reports import run_view

            return run_view(self.database, run_id)
        return view

    def feed(
        self, run_id: str, after: int = 0, news: Callable[[], None] | None = None
    ) -> Feed | None:
        """The events of a run after number `after`; None for a run that nobody knows.

        `news` is called on the engine's thread.  Of a run that ended long ago only the last event
        is known; that may block on the disk.
        """
        if (feed := self.runs.feed(run_id, after, news)) is not None:
            return feed
        view = self.get(run_id)
        if view is None or view.status == "running":
            return self.runs.feed(run_id, after, news)
        return Feed(ended_log(view, after), after, news)

    # --- questions ---

    def dry_run(self, request: PlanRequest, *, key: ApiKey | None = None) -> DryRun:
        """What a request would come to now; nothing is sent, reserved or remembered of it.

        Raises BadRequest, Draining, and Internal.
        """
        order = self._order(request, key)
        try:
            return foretold(order, self.models(), self.accounts().accounts)
        except (ActorStopped, TimeoutError) as error:
            raise self._launcher.lost(order.run) from error

    def models(self) -> tuple[ModelState, ...]:
        """The models, and how they do."""
        return questions.models(self.system)

    def accounts(self) -> AccountsListed:
        """The limits, and how they stand; waits for books that are only being opened."""
        return questions.accounts(self.system)

    def judges(self) -> tuple[JudgeRecord, ...]:
        """How models did as judges; blocks on the disk."""
        if self.database is None:
            return self._remembered.judges()
        from runtime.storage import reports

        return reports.judges(self.database)

    def ready(self) -> tuple[bool, str]:
        """Whether a vendor is available and the books can be written; else why not."""
        return (False, "shutting down") if self.draining else questions.ready(self.system)

    # --- the system's ports ---

    def _start_work(self, address: Address, work: Work) -> None:
        if isinstance(work, CallVendor):
            self._callers[address].start(address, work)
        elif isinstance(work, Validate):
            self._validator.start(address, work)

    def _abort_work(self, address: Address, work_id: str) -> None:
        self._callers.get(address, self._validator).abort(work_id)
