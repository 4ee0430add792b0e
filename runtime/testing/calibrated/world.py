"""The loop of a calibrated world: one request after the other, in virtual time."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from typing import Any

import msgspec
from msgspec import Struct

from actors.addresses import run_address
from actors.base import Address, Work
from actors.cost_ledger import CostLedger
from actors.domain.schema import problems
from actors.protocol import (
    Answer,
    Begin,
    CallAnswered,
    CallErrored,
    CallVendor,
    Complete,
    Failed,
    Finished,
    Mode,
    Order,
    Validate,
    Validated,
    VendorSettings,
)
from actors.provider_pool import ProviderPool
from actors.router import Router
from actors.strategies import VERSIONS
from actors.tree import Parts, orchestrator, tree
from runtime.kernel import Future, System
from runtime.storage.memory import MemoryStorage
from runtime.testing.calibrated.controls import CONTROLS, Control
from runtime.testing.calibrated.items import Form, draws, worth
from runtime.testing.calibrated.minds import Mind, usage_of

EPOCH = 1_790_000_000
LATENCY_S = 60.0
PATIENCE_S = 20.0


class Asked(Struct, frozen=True):
    """What a model was asked, and what it said: None when it failed or was given up."""

    model: str
    messages: bytes
    text: str | None


class Ended(Struct, frozen=True):
    """How a run ended: its body as sent, and decoded; what every model was asked; the time."""

    sent: bytes
    body: dict[str, Any]
    http_status: int
    asked: tuple[Asked, ...]
    seconds: float

    @property
    def text(self) -> str:
        """The returned answer, of whatever mode."""
        response: dict[str, Any] = self.body["response"]
        if "responses" in response:
            return str(response["responses"][response["selected"]]["content"])
        found = response.get("refined_plan") or response.get("refined_response")
        return str(found or response.get("initial_plan"))

    @property
    def calls(self) -> int:
        return len(self.body["calls"])

    @property
    def spent_usd(self) -> float:
        return float(self.body["cost"]["spent_usd"])


class World:
    """One engine's actors, without threads or sockets, and the minds that answer them."""

    def __init__(self, minds: Sequence[Mind], seed: int = 0, control: Control = "as it is") -> None:
        self.minds = {mind.model.id: mind for mind in minds}
        self.seed = seed
        self.time = 1000.0
        self._on_wire: dict[str, tuple[Address, Complete]] = {}
        self._ended: list[Asked] = []
        self._coming: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._runs = count(1)
        self.system = System(
            clock=lambda: self.time,
            wall=lambda: EPOCH + self.time,
            random=draws("engine", seed).random,
            emit=lambda _, __: None,
            is_watched=lambda _: False,
            start_work=self._start,
            abort_work=self._abort,
        )
        self.system.start_tree(tree(self._parts(control)))

    def __repr__(self) -> str:
        return f"<World {self.seed}: {len(self.minds)} minds, {self.time:.0f} s>"

    def plan(self, mode: Mode, messages: bytes, **fields: Any) -> Ended:
        """Carries one request out; `fields` are those of an :class:`~actors.protocol.Order`."""
        run, begun = f"run-{next(self._runs)}", self.time
        self._ended.clear()
        given: dict[str, Any] = {"seed": 0, "latency_s": LATENCY_S, "strategy": VERSIONS[mode]}
        given |= {"created": EPOCH + int(begun)}
        order = Order(run, mode, messages, **(given | fields))
        self.system.spawn(orchestrator(run))
        asked: Future[Any] = self.system.ask(
            run_address(run), lambda me: Begin(me, run, order), order.latency_s + PATIENCE_S
        )
        self._go(asked)
        reply = asked.get(timeout=0)
        assert isinstance(reply, Finished | Failed)
        http_status = reply.http_status if isinstance(reply, Failed) else 200
        body = msgspec.json.decode(reply.body)
        return Ended(reply.body, body, http_status, tuple(self._ended), self.time - begun)

    def worth(self, number: int, text: str, form: Form = "explained") -> float:
        """How good a text is, from 0 to 1: 1 is a right answer, or a plan that has all it needs."""
        return worth(self.seed, number, form, text)

    # --- the loop ---

    def _go(self, asked: Future[Any]) -> None:
        while not asked.done():
            while self.system.run_ready():
                pass
            timer = self.system.next_timer()
            times = [at for at in (timer, self._coming[0][0] if self._coming else None) if at]
            if asked.done() or not times:
                return
            self.time = max(self.time, min(times))
            while self._coming and self._coming[0][0] <= self.time:
                heapq.heappop(self._coming)[2]()
            self.system.fire_timers()

    def _put(self, after_s: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._coming, (self.time + after_s, next(self._numbers), act))

    # --- the system's ports ---

    def _parts(self, control: Control) -> Parts:
        models = tuple(mind.model for mind in self.minds.values())
        return Parts(
            storage=MemoryStorage,
            ledger=partial(CostLedger, limit_nano=None),
            judge=CONTROLS[control],
            router=partial(Router, models=models),
            pools={
                model.provider: partial(ProviderPool, settings=VendorSettings(model.provider))
                for model in models
            },
            storage_blocks=False,
        )

    def _start(self, address: Address, work: Work) -> None:
        match work:
            case CallVendor():
                self._call(address, work)
            case Validate():
                found = Validated(work.id, problems(work.schema, work.instance))
                self._put(0.0, partial(self.system.tell, address, found))

    def _call(self, address: Address, work: CallVendor) -> None:
        mind = self.minds[work.order.model]
        self._on_wire[work.id] = address, work.order
        if mind.dead:
            dead = CallErrored(work.id, "fatal", "it is dead", written=True, http_status=403)
            self._put(mind.delay_s, partial(self._fail, dead))
        else:
            self._put(mind.delay_s, partial(self._answer, work.id, mind))

    def _abort(self, _: Address, work_id: str) -> None:
        cancelled = CallErrored(work_id, "cancelled", "given up", written=True)
        self._put(0.0, partial(self._fail, cancelled))

    def _answer(self, work_id: str, mind: Mind) -> None:
        """What was given up before it came is not heard."""
        if (waiting := self._on_wire.pop(work_id, None)) is not None:
            address, order = waiting
            text = mind.reply(self.seed, order)
            self._ended.append(Asked(mind.model.id, order.messages, text))
            answer = Answer(text, usage_of(order, text))
            self.system.tell(address, CallAnswered(work_id, answer))

    def _fail(self, error: CallErrored) -> None:
        if (waiting := self._on_wire.pop(error.ticket, None)) is not None:
            address, order = waiting
            self._ended.append(Asked(order.model, order.messages, None))
            self.system.tell(address, error)
