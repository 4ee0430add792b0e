"""Clients of a simulation: they ask, change their minds, and are answered once.

Those whose run was lost with a process ask again, as the holder of an idempotency key would.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from msgspec.structs import replace

from actors.addresses import run_address
from actors.protocol import Begin, Cancel, Failed, Finished, GetStatus
from actors.tree import orchestrator
from runtime.kernel import ActorStopped, Future
from runtime.testing.simulation.process import Process
from runtime.testing.simulation.scenario import Client
from runtime.testing.simulation.world import World

PATIENCE_S = 10.0
"""How long after its deadline a run may take to say so."""

CANCELLED_S = 10.0
"""How long a cancelled run may take to say so: a second for its calls, the rest for the ledger."""


@dataclass
class Request:
    """A client's, as it stands.  `run` changes when its journal was lost and it is sent anew;
    `told` is how it ended, in the last process too.
    """

    client: Client
    run: str
    process: Process | None = None
    told: str = ""


class Clients:
    """All of them, and the process that they talk to."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._requests = [Request(client, client.order.run) for client in world.scenario.clients]
        self._of_run = {request.run: request for request in self._requests}
        self._process: Process

    def __repr__(self) -> str:
        told = sum(bool(request.told) for request in self._requests)
        return f"<Clients: {told} of {len(self._requests)} answered>"

    def arrive(self, process: Process) -> None:
        """Each in its time."""
        self._process = process
        for request in self._requests:
            self._plan(request)

    def move_to(self, process: Process) -> None:
        """What is still wanted goes on; clients that were cut off ask again, if they can."""
        before, self._process = self._process, process
        lost = [r for r in self._requests if r.process is before and not r.told]
        durable = self._world.durable
        for run in durable.unfinished():
            self._resume(self._of_run[run])
        for request in lost:
            if not request.client.order.wanted:
                request.told = "cut off"
            elif (row := durable.runs.get(request.run)) is None:
                request.run += "+"
                self._of_run[request.run] = request
                self._begin(request)
            elif row.status != "running":
                request.told = row.status

    def are_told(self) -> bool:
        return all(request.told for request in self._requests)

    def look_at_rest(self) -> None:
        for request in self._requests:
            if not request.told:
                self._world.broken(f"{request.run} was not answered")

    # --- asking ---

    def _plan(self, request: Request) -> None:
        client, put = request.client, self._world.put
        put(client.at, partial(self._begin, request))
        if client.cancels_at is not None:
            put(client.cancels_at, partial(self._cancel, request))
        if client.asks_at is not None:
            put(client.asks_at, partial(self._ask_status, request))

    def _begin(self, request: Request) -> None:
        self._submit(request, ())

    def _resume(self, request: Request) -> None:
        durable = self._world.durable
        row = durable.runs[request.run]
        records, attempts = durable.calls_of(request.run)
        self._world.note(f"{request.run} is carried on from step {len(row.steps)}")
        self._submit(request, (tuple(row.steps), records, attempts))

    def _submit(self, request: Request, journal: tuple[Any, ...]) -> None:
        run, system = request.run, self._process.system
        order = replace(request.client.order, run=run)
        request.process = self._process
        system.spawn(orchestrator(run))
        asked: Future[Any] = system.ask(
            run_address(run),
            lambda me: Begin(me, run, order, *journal),
            order.latency_s + PATIENCE_S,
        )
        asked.add_done_callback(partial(self._replied, request, request.told))

    # --- being answered ---

    def _replied(self, request: Request, before: str, asked: Future[Any]) -> None:
        """`before` is what its client was told when the journal could not be written."""
        world = self._world
        try:
            reply = asked.get(timeout=0)
        except ActorStopped as error:
            if not self._process.over:
                self._run_lost(request, str(error))
            return
        except TimeoutError:
            world.broken(f"{request.run} was never answered")
            request.told = "nothing"
            return
        if request.told and not before:
            world.broken(f"{request.run} is answered twice")
        request.told = type(reply).__name__
        match reply:
            case Finished():
                world.rules.replied(world.durable, request.run, 200, reply.body)
                world.rules.check_cost(world.durable, request.run, reply.cost)
            case Failed():
                world.rules.replied(world.durable, request.run, reply.http_status, reply.body)
            case _:
                world.broken(f"{request.run} is answered with {reply}")

    def _run_lost(self, request: Request, why: str) -> None:
        if "root gave up" in why:
            return  # the process goes with it
        if not any(address == run_address(request.run) for _, address in self._world.killed):
            self._world.broken(f"{request.run} has crashed: {why}")
        request.told = "lost"

    # --- changing one's mind ---

    def _cancel(self, request: Request) -> None:
        process, world = self._process, self._world
        if not request.told and run_address(request.run) in process.system.cells:
            process.system.tell(run_address(request.run), Cancel())
            check = partial(self._look_at_cancelled, request, process)
            world.put(world.time + CANCELLED_S, check)

    def _look_at_cancelled(self, request: Request, process: Process) -> None:
        if not process.over and not request.told:
            self._world.broken(f"{request.run} goes on, {CANCELLED_S} s after it was cancelled")

    def _ask_status(self, request: Request) -> None:
        asked: Future[Any] = self._process.system.ask(
            run_address(request.run), lambda me: GetStatus(me, "status"), 5.0
        )
        asked.add_done_callback(partial(self._status_told, request.run))

    def _status_told(self, run: str, asked: Future[Any]) -> None:
        try:
            asked.get(timeout=0)
        except ActorStopped:
            return
        except TimeoutError:
            self._world.broken(f"{run} does not say how far it is")
