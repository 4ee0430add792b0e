"""One process of a simulation: the actors as they are, and their ports to the world."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random

from actors.base import Address, Context, Message, Work
from actors.cost_ledger import CostLedger
from actors.domain.schema import problems
from actors.events import TERMINAL, Event
from actors.judge import Judge
from actors.protocol import CallAnswered, CallErrored, CallVendor, Validate, Validated
from actors.provider_pool import ProviderPool
from actors.router import Router
from actors.tree import Parts, tree
from runtime.testing.simulation.rules import ledger_of
from runtime.testing.simulation.shuffled import ShuffledSystem
from runtime.testing.simulation.storage import Disk, SimulatedStorage
from runtime.testing.simulation.vendors import Ending
from runtime.testing.simulation.world import World


class Process:
    """From its start to its end, after which nothing that was under way arrives."""

    def __init__(self, world: World, number: int) -> None:
        self.number = number
        self.over = False
        self._world = world
        self._ledger: CostLedger | None = None
        self._had_ledger = False
        self._on_wire: dict[str, Address] = {}
        self.disk = self._make_disk()
        self.system = self._make_system()

    def __repr__(self) -> str:
        return f"<Process {self.number}: {self.system!r}>"

    def start(self) -> None:
        self._world.rules.process_began()
        self.system.start_tree(tree(self._parts()))

    def end(self) -> None:
        """Drops the system with everything in it."""
        self.over = True
        self.system.close()

    def runs(self) -> list[Address]:
        return [address for address in self.system.cells if address.startswith("run:")]

    # --- the rules ---

    def look(self) -> None:
        """After every turn."""
        rules = self._world.rules
        ledger = ledger_of(self.system)
        if ledger is not self._ledger:
            runs = (address.removeprefix("run:") for address in self.runs())
            rules.ledger_lost(self._world.durable, runs)
            self._ledger = ledger
        rules.check_books(self.system)

    def look_closely(self) -> None:
        """Now and then, for it takes its time."""
        self._world.rules.check_sums(self.system)
        for address in self.system.lost():
            self._world.broken(f"{address} has lost messages")

    # --- what it is made of ---

    def _make_disk(self) -> Disk:
        world = self._world
        return Disk(
            world.durable,
            world.scenario.weather,
            Random(f"disk {self.number} of {world.seed}"),
            lambda: world.time,
            partial(world.rules.committed, world.durable),
            calm=world.calm,
        )

    def _make_system(self) -> ShuffledSystem:
        world, shuffled = self._world, self._world.scenario.weather.shuffled
        system = ShuffledSystem(
            lambda: world.draw.random() < shuffled,
            clock=lambda: world.time,
            wall=world.wall,
            random=Random(f"process {self.number} of {world.seed}").random,
            emit=self._emit,
            start_work=self._start_work,
            abort_work=self._abort_work,
        )
        system.watch = self._delivered
        return system

    def _parts(self) -> Parts:
        given = self._world.scenario
        return Parts(
            storage=partial(SimulatedStorage, disk=self.disk),
            ledger=self._make_ledger,
            judge=Judge,
            router=partial(Router, models=given.models),
            pools={v.provider: partial(ProviderPool, settings=v) for v in given.vendors},
            storage_blocks=False,
        )

    def _make_ledger(self, ctx: Context) -> CostLedger:
        successor, self._had_ledger = self._had_ledger, True
        return CostLedger(ctx, self._world.scenario.limit_nano, successor=successor)

    # --- the system's ports ---

    def _delivered(self, to: Address, message: Message) -> None:
        self._world.trace.append((self._world.time, to, message))
        self._world.rules.delivered(self.system, to, message)

    def _emit(self, _: Address, event: Event) -> None:
        if isinstance(event, TERMINAL):
            self._world.rules.last_event(event.run)

    def _start_work(self, address: Address, work: Work) -> None:
        match work:
            case CallVendor():
                self._call(address, work)
            case Validate():
                found = Validated(work.id, problems(work.schema, work.instance))
                self._later(0.1, partial(self.system.tell, address, found))

    def _call(self, address: Address, work: CallVendor) -> None:
        world = self._world
        world.rules.sent(self.system, work.id, work.order.model)
        after_s, ending, fate = world.vendors.call(work)
        if fate == "overbills" and isinstance(ending, CallAnswered):
            world.rules.overbilled(work.id, ending.answer.usage)
        self._on_wire[work.id] = address
        self._later(after_s, partial(self._arrive, work.id, ending))

    def _abort_work(self, _: Address, work_id: str) -> None:
        cancelled = CallErrored(work_id, "cancelled", "given up", written=True)
        self._later(0.0, partial(self._arrive, work_id, cancelled))

    def _arrive(self, work_id: str, ending: Ending) -> None:
        if address := self._on_wire.pop(work_id, None):
            self._world.rules.vendor_said(work_id, ending)
            self.system.tell(address, ending)

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        """Unless the process is over by then."""

        def unless_over() -> None:
            if not self.over:
                act()

        self._world.put(self._world.time + seconds, unless_over)
