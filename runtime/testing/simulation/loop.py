"""The loop of a simulation: what is due, then turn after turn, and the rules after each.

A power cut drops the system with everything in it; the next one begins with what is durable, and
carries on what somebody still wants.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from actors.addresses import pool_address
from actors.base import Address
from actors.protocol import GetPoolStatus, PoolStatus
from runtime.kernel import ActorStopped, Future
from runtime.testing.simulation.clients import Clients
from runtime.testing.simulation.process import Process
from runtime.testing.simulation.scenario import (
    ARRIVALS_S,
    Fault,
    Jump,
    Kill,
    PowerCut,
    Scenario,
    scenario,
)
from runtime.testing.simulation.world import World

QUIET_S = 60.0
"""How long everything has to come to rest once everybody was answered."""

MOST_TURNS = 200_000
MOST_VIOLATIONS = 5
BURST = 4
BURST_S = 6.0
SUMS_EVERY = 32


class Violation(AssertionError):
    """Rules were broken; the text says which, and how to see it again."""


class Simulation:
    """One seed.  `run` carries it out; `violations` says what went wrong, `trace` what happened."""

    def __init__(self, seed: int, given: Scenario | None = None) -> None:
        self.seed = seed
        self.turns = 0
        self.processes = 0
        self._world = World(seed, given or scenario(seed))
        self.violations = self._world.violations
        self.trace = self._world.trace
        self._clients = Clients(self._world)
        self._process: Process
        self._closing = False

    def __repr__(self) -> str:
        return f"<Simulation {self.seed}: {self.turns} turns, {len(self.violations)} violations>"

    def run(self) -> None:
        """From the first request to the last, and the end of the system."""
        world = self._world
        self._start_process()
        self._clients.arrive(self._process)
        for fault in world.scenario.faults:
            world.put(fault.at, partial(self._strike, fault))
        self._go(self._all_told)
        world.calm = self._process.disk.calm = True
        self._come_to_rest()
        if world.rules.check_ends(world.durable):
            self._cut_power()
            self._come_to_rest()
        self._closing = True
        self._process.system.shutdown()
        self._go(lambda: self._process.system.ended, world.time + QUIET_S)
        self._look_at_end()

    def digest(self) -> str:
        """Of all that happened: two runs of a seed have the same."""
        return self._world.digest()

    # --- the loop ---

    def _go(self, enough: Callable[[], bool], until: float = 10_000.0) -> None:
        while len(self.violations) < MOST_VIOLATIONS:
            self._take_turns()
            if enough() or (at := self._next()) is None or at > until:
                return
            self._world.pass_to(at)
            self._process.system.fire_timers()

    def _take_turns(self) -> None:
        more = True
        while more and len(self.violations) < MOST_VIOLATIONS:
            more = self._process.system.run_ready(0.0)
            self.turns += 1
            more = self._look() or more
            if self.turns > MOST_TURNS:
                self._world.broken("it never comes to rest")
                self.violations += ["it was ended"] * MOST_VIOLATIONS

    def _next(self) -> float | None:
        times = (self._world.next(), self._process.system.next_timer())
        return min((at for at in times if at is not None), default=None)

    def _look(self) -> bool:
        """After a turn; whether something has been begun."""
        process = self._process
        if process.disk.crashed:
            self._cut_power()
            return True
        if process.system.ended:
            return not self._closing and self._system_failed()
        process.look()
        if self.turns % SUMS_EVERY == 0:
            process.look_closely()
        return False

    def _all_told(self) -> bool:
        return self._world.time > ARRIVALS_S and self._clients.are_told()

    # --- processes ---

    def _start_process(self) -> None:
        self.processes += 1
        self._process = Process(self._world, self.processes)
        self._process.start()

    def _cut_power(self) -> None:
        world = self._world
        world.note("the process dies")
        self._process.end()
        world.durable.recover(world.wall())
        world.rules.check_bills(world.durable)
        self._start_process()
        self._clients.move_to(self._process)

    def _system_failed(self) -> bool:
        """The root gave up, which only a burst of failures should bring it to."""
        world, failure = self._world, self._process.system.failure
        recent = [at for at, _ in world.killed if at > world.time - BURST_S]
        if len(recent) < BURST:
            world.broken(f"the system failed after {len(recent)} kills: {failure}")
        self._cut_power()
        return True

    # --- faults ---

    def _strike(self, fault: Fault) -> None:
        world = self._world
        match fault:
            case Kill(address=address):
                if address == "run" and (runs := self._process.runs()):
                    address = world.draw.choice(runs)
                world.note(f"{address} is killed")
                world.killed.append((world.time, address))
                self._process.system.kill(address)
            case Jump(seconds=seconds):
                world.note(f"the clock jumps by {seconds:.0f} s")
                world.skew += seconds
            case PowerCut():
                self._cut_power()

    # --- the end ---

    def _come_to_rest(self) -> None:
        world = self._world
        self._go(lambda: False, world.time + QUIET_S)
        for vendor in world.scenario.vendors:
            self._look_at_pool(pool_address(vendor.provider))
        self._clients.look_at_rest()
        world.rules.check_quiet(self._process.system, world.durable)
        self._process.look_closely()

    def _look_at_pool(self, address: Address) -> None:
        asked: Future[PoolStatus] = self._process.system.ask(
            address, lambda me: GetPoolStatus(me, "status"), 5.0
        )
        self._go(asked.done)
        if not asked.done():
            return
        try:
            status = asked.get(timeout=0)
        except (ActorStopped, TimeoutError) as error:
            self._world.broken(f"{address} does not answer: {error}")
            return
        if status.leased or status.waiting:
            left = f"{status.leased} leased, {status.waiting} waiting"
            self._world.broken(f"{address} still has {left}")

    def _look_at_end(self) -> None:
        world, system = self._world, self._process.system
        world.rules.check_bills(world.durable)
        world.rules.check_journal(world.durable)
        left = system.statistics()
        if not system.ended or left.cells or left.timers or left.asks:
            world.broken(f"something is left: {left}")


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
