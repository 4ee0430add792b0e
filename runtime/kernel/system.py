"""The system: addresses, run queue, timers, asks and the tree; all of it synchronous.

Nothing here waits or knows of trio.  A driver (the host in production, a plain loop with virtual
time in a simulation) calls `fire_timers` and `run_ready`, and waits as `next_timer` says or until
`wake` is called.  All state belongs to one thread, that of `home`; what other threads want is
handed over and carried out there.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from operator import methodcaller
from threading import get_ident
from typing import Any

import pykka

from actors.base import (
    Address,
    ChildSpec,
    Command,
    Message,
    Overloaded,
    Restart,
    SupervisorSpec,
    Timer,
    Work,
)
from actors.events import Event
from runtime.kernel.asks import PREFIX, Asks, Settled
from runtime.kernel.blocking import BlockingCell
from runtime.kernel.cell import Cell
from runtime.kernel.codec import encode
from runtime.kernel.dead_letters import DeadLetterKind, DeadLetters
from runtime.kernel.errors import ActorStopped, SystemFailed
from runtime.kernel.future import Future, Home
from runtime.kernel.handover import Handover
from runtime.kernel.lifecycle import Lifecycle
from runtime.kernel.monitors import Monitors
from runtime.kernel.supervision import End
from runtime.kernel.supervisor import Child, Supervisor
from runtime.kernel.timers import Timers

__all__ = ["REQUESTS", "Statistics", "System"]

logger = logging.getLogger("planhub.kernel")

REQUESTS: Address = "requests"
"""The supervisor under which actors are spawned."""

TIMERS_PER_CALL = 256
CALLS_PER_TURN = 64


@dataclass(frozen=True)
class Statistics:
    """A picture of a system.  `overloaded` counts the new work that full mailboxes refused."""

    cells: int
    ready: int
    timers: int
    asks: int
    mailboxed: int
    dead_letters: dict[DeadLetterKind, int]
    restarts: int
    overloaded: int


class System:
    """The synchronous core; see the module's text for who calls what.

    `clock` gives monotonic seconds and is called from any thread, as is `wake`; `emit`,
    `start_work`, `abort_work` and `is_watched` are called on the system's thread, and must not
    block or raise.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        wall: Callable[[], float],
        random: Callable[[], float],
        emit: Callable[[Address, Event], None],
        start_work: Callable[[Address, Work], None],
        abort_work: Callable[[Address, str], None],
        is_watched: Callable[[Address], bool] = lambda _: True,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self.clock = clock
        self.wall = wall
        self.random = random
        self.emit = emit
        self.is_watched = is_watched
        self.start_work = start_work
        self.abort_work = abort_work
        self.home = Home()
        self.cells: dict[Address, Cell | BlockingCell] = {}
        self.supervisors: dict[Address, Supervisor] = {}
        self.asks = Asks(self)
        self.monitors = Monitors(self)
        self.dead_letters = DeadLetters(clock)
        self.restarts = 0
        self.overloaded = 0
        self.ended = False
        self.failure: SystemFailed | None = None
        self._handover = Handover(wake)
        self._timers = Timers()
        self._ready: deque[Cell | BlockingCell] = deque()
        self._idle = False
        self._root: Supervisor | None = None
        self._closing = False
        self._ending = False

    def __repr__(self) -> str:
        state = "ended" if self.ended else "closing" if self._closing else "running"
        return f"<System {state}: {len(self.cells)} cells, {len(self._ready)} ready>"

    # --- any thread ---

    def tell(self, to: Address, message: Message) -> None:
        """Sends and forgets; to an address nobody serves it becomes a counted dead letter."""
        if get_ident() == self.home.thread:
            self.deliver(to, message)
        else:
            self.hand_over(partial(self.deliver, to, message))

    def tell_all(self, messages: Iterable[tuple[Address, Message]]) -> None:
        """Many tells, in order, with one wake-up."""
        self.here(partial(self._deliver_all, messages))

    def ask(
        self, to: Address, make_command: Callable[[Address], Command], timeout_s: float
    ) -> Future[Any]:
        """Tells the command made for a temporary address and returns the future of its reply.

        Settled always: with the reply, with :class:`ActorStopped` if `to` is not there or ends
        first, with :class:`AskTimeout` after `timeout_s`.
        """
        future: Future[Any] = Future(self.home)
        self.ask_for(future, to, make_command, timeout_s)
        return future

    def ask_for(
        self,
        future: Settled,
        to: Address,
        make_command: Callable[[Address], Command],
        timeout_s: float,
    ) -> None:
        """The same for a future, or the like of it, that is there already."""
        address = self.asks.new_address()
        command = make_command(address)
        at = self.clock() + timeout_s
        self.here(partial(self.asks.begin, to, address, command, at, future))

    def spawn(self, spec: ChildSpec, under: Address = REQUESTS) -> Address:
        """Starts a temporary child of the supervisor `under` and returns its address.

        On the system's own thread, raises ValueError when the address is taken or the child is
        not temporary, LookupError when there is no such supervisor, ActorStopped when the system
        is ending; from other threads these are logged.
        """
        self.here(partial(self._spawn, spec, under))
        return spec.address

    def stop(self, address: Address) -> None:
        """Ends an actor for good after its present message; nobody starts it again."""
        self.here(partial(self._with, address, methodcaller("order_stop")))

    def kill(self, address: Address) -> None:
        """Ends an actor as if it had crashed, its behaviour unasked; it may be started again."""
        self.here(partial(self._with, address, methodcaller("order_kill")))

    def shutdown(self) -> None:
        """Begins the end: children handle what they have, last started first, then end.

        The driver goes on until `ended`.
        """
        self.here(self._shutdown)

    def call_soon(self, function: Callable[[], None]) -> None:
        """Calls `function` on the system's thread; what it raises is logged.

        Raises ActorStopped when the system has ended.
        """
        if self.ended:
            raise ActorStopped("the system has ended")
        self.hand_over(function)

    def hand_over(self, function: Callable[[], None]) -> None:
        """Like `call_soon`; once the system has ended, whatever thread is here settles things."""
        self._handover.put(function)
        if self.ended:
            self._handover.make(len(self._handover))

    def here(self, function: Callable[[], None]) -> None:
        """Calls `function` now on the system's thread, else hands it over."""
        if get_ident() == self.home.thread:
            function()
        else:
            self.hand_over(function)

    # --- the driver ---

    def attach(self, wake: Callable[[], None] | None = None) -> None:
        """Makes the calling thread the system's own; `wake` replaces the one it was made with."""
        self.home.thread = get_ident()
        if wake is not None:
            self._handover.wake = wake

    def detach(self) -> None:
        """Leaves the system without a thread, as an ended one should be: numbers are reused."""
        self.home.thread = 0

    def start_tree(self, spec: SupervisorSpec) -> None:
        """Starts the children of `spec`, in order."""
        if self._root is not None or self._closing:
            raise RuntimeError("a system has one tree, once")
        self._root = Supervisor(self, spec, self)
        self._root.begin()

    def run_ready(self, budget_s: float = 0.001) -> bool:
        """Gives turns until nothing is ready or `budget_s` is used; True when more is ready."""
        ready, handed_over, clock = self._ready, self._handover.calls, self.clock
        self._idle = False
        self._handover.begin()
        until = clock() + budget_s
        while ready or handed_over:
            if handed_over:
                self._handover.make(CALLS_PER_TURN)
            if ready:
                ready.popleft().turn()
            if clock() >= until:
                break
        self._idle = not (ready or handed_over)
        return not self._idle

    def next_timer(self) -> float | None:
        """When `fire_timers` has something to do next, by `clock`; None: never."""
        return self._timers.next()

    def fire_timers(self) -> None:
        """Fires what is due, at most 256 timers: those left keep `next_timer` in the past."""
        self._timers.fire(self.clock(), TIMERS_PER_CALL)

    def close(self, failure: SystemFailed | None = None) -> None:
        """Ends at once: no actor is asked, every ask is settled, what was queued is counted."""
        if self._ending:
            return
        self._closing = self._ending = True
        self.failure = failure  # first: whoever hears of the end on another thread asks why
        if self._root is not None:
            self._root.end(str(failure) if failure else "shutdown")
        self.ended = True
        self._ready.clear()
        self._handover.make(len(self._handover))
        self._stir()

    @property
    def why_ended(self) -> str:
        return f"the system has failed: {self.failure}" if self.failure else "the system has ended"

    def ref(self, address: Address) -> pykka.ActorRef[Any]:
        """pykka's ref to an actor; KeyError when it is not there."""
        return self.cells[address].actor_ref

    def statistics(self) -> Statistics:
        """How things stand; costs a look at every mailbox."""
        return Statistics(
            cells=len(self.cells),
            ready=len(self._ready),
            timers=len(self._timers),
            asks=len(self.asks),
            mailboxed=sum(cell.queued_messages for cell in self.cells.values()),
            dead_letters=dict(self.dead_letters.counts),
            restarts=self.restarts,
            overloaded=self.overloaded,
        )

    # --- the parts of the kernel, on the system's thread ---

    def deliver(self, to: Address, message: Message) -> None:
        """`tell`, on the system's own thread."""
        cell = self.cells.get(to)
        if cell is None:
            self._deliver_to_ask(to, message)
        elif message.new_work and cell.full:
            assert isinstance(message, Command), "only what is answered can be refused"
            self.overloaded += 1
            self.deliver(message.reply_to, Overloaded(message.ticket))
        else:
            cell.accept(encode(message))

    def ready(self, cell: Cell | BlockingCell) -> None:
        """Queues `cell` for a turn."""
        self._ready.append(cell)
        if self._idle:
            self._stir()

    def arm(self, at: float, action: Callable[[Timer], None]) -> Timer:
        """Has `fire_timers` call `action` at `at`, by `clock`."""
        timer = self._timers.add(at, action)
        self._stir()
        return timer

    def cancel(self, timer: Timer) -> None:
        self._timers.cancel(timer)

    def make_cell(self, spec: ChildSpec, supervisor: Supervisor) -> Lifecycle:
        """A cell for `spec`, registered but not begun."""
        if self._closing:
            raise ActorStopped(f"{spec.address} cannot start: the system is ending")
        if spec.address in self.cells or spec.address in self.supervisors:
            raise ValueError(f"the address {spec.address} is taken")
        if spec.blocking:
            BlockingCell.start(self, spec, supervisor)
        elif spec.restart is Restart.TEMPORARY:
            Cell.launch(self, spec, supervisor)
        else:
            Cell.start(self, spec, supervisor)
        return self.cells[spec.address]

    def enlist(self, cell: Cell | BlockingCell) -> None:
        self.cells[cell.address] = cell

    def remove(self, cell: Lifecycle) -> None:
        self.cells.pop(cell.address, None)

    def child_ended(self, child: Child, end: End, reason: str) -> None:
        """The root gave up."""
        logger.error("the system fails: %s ended (%s)", child.address, end.value)
        self.close(SystemFailed(reason))

    def forget(self, child: Child) -> None:
        """The root has ended."""
        assert child is self._root
        self._root = None

    # --- inside ---

    def _stir(self) -> None:
        """Wakes the driver if it has gone to wait."""
        if self._idle:
            self._idle = False
            self._handover.wake()

    def _deliver_all(self, messages: Iterable[tuple[Address, Message]]) -> None:
        for to, message in messages:
            self.deliver(to, message)

    def _deliver_to_ask(self, to: Address, message: Message) -> None:
        ask = self.asks.get(to)
        if ask is not None:
            self.asks.answer(ask, message)
        else:
            kind: DeadLetterKind = "late" if to.startswith(PREFIX) else "absent"
            self.dead_letters.record(kind, to, message, closing=self._closing)

    def _spawn(self, spec: ChildSpec, under: Address) -> None:
        supervisor = self.supervisors.get(under)
        if supervisor is None:
            raise LookupError(f"no supervisor is called {under}")
        supervisor.spawn(spec)

    def _with(self, address: Address, order: Callable[[Lifecycle], None]) -> None:
        cell = self.cells.get(address)
        if cell is not None:
            order(cell)

    def _shutdown(self) -> None:
        if self._closing:
            return
        self._closing = True
        if self._root is None:
            self.close()
        else:
            self._root.drain(self.close)
