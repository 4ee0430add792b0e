"""A system on a bench: time stands still, one call runs what is ready, actors write a log."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, ClassVar, TypeAlias

import pykka

from actors.base import (
    Actor,
    Address,
    ChildSpec,
    Command,
    Context,
    Down,
    Message,
    Overloaded,
    Restart,
    Strategy,
    SupervisorSpec,
    Work,
)
from actors.events import Event
from runtime.kernel import BlockingActor, Future, System

PATIENCE_S = 10.0
"""How long a test waits for a thread before it calls it hung."""


class Say(Message, frozen=True, gc=False):
    """Is written to the log."""

    text: str


class Crash(Message, frozen=True, gc=False):
    """The handler raises."""

    text: str = "crash"
    exit: bool = False


class Question(Command, frozen=True, gc=False):
    """Answered by :class:`Answer`; not new work."""


class Job(Command, frozen=True, gc=False):
    """Answered likewise; refused by a full mailbox."""

    new_work: ClassVar[bool] = True


class Mute(Command, frozen=True, gc=False):
    """A question that is never answered."""


class Explode(Command, frozen=True, gc=False):
    """A question over which the handler raises."""


class Answer(Message, frozen=True, gc=False):
    ticket: str
    incarnation: int


class Monitor(Message, frozen=True, gc=False):
    address: Address


class Demonitor(Message, frozen=True, gc=False):
    address: Address


class Later(Message, frozen=True, gc=False):
    """The actor tells itself `text` after `delay_s`."""

    delay_s: float
    text: str


class Relay(Message, frozen=True, gc=False):
    """The actor says `text` to `to`."""

    to: Address
    text: str


class Leave(Message, frozen=True, gc=False):
    """The actor ends itself."""


class Unknown(Message, frozen=True, gc=False):
    """No probe receives this."""

    text: str = ""


ProbeMessage: TypeAlias = (
    Say
    | Crash
    | Question
    | Job
    | Mute
    | Explode
    | Answer
    | Monitor
    | Demonitor
    | Later
    | Relay
    | Leave
    | Down
    | Overloaded
)


class Log(list[tuple[Address, str]]):
    """What happened, as (address, text), in order; also who has started how often."""

    def __init__(self) -> None:
        super().__init__()
        self.incarnations: dict[Address, int] = {}
        self.cannot_start: set[Address] = set()

    def of(self, address: Address) -> list[str]:
        return [text for where, text in self if where == address]

    def start(self, address: Address) -> int:
        if address in self.cannot_start:
            raise ValueError("cannot start")
        number = self.incarnations[address] = self.incarnations.get(address, 0) + 1
        self.append((address, f"started {number}"))
        return number


class Probe(Actor):
    """Writes what it receives to the log and does what it is told."""

    receives = ProbeMessage

    def __init__(self, ctx: Context, log: Log) -> None:
        super().__init__(ctx)
        self.log = log
        self.incarnation = 0

    def write(self, text: str) -> None:
        self.log.append((self.ctx.address, text))

    def started(self) -> None:
        self.incarnation = self.log.start(self.ctx.address)

    def stopped(self, reason: str) -> None:
        self.write(f"stopped {reason}")

    def receive(self, message: ProbeMessage) -> None:
        match message:
            case Say(text):
                self.write(text)
            case Crash(text, exit):
                raise SystemExit(text) if exit else ValueError(text)
            case Explode():
                raise ValueError("explode")
            case Question() | Job():
                self.ctx.reply(message, Answer(message.ticket, self.incarnation))
            case Monitor(address):
                self.ctx.monitor(address)
            case Demonitor(address):
                self.ctx.demonitor(address)
            case Later(delay_s, text):
                self.ctx.after(delay_s, Say(text))
            case Relay(to, text):
                self.ctx.tell(to, Say(text))
            case Leave():
                self.ctx.stop()
            case Down(address, reason):
                self.write(f"down {address}: {reason}")
            case _:
                self.write(type(message).__name__.lower())


class BlockingProbe(BlockingActor):
    """The same on a thread.

    `entered` is set when a batch has been taken, which `gate` holds back while it is closed.
    """

    receives = Say | Crash | Question | Job | Mute | Explode

    def __init__(
        self, address: Address, log: Log, entered: threading.Event, gate: threading.Event
    ) -> None:
        self.address = address
        self.log = log
        self.entered = entered
        self.gate = gate
        self.incarnation = 0

    def started(self) -> None:
        self.incarnation = self.log.start(self.address)

    def handle(self, batch: Sequence[Message]) -> Sequence[tuple[Address, Message]]:
        self.entered.set()
        assert self.gate.wait(PATIENCE_S)
        self.log.append((self.address, f"batch of {len(batch)}"))
        if any(isinstance(message, Crash | Explode) for message in batch):
            raise ValueError("crash")
        return [
            (message.reply_to, Answer(message.ticket, self.incarnation))
            for message in batch
            if isinstance(message, Question | Job)
        ]

    def stopped(self) -> None:
        self.log.append((self.address, "stopped"))


class Rig:
    """A system, its fake clock and its log."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.log = Log()
        self.entered = threading.Event()
        self.gate = threading.Event()
        self.gate.set()
        self.wakes = 0
        self.woken = threading.Event()
        self.events: list[tuple[Address, Event]] = []
        self.works: list[tuple[Address, Work | str]] = []
        self.system = System(
            clock=lambda: self.time,
            wall=lambda: self.time + 1.7e9,
            random=Random(7).random,
            emit=lambda address, event: self.events.append((address, event)),
            start_work=lambda address, work: self.works.append((address, work)),
            abort_work=lambda address, id: self.works.append((address, id)),
            wake=self.wake,
        )

    def wake(self) -> None:
        self.wakes += 1
        self.woken.set()

    # --- children ---

    def probe(
        self, address: Address, restart: Restart = Restart.PERMANENT, **more: Any
    ) -> ChildSpec:
        return ChildSpec(address, lambda ctx: Probe(ctx, self.log), restart, **more)

    def blocking(self, address: Address, **more: Any) -> ChildSpec:
        def make(_: Context) -> BlockingProbe:
            return BlockingProbe(address, self.log, self.entered, self.gate)

        return ChildSpec(address, make, blocking=True, **more)

    def start(
        self,
        *children: ChildSpec | SupervisorSpec,
        strategy: Strategy = Strategy.ONE_FOR_ONE,
        **more: Any,
    ) -> Rig:
        """Starts a root with these children and the supervisor of requests."""
        requests = SupervisorSpec("requests", Strategy.ONE_FOR_ONE)
        self.system.start_tree(SupervisorSpec("root", strategy, (*children, requests), **more))
        self.run()
        return self

    def spawn(self, address: Address, **more: Any) -> None:
        self.system.spawn(self.probe(address, Restart.TEMPORARY, **more))

    # --- doing ---

    def run(self) -> None:
        while self.system.run_ready():
            pass

    def tell(self, to: Address, *messages: Message) -> None:
        """Tells, then runs what follows from it."""
        for message in messages:
            self.system.tell(to, message)
        self.run()

    def ask(
        self, to: Address, kind: type[Command] = Question, timeout_s: float = 30.0
    ) -> Future[Any]:
        return self.system.ask(to, lambda reply_to: kind(reply_to, "t"), timeout_s)

    def advance(self, seconds: float) -> None:
        """Lets time pass, from timer to timer."""
        until = self.time + seconds
        while (due := self.system.next_timer()) is not None and due <= until:
            self.time = max(self.time, due)
            self.system.fire_timers()
            self.run()
        self.time = until

    def until(self, true: Callable[[], bool]) -> None:
        """Runs, and waits for other threads, until something is true."""
        while True:
            self.woken.clear()
            self.run()
            if true():
                return
            assert self.woken.wait(PATIENCE_S), "nothing came from the other threads"

    def close(self) -> None:
        """Ends everything; threads have ended when this returns."""
        self.gate.set()
        self.system.shutdown()
        self.until(lambda: self.system.ended)


def error_of(future: pykka.Future[Any]) -> BaseException | None:
    """What a settled future holds instead of a value."""
    assert isinstance(future, Future)
    assert future.done()
    try:
        future.get(timeout=0)
    except Exception as error:  # noqa: BLE001  whatever it is, it is what was asked for
        return error
    return None
