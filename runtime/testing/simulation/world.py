"""The loop of a simulation: what is due, then turn after turn, and the rules after each.

A power cut drops the system with everything in it; the next one begins with what is durable, and
carries on what somebody still wants.  Clients of those runs ask again, as the holder of an
idempotency key would.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import count
from random import Random
from typing import Any

from msgspec.structs import replace

from actors.addresses import pool_address, run_address
from actors.base import Address, Context, Message, Work
from actors.cost_ledger import CostLedger
from actors.domain.schema import problems
from actors.events import TERMINAL, Event
from actors.judge import Judge
from actors.protocol import (
    Begin,
    CallAnswered,
    CallErrored,
    CallVendor,
    Cancel,
    Failed,
    Finished,
    GetPoolStatus,
    GetStatus,
    PoolStatus,
    Validate,
    Validated,
)
from actors.provider_pool import ProviderPool
from actors.router import Router
from actors.tree import Parts, orchestrator, tree
from runtime.kernel import ActorStopped, Future
from runtime.testing.simulation.rules import Rules, ledger_of
from runtime.testing.simulation.scenario import (
    ARRIVALS_S,
    EPOCH,
    Client,
    Fault,
    Jump,
    Kill,
    PowerCut,
    Scenario,
    scenario,
)
from runtime.testing.simulation.shuffled import ShuffledSystem
from runtime.testing.simulation.storage import Disk, Durable, SimulatedStorage
from runtime.testing.simulation.vendors import Ending, Vendors

PATIENCE_S = 10.0
"""How long after its deadline a run may take to say so."""

CANCELLED_S = 10.0
"""How long a cancelled run may take to say so: a second for its calls, the rest for the ledger."""

QUIET_S = 60.0
"""How long everything has to come to rest once everybody was answered."""

MOST_TURNS = 200_000
MOST_VIOLATIONS = 5
BURST = 4
BURST_S = 6.0
SUMS_EVERY = 32


class Violation(AssertionError):
    """Rules were broken; the text says which, and how to see it again."""


@dataclass
class Request:
    """A client's, as it stands.  `run` changes when its journal was lost and it is sent anew;
    `told` is how it ended, in the last process too.
    """

    client: Client
    run: str
    process: int = 0
    told: str = ""


class Simulation:
    """One seed.  `run` carries it out; `violations` says what went wrong, `trace` what happened."""

    def __init__(self, seed: int, given: Scenario | None = None) -> None:
        self.seed = seed
        self.scenario = given or scenario(seed)
        self.time = 0.0
        self.turns = 0
        self.processes = 0
        self.violations: list[str] = []
        self.trace: list[tuple[float, Address, Message | str]] = []
        self.requests = [Request(client, client.order.run) for client in self.scenario.clients]
        self._of_run = {request.run: request for request in self.requests}
        self._rules = Rules(self.scenario.models, self._broken)
        self._skew = EPOCH
        self._draw = Random(f"order {seed}")
        self._vendors = Vendors(self.scenario.weather, Random(f"vendors {seed}"))
        self._durable = Durable(self._broken)
        self._disk: Disk
        self._system: ShuffledSystem
        self._ledger: CostLedger | None = None
        self._had_ledger = False
        self._coming: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._on_wire: dict[str, Address] = {}
        self._killed: list[tuple[float, Address]] = []
        self._dying = False
        self._closing = False
        self._calm = False

    def __repr__(self) -> str:
        return f"<Simulation {self.seed}: {self.turns} turns, {len(self.violations)} violations>"

    def run(self) -> None:
        """From the first request to the last, and the end of the system."""
        self._start_process()
        for request in self.requests:
            self._plan(request)
        for fault in self.scenario.faults:
            self._put(fault.at, partial(self._strike, fault))
        self._go(self._all_told)
        self._calm = self._disk.calm = True
        self._go(lambda: False, self.time + QUIET_S)
        self._look_at_rest()
        if self._rules.check_ends(self._durable):
            self._cut_power()
            self._go(lambda: False, self.time + QUIET_S)
            self._look_at_rest()
        self._closing = True
        self._system.shutdown()
        self._go(lambda: self._system.ended, self.time + QUIET_S)
        self._look_at_end()

    def digest(self) -> str:
        """Of all that happened: two runs of a seed have the same."""
        hashed = hashlib.blake2b(digest_size=16)
        for line in self.trace:
            hashed.update(repr(line).encode())
        return hashed.hexdigest()

    # --- the loop ---

    def _go(self, enough: Callable[[], bool], until: float = 10_000.0) -> None:
        while len(self.violations) < MOST_VIOLATIONS:
            self._take_turns()
            if enough() or (at := self._next()) is None or at > until:
                return
            self.time = max(self.time, at)
            while self._coming and self._coming[0][0] <= self.time:
                heapq.heappop(self._coming)[2]()
            self._system.fire_timers()

    def _take_turns(self) -> None:
        more = True
        while more and len(self.violations) < MOST_VIOLATIONS:
            more = self._system.run_ready(0.0)
            self.turns += 1
            more = self._look() or more
            if self.turns > MOST_TURNS:
                self._broken("it never comes to rest")
                self.violations += ["it was ended"] * MOST_VIOLATIONS

    def _next(self) -> float | None:
        times = [self._coming[0][0]] if self._coming else []
        if (timer := self._system.next_timer()) is not None:
            times.append(timer)
        return min(times, default=None)

    def _put(self, at: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._coming, (at, next(self._numbers), act))

    def _look(self) -> bool:
        """After a turn; whether something has been begun."""
        if self._disk.crashed:
            self._cut_power()
            return True
        if self._system.ended:
            return not self._closing and self._system_failed()
        ledger = ledger_of(self._system)
        if ledger is not self._ledger:
            runs = (address.removeprefix("run:") for address in self._runs())
            self._rules.ledger_lost(self._durable, runs)
            self._ledger = ledger
        self._rules.check_books(self._system)
        if self.turns % SUMS_EVERY == 0:
            self._look_closely()
        return False

    def _look_closely(self) -> None:
        self._rules.check_sums(self._system)
        for address in self._system.lost():
            self._broken(f"{address} has lost messages")

    # --- processes ---

    def _start_process(self) -> None:
        self.processes += 1
        given, seed = self.scenario, self.seed
        draw = Random(f"process {self.processes} of {seed}")
        shuffled = given.weather.shuffled
        self._disk = Disk(
            self._durable,
            given.weather,
            Random(f"disk {self.processes} of {seed}"),
            lambda: self.time,
            partial(self._rules.committed, self._durable),
            calm=self._calm,
        )
        self._system = system = ShuffledSystem(
            lambda: self._draw.random() < shuffled,
            clock=lambda: self.time,
            wall=lambda: self._skew + self.time,
            random=draw.random,
            emit=self._emit,
            start_work=self._start_work,
            abort_work=self._abort_work,
        )
        system.watch = self._delivered
        self._rules.process_began()
        self._had_ledger = False
        system.start_tree(tree(self._parts()))

    def _parts(self) -> Parts:
        given = self.scenario
        return Parts(
            storage=partial(SimulatedStorage, disk=self._disk),
            ledger=self._make_ledger,
            judge=Judge,
            router=partial(Router, models=given.models),
            pools={v.provider: partial(ProviderPool, settings=v) for v in given.vendors},
            storage_blocks=False,
        )

    def _make_ledger(self, ctx: Context) -> CostLedger:
        successor, self._had_ledger = self._had_ledger, True
        return CostLedger(ctx, self.scenario.limit_nano, successor=successor)

    def _cut_power(self) -> None:
        self._note("the process dies")
        self._dying = True
        self._system.close()
        self._dying = False
        self._on_wire.clear()
        self._ledger = None
        self._durable.recover(self._skew + self.time)
        self._rules.check_bills(self._durable)
        lost = [r for r in self.requests if r.process == self.processes and not r.told]
        self._start_process()
        self._carry_on(lost)

    def _system_failed(self) -> bool:
        """The root gave up, which only a burst of failures should bring it to."""
        recent = [at for at, _ in self._killed if at > self.time - BURST_S]
        if len(recent) < BURST:
            self._broken(f"the system failed after {len(recent)} kills: {self._system.failure}")
        self._cut_power()
        return True

    def _carry_on(self, lost: list[Request]) -> None:
        """What is still wanted goes on; clients that were cut off ask again, if they can."""
        for run in self._durable.unfinished():
            self._resume(self._of_run[run])
        for request in lost:
            if not request.client.order.wanted:
                request.told = "cut off"
            elif (row := self._durable.runs.get(request.run)) is None:
                request.run += "+"
                self._of_run[request.run] = request
                self._begin(request)
            elif row.status != "running":
                request.told = row.status

    def _resume(self, request: Request) -> None:
        row = self._durable.runs[request.run]
        records, attempts = self._durable.calls_of(request.run)
        self._note(f"{request.run} is carried on from step {len(row.steps)}")
        self._submit(request, (tuple(row.steps), records, attempts))

    # --- clients ---

    def _plan(self, request: Request) -> None:
        client = request.client
        self._put(client.at, partial(self._begin, request))
        if client.cancels_at is not None:
            self._put(client.cancels_at, partial(self._cancel, request))
        if client.asks_at is not None:
            self._put(client.asks_at, partial(self._ask_status, request))

    def _begin(self, request: Request) -> None:
        self._submit(request, ())

    def _submit(self, request: Request, journal: tuple[Any, ...]) -> None:
        run = request.run
        order = replace(request.client.order, run=run)
        request.process = self.processes
        self._system.spawn(orchestrator(run))
        asked: Future[Any] = self._system.ask(
            run_address(run),
            lambda me: Begin(me, run, order, *journal),
            order.latency_s + PATIENCE_S,
        )
        asked.add_done_callback(partial(self._replied, request, request.told))

    def _replied(self, request: Request, before: str, asked: Future[Any]) -> None:
        """`before` is what its client was told when the journal could not be written."""
        try:
            reply = asked.get(timeout=0)
        except ActorStopped as error:
            if not self._dying:
                self._run_lost(request, str(error))
            return
        except TimeoutError:
            self._broken(f"{request.run} was never answered")
            request.told = "nothing"
            return
        if request.told and not before:
            self._broken(f"{request.run} is answered twice")
        request.told = type(reply).__name__
        match reply:
            case Finished():
                self._rules.replied(self._durable, request.run, 200, reply.body)
                self._rules.check_cost(self._durable, request.run, reply.cost)
            case Failed():
                self._rules.replied(self._durable, request.run, reply.http_status, reply.body)
            case _:
                self._broken(f"{request.run} is answered with {reply}")

    def _run_lost(self, request: Request, why: str) -> None:
        if "root gave up" in why:
            return  # the process goes with it
        if not any(address == run_address(request.run) for _, address in self._killed):
            self._broken(f"{request.run} has crashed: {why}")
        request.told = "lost"

    def _cancel(self, request: Request) -> None:
        if not request.told and run_address(request.run) in self._system.cells:
            self._system.tell(run_address(request.run), Cancel())
            check = partial(self._look_at_cancelled, request, self.processes)
            self._put(self.time + CANCELLED_S, check)

    def _look_at_cancelled(self, request: Request, process: int) -> None:
        if process == self.processes and not request.told:
            self._broken(f"{request.run} goes on, {CANCELLED_S} s after it was cancelled")

    def _ask_status(self, request: Request) -> None:
        address = run_address(request.run)
        asked: Future[Any] = self._system.ask(address, lambda me: GetStatus(me, "status"), 5.0)
        asked.add_done_callback(partial(self._status_told, request.run))

    def _status_told(self, run: str, asked: Future[Any]) -> None:
        try:
            asked.get(timeout=0)
        except ActorStopped:
            return
        except TimeoutError:
            self._broken(f"{run} does not say how far it is")

    def _all_told(self) -> bool:
        return self.time > ARRIVALS_S and all(request.told for request in self.requests)

    # --- faults ---

    def _strike(self, fault: Fault) -> None:
        match fault:
            case Kill(address=address):
                if address == "run" and (runs := self._runs()):
                    address = self._draw.choice(runs)
                self._note(f"{address} is killed")
                self._killed.append((self.time, address))
                self._system.kill(address)
            case Jump(seconds=seconds):
                self._note(f"the clock jumps by {seconds:.0f} s")
                self._skew += seconds
            case PowerCut():
                self._cut_power()

    def _runs(self) -> list[Address]:
        return [address for address in self._system.cells if address.startswith("run:")]

    # --- the system's ports ---

    def _delivered(self, to: Address, message: Message) -> None:
        self.trace.append((self.time, to, message))
        self._rules.delivered(self._system, to, message)

    def _emit(self, _: Address, event: Event) -> None:
        if isinstance(event, TERMINAL):
            self._rules.last_event(event.run)

    def _start_work(self, address: Address, work: Work) -> None:
        match work:
            case CallVendor():
                self._call(address, work)
            case Validate():
                found = Validated(work.id, problems(work.schema, work.instance))
                self._put(self.time + 0.1, partial(self._tell, self.processes, address, found))

    def _call(self, address: Address, work: CallVendor) -> None:
        self._rules.sent(self._system, work.id, work.order.model)
        after_s, ending, fate = self._vendors.call(work)
        if fate == "overbills" and isinstance(ending, CallAnswered):
            self._rules.overbilled(work.id, ending.answer.usage)
        self._on_wire[work.id] = address
        self._put(self.time + after_s, partial(self._arrive, self.processes, work.id, ending))

    def _abort_work(self, _: Address, work_id: str) -> None:
        cancelled = CallErrored(work_id, "cancelled", "given up", written=True)
        self._put(self.time, partial(self._arrive, self.processes, work_id, cancelled))

    def _arrive(self, process: int, work_id: str, ending: Ending) -> None:
        if process == self.processes and (address := self._on_wire.pop(work_id, None)):
            self._rules.vendor_said(work_id, ending)
            self._system.tell(address, ending)

    def _tell(self, process: int, address: Address, message: Message) -> None:
        if process == self.processes:
            self._system.tell(address, message)

    # --- the end ---

    def _look_at_rest(self) -> None:
        for vendor in self.scenario.vendors:
            self._look_at_pool(pool_address(vendor.provider))
        for request in self.requests:
            if not request.told:
                self._broken(f"{request.run} was not answered")
        self._rules.check_quiet(self._system, self._durable)
        self._look_closely()

    def _look_at_pool(self, address: Address) -> None:
        asked: Future[PoolStatus] = self._system.ask(
            address, lambda me: GetPoolStatus(me, "status"), 5.0
        )
        self._go(asked.done)
        if not asked.done():
            return
        try:
            status = asked.get(timeout=0)
        except (ActorStopped, TimeoutError) as error:
            self._broken(f"{address} does not answer: {error}")
            return
        if status.leased or status.waiting:
            self._broken(f"{address} still has {status.leased} leased, {status.waiting} waiting")

    def _look_at_end(self) -> None:
        self._rules.check_bills(self._durable)
        self._rules.check_journal(self._durable)
        left = self._system.statistics()
        if not self._system.ended or left.cells or left.timers or left.asks:
            self._broken(f"something is left: {left}")

    # --- what is seen ---

    def _broken(self, what: str) -> None:
        self._note(f"VIOLATION {what}")
        self.violations.append(f"at {self.time:.3f} s: {what}")

    def _note(self, what: str) -> None:
        self.trace.append((self.time, "*", what))


def simulate(seed: int) -> Simulation:
    """Carries a seed out.  Raises :class:`Violation` when a rule was broken."""
    simulation = Simulation(seed)
    simulation.run()
    if simulation.violations:
        raise Violation("\n".join([*simulation.violations, f"see it again: {command(seed)}"]))
    return simulation


def command(seed: int) -> str:
    """What shows a seed again."""
    return f"python -m runtime.testing.simulation --seed {seed}"
