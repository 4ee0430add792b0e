"""All actors as they are, in a world of virtual time: no thread, no socket, no sleep.

A :class:`World` drives the kernel's synchronous core from a plain loop.  Vendors are a function
from an order to what comes of it, and when.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import count
from random import Random
from typing import Any

from actors.addresses import run_address
from actors.base import Actor, Address, Context, Message, Work
from actors.cost_ledger import CostLedger
from actors.domain.model import Model, Price, Usage
from actors.domain.schema import problems
from actors.events import Event
from actors.judge import Judge
from actors.protocol import (
    AccountsListed,
    Answer,
    Begin,
    CallAnswered,
    CallErrored,
    CallErrorKind,
    CallVendor,
    Cancel,
    DialectCrashed,
    Failed,
    Finished,
    GetAccounts,
    Order,
    Validate,
    Validated,
    VendorSettings,
)
from actors.provider_pool import ProviderPool
from actors.router import Router
from actors.tree import Parts, orchestrator, tree
from runtime.kernel import Future, System
from runtime.storage.memory import MemoryStorage

USD = 1_000_000_000
USAGE = Usage(input=100, output=50)


def model(id: str, provider: str = "a", weight: int = 5, usd: int = 10, **more: Any) -> Model:
    """A model at `usd` per million tokens in, three times that out."""
    price = Price(usd * USD, 3 * usd * USD, usd * USD, usd * USD)
    fields: dict[str, Any] = {"price": price, "family": provider, "context_tokens": 100_000, **more}
    return Model(id, provider, f"{id}-upstream", weight, **fields)


MODELS = (
    model("a-large", "a", 9, 20),
    model("a-small", "a", 4, 2),
    model("b-large", "b", 8, 15),
    model("b-small", "b", 5, 3),
)


@dataclass(frozen=True)
class Says:
    """A vendor's answer, after `after_s`."""

    text: str = "an answer"
    usage: Usage = USAGE
    after_s: float = 1.0
    truncated: bool = False


@dataclass(frozen=True)
class Fails:
    """A vendor's failure, after `after_s`."""

    kind: CallErrorKind = "transient"
    after_s: float = 1.0
    http_status: int | None = 500
    retry_after_s: float | None = None
    usage: Usage | None = None
    written: bool = True


@dataclass(frozen=True)
class Crashes:
    """The vendor's dialect raises on the answer."""

    after_s: float = 1.0


HANGS = object()
Vendor = Callable[[CallVendor], Any]


class World:
    """One engine's actors, without the engine."""

    def __init__(
        self,
        vendor: Vendor | None = None,
        models: Iterable[Model] = MODELS,
        *,
        monthly_limit_nano: int | None = None,
        settings: dict[str, dict[str, Any]] | None = None,
        seed: int = 0,
        storage: Callable[[Context], Actor] = MemoryStorage,
    ) -> None:
        self.time = 1000.0
        self.vendor: Vendor = vendor or (lambda work: Says())
        self.orders: list[CallVendor] = []
        self.on_wire: dict[str, tuple[Address, CallVendor]] = {}
        self.events: list[Event] = []
        self._coming: list[tuple[float, int, Address, Message]] = []
        self._numbers = count()
        self._random = Random(seed)
        models = tuple(models)
        vendors = dict.fromkeys(row.provider for row in models)
        self.system = System(
            clock=lambda: self.time,
            wall=lambda: 1_790_000_000.0 + self.time,
            random=self._random.random,
            emit=lambda _, event: self.events.append(event),
            start_work=self._start,
            abort_work=self._abort,
        )
        self.system.start_tree(
            tree(
                Parts(
                    storage=storage,
                    ledger=lambda ctx: CostLedger(ctx, monthly_limit_nano),
                    judge=Judge,
                    router=partial(Router, models=models),
                    pools={
                        vendor: partial(
                            ProviderPool,
                            settings=VendorSettings(vendor, **(settings or {}).get(vendor, {})),
                        )
                        for vendor in vendors
                    },
                    storage_blocks=False,
                )
            )
        )

    # --- what a test does ---

    def begin(self, mode: Any = "planning", run: str = "r", **fields: Any) -> Future[Any]:
        """Begins a run; its future is settled by `go`."""
        given: dict[str, Any] = {"seed": 7, "latency_s": 60.0, "created": 1_790_000_000, **fields}
        given.setdefault("messages", b'[{"role":"user","content":"Why?"}]')
        order = Order(run, mode, **given)
        self.system.spawn(orchestrator(run))
        return self.system.ask(
            run_address(run), lambda me: Begin(me, run, order), order.latency_s + 10
        )

    def plan(self, mode: Any = "planning", **fields: Any) -> dict[str, Any]:
        """One run from its begin to its body; `http_status` is added to an error's."""
        return self.body(self.begin(mode, **fields))

    def body(self, asked: Future[Any]) -> dict[str, Any]:
        self.go(asked)
        reply = asked.get(timeout=0)
        body: dict[str, Any] = json.loads(reply.body)
        if isinstance(reply, Failed):
            return body | {"http_status": reply.http_status}
        assert isinstance(reply, Finished)
        return body

    def cancel(self, run: str = "r") -> None:
        self.system.tell(run_address(run), Cancel())

    def go(self, asked: Future[Any] | None = None, until: float = 10_000.0) -> None:
        """Lets time pass until `asked` is settled, or until nothing more will happen."""
        while asked is None or not asked.done():
            while self.system.run_ready():
                pass
            if asked is not None and asked.done():
                return
            timer = self.system.next_timer()
            coming = self._coming[0][0] if self._coming else None
            times = [at for at in (timer, coming) if at is not None]
            if not times or min(times) > until:
                return
            self.time = max(self.time, min(times))
            while self._coming and self._coming[0][0] <= self.time:
                _, _, address, message = heapq.heappop(self._coming)
                self._arrive(address, message)
            self.system.fire_timers()

    def pause(self, seconds: float) -> None:
        """Lets `seconds` pass, whatever happens in them."""
        end = self.time + seconds
        self.go(until=end)
        self.time = end

    def accounts(self) -> AccountsListed:
        asked: Future[AccountsListed] = self.system.ask(
            "ledger", lambda me: GetAccounts(me, "accounts"), 5.0
        )
        self.go(asked)
        return asked.get(timeout=0)

    @property
    def held(self) -> int:
        return sum(account.held_nano for account in self.accounts().accounts)

    def roles(self, body: dict[str, Any]) -> list[str]:
        return [call["role"] for call in body["calls"]]

    # --- the outside ---

    def _start(self, address: Address, work: Work) -> None:
        match work:
            case CallVendor():
                self.orders.append(work)
                self.on_wire[work.id] = (address, work)
                self._after(address, work, self.vendor(work))
            case Validate():
                found = Validated(work.id, problems(work.schema, work.instance))
                self._put(0.1, address, found)

    def _after(self, address: Address, work: CallVendor, outcome: Any) -> None:
        match outcome:
            case Says():
                answer = Answer(outcome.text, outcome.usage, outcome.truncated)
                self._put(outcome.after_s, address, CallAnswered(work.id, answer))
            case Fails():
                self._put(
                    outcome.after_s,
                    address,
                    CallErrored(
                        work.id,
                        outcome.kind,
                        "as told",
                        outcome.retry_after_s,
                        outcome.usage,
                        outcome.written,
                        http_status=outcome.http_status,
                    ),
                )
            case Crashes():
                self._put(outcome.after_s, address, DialectCrashed(work.id, "as told"))
            case _:
                assert outcome is HANGS
                hung = CallErrored(work.id, "timeout", "no answer", written=True)
                self._put(work.timeout_s, address, hung)

    def _abort(self, address: Address, work_id: str) -> None:
        if work_id in self.on_wire:
            cancelled = CallErrored(work_id, "cancelled", "given up", written=True)
            self._put(0.0, address, cancelled)

    def _put(self, after_s: float, address: Address, message: Message) -> None:
        heapq.heappush(self._coming, (self.time + after_s, next(self._numbers), address, message))

    def _arrive(self, address: Address, message: Any) -> None:
        if isinstance(message, Validated) or self.on_wire.pop(message.ticket, None):
            self.system.tell(address, message)


def is_ballot(work: CallVendor) -> bool:
    return b'\\"choice\\"' in work.order.messages


def verdict(work: CallVendor, place: int = 0) -> str:
    """A verdict for the candidate that the ballot shows at `place`."""
    prompt = json.loads(work.order.messages)[-1]["content"]
    schema = json.loads(prompt[prompt.rindex("JSON Schema:") + len("JSON Schema:") :])
    labels = schema["properties"]["choice"]["enum"][:-2]
    findings = [{"label": label, "finding": "sound"} for label in labels]
    return json.dumps({"findings": findings, "comparison": "close", "choice": labels[place]})


def sensible(work: CallVendor) -> Says:
    """A vendor whose models answer with their name, and judge when asked to."""
    return Says(verdict(work) if is_ballot(work) else f"{work.order.model} says so", USAGE)
