"""The system: addresses, run queue, timers, asks and the tree; all of it synchronous.

Nothing here waits or knows of trio.  A driver (the host in production, a plain loop with virtual
time in a simulation) calls `fire_timers` and `run_ready`, and waits as `next_timer` says or until
`wake` is called.  All state belongs to one thread, that of `home`.  What other threads want is put
into one queue and carried out here; the first of a batch wakes the driver, the rest ride along.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from threading import get_ident
from typing import Any

import pykka
from msgspec.structs import replace
from pykka._envelope import Envelope
from pykka.messages import _ActorStop

from actors.base import (
    Address,
    ChildSpec,
    Command,
    Down,
    Message,
    Overloaded,
    Restart,
    SupervisorSpec,
    Timer,
    Work,
)
from actors.events import Event
from runtime.kernel.asks import PREFIX, Ask, Asks, fail
from runtime.kernel.blocking import BlockingCell
from runtime.kernel.cell import Cell
from runtime.kernel.dead_letters import DeadLetterKind, DeadLetters
from runtime.kernel.errors import ActorStopped, SystemFailed
from runtime.kernel.future import Future, Home
from runtime.kernel.lifecycle import Lifecycle
from runtime.kernel.mailbox import encode
from runtime.kernel.supervision import End
from runtime.kernel.supervisor import Child, Supervisor
from runtime.kernel.timers import Timers

__all__ = ["REQUESTS", "Statistics", "System"]

logger = logging.getLogger("planhub.kernel")

REQUESTS: Address = "requests"
"""The supervisor under which actors are spawned."""

TIMERS_PER_CALL = 256
HANDED_OVER_PER_TURN = 64
REF_ASK_S = 60.0


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
    `start_work` and `abort_work` are called on the system's thread, and must not block or raise.
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
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self.clock = clock
        self.wall = wall
        self.random = random
        self.emit = emit
        self.start_work = start_work
        self.abort_work = abort_work
        self.wake = wake
        self.home = Home()
        self.cells: dict[Address, Cell | BlockingCell] = {}
        self.dead_letters = DeadLetters(clock)
        self.restarts = 0
        self.overloaded = 0
        self.ended = False
        self.failure: SystemFailed | None = None
        self._asks = Asks(self)
        self._timers = Timers()
        self._ready: deque[Cell] = deque()
        self._handed_over: deque[Callable[[], None]] = deque()
        self._woken = False
        self._idle = False
        self._supervisors: dict[Address, Supervisor] = {}
        self._root: Supervisor | None = None
        self._closing = False

    def __repr__(self) -> str:
        state = "ended" if self.ended else "closing" if self._closing else "running"
        return f"<System {state}: {len(self.cells)} cells, {len(self._ready)} ready>"

    # --- any thread ---

    def tell(self, to: Address, message: Message) -> None:
        """Sends and forgets; to an address nobody serves it becomes a counted dead letter."""
        self._here(partial(self.deliver, to, message))

    def tell_all(self, messages: Iterable[tuple[Address, Message]]) -> None:
        """Many tells, in order, with one wake-up."""
        self._here(partial(self._deliver_all, messages))

    def ask(
        self, to: Address, make_command: Callable[[Address], Command], timeout_s: float
    ) -> Future[Any]:
        """Tells the command made for a temporary address and returns the future of its reply.

        Settled always: with the reply, with :class:`ActorStopped` if `to` is not there or ends
        first, with :class:`AskTimeout` after `timeout_s`.
        """
        future: Future[Any] = Future(self.home)
        address = self._asks.new_address()
        command = make_command(address)
        self._ask(to, address, command, self.clock() + timeout_s, future)
        return future

    def spawn(self, spec: ChildSpec, under: Address = REQUESTS) -> Address:
        """Starts a temporary child of the supervisor `under` and returns its address.

        On the system's own thread, raises ValueError when the address is taken, LookupError when
        there is no such supervisor, ActorStopped when the system ends.
        """
        self._here(partial(self._spawn, spec, under))
        return spec.address

    def stop(self, address: Address) -> None:
        """Ends an actor for good after its present message; nobody starts it again."""
        self._here(partial(self._with, address, Lifecycle.order_stop))

    def kill(self, address: Address) -> None:
        """Ends an actor as if it had crashed, its behaviour unasked; it may be started again."""
        self._here(partial(self._with, address, Lifecycle.order_kill))

    def call_soon(self, function: Callable[[], None]) -> None:
        """Calls `function` on the system's thread; what it raises is logged.

        Raises ActorStopped when the system has ended.
        """
        if self.ended:
            raise ActorStopped("the system has ended")
        self.hand_over(function)

    def hand_over(self, function: Callable[[], None]) -> None:
        """Queues `function` for the system's thread and wakes the driver once per batch."""
        self._handed_over.append(function)
        if self.ended:
            self._take_over(len(self._handed_over))
        elif not self._woken:
            self._woken = True
            self.wake()

    def shutdown(self) -> None:
        """Begins the end: children handle what they have, last started first, then end.

        The driver goes on until `ended`.
        """
        self._here(self._shutdown)

    def ref(self, address: Address) -> pykka.ActorRef[Any]:
        """pykka's ref to an actor; LookupError when it is not there.  System's thread only."""
        return self.cells[address].actor_ref

    def statistics(self) -> Statistics:
        """How things stand; costs a look at every mailbox.  System's thread only."""
        return Statistics(
            cells=len(self.cells),
            ready=len(self._ready),
            timers=len(self._timers),
            asks=len(self._asks),
            mailboxed=sum(cell.queued_messages for cell in self.cells.values()),
            dead_letters=dict(self.dead_letters.counts),
            restarts=self.restarts,
            overloaded=self.overloaded,
        )

    # --- the driver ---

    def attach(self) -> None:
        """Makes the calling thread the system's own."""
        self.home.thread = get_ident()

    def detach(self) -> None:
        """Leaves the system without a thread, as an ended one should be: numbers are reused."""
        self.home.thread = 0

    def start_tree(self, spec: SupervisorSpec) -> None:
        """Starts the children of `spec`, in order."""
        assert self._root is None, "a system has one tree"
        self._root = Supervisor(self, spec, self)
        self._root.begin()

    def run_ready(self, budget_s: float = 0.001) -> bool:
        """Gives turns until nothing is ready or `budget_s` is used; True when more is ready."""
        self._woken = self._idle = False
        ready = self._ready
        until = self.clock() + budget_s
        while ready or self._handed_over:
            self._take_over(HANDED_OVER_PER_TURN)
            if ready:
                ready.popleft().turn()
            if self.clock() >= until:
                break
        more = bool(ready or self._handed_over)
        self._idle = not more
        return more

    def next_timer(self) -> float | None:
        """When `fire_timers` has something to do next, by `clock`; None: never."""
        return self._timers.next()

    def fire_timers(self) -> None:
        """Fires what is due, at most 256 timers: those left keep `next_timer` in the past."""
        self._timers.fire(self.clock(), TIMERS_PER_CALL)

    def close(self, failure: SystemFailed | None = None) -> None:
        """Ends at once: no actor is asked, every ask is settled, what was queued is counted."""
        if self.ended:
            return
        self._closing = True
        if self._root is not None:
            self._root.end("shutdown")
        self.ended = True
        self.failure = failure
        self._asks.settle_all(str(failure) if failure else "the system has ended")
        self._take_over(len(self._handed_over))
        self._stir()

    # --- cells, supervisors and asks; the system's thread ---

    def deliver(self, to: Address, message: Message) -> None:
        """`tell`, on the system's own thread."""
        cell = self.cells.get(to)
        if cell is None:
            self._deliver_to_ask(to, message)
        elif cell.full and isinstance(message, Command) and message.new_work:
            self.overloaded += 1
            self.deliver(message.reply_to, Overloaded(message.ticket))
        else:
            cell.accept(encode(message))

    def post(self, address: Address, envelope: Envelope[Any]) -> None:
        """What a pykka ref puts into an inbox; any thread.

        Raises TypeError for what is no message of ours, and for asking with a message that has no
        reply.
        """
        message, future = envelope.message, envelope.reply_to
        if isinstance(message, _ActorStop):
            self._here(partial(self._stop_for, address, future))
        elif not isinstance(message, Message):
            raise TypeError(f"{type(message).__name__} is no message: only those cross mailboxes")
        elif future is None:
            self.tell(address, message)
        elif isinstance(message, Command):
            if isinstance(future, Future):
                future.home = self.home
            reply_to = self._asks.new_address()
            command = replace(message, reply_to=reply_to)
            self._ask(address, reply_to, command, self.clock() + REF_ASK_S, future)
        else:
            raise TypeError(f"{type(message).__name__} is no command: nothing answers it")

    def arm(self, at: float, action: Callable[[Timer], None]) -> Timer:
        """Has `fire_timers` call `action` at `at`, by `clock`."""
        timer = self._timers.add(at, action)
        self._stir()
        return timer

    def cancel(self, timer: Timer) -> None:
        self._timers.cancel(timer)

    def ready(self, cell: Cell) -> None:
        """Queues `cell` for a turn."""
        self._ready.append(cell)
        if self._idle:
            self._stir()

    def make_cell(self, spec: ChildSpec, supervisor: Supervisor) -> Lifecycle:
        """A cell for `spec`, registered but not begun."""
        if self._closing:
            raise ActorStopped(f"{spec.address} cannot start: the system ends")
        if spec.address in self.cells or spec.address in self._supervisors:
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

    def enlist_supervisor(self, supervisor: Supervisor) -> None:
        self._supervisors[supervisor.address] = supervisor

    def remove(self, cell: Lifecycle) -> None:
        self.cells.pop(cell.address, None)

    def child_ended(self, child: Child, end: End, reason: str) -> None:
        """The root gave up."""
        logger.error("the system fails (%s): %s, %s", child.address, end.value, reason)
        self.close(SystemFailed(reason))

    def monitor(self, watcher: Cell, address: Address) -> None:
        """Has `watcher` told of the next end of `address`; at once if nobody is there."""
        watched = self.cells.get(address) or self._asks.get(address)
        if watched is None:
            watcher.accept_urgent(encode(Down(address, "absent")))
            return
        self.watch(watcher.address, watched)
        if watcher.watching is None:
            watcher.watching = set()
        watcher.watching.add(address)

    def demonitor(self, watcher: Cell, address: Address) -> None:
        if watcher.watching is not None:
            watcher.watching.discard(address)
        self.unwatch(watcher.address, address)

    def watch(self, watcher: Address, watched: Lifecycle | Ask) -> None:
        if watched.watchers is None:
            watched.watchers = {}
        watched.watchers[watcher] = None

    def unwatch(self, watcher: Address, address: Address) -> None:
        watched = self.cells.get(address) or self._asks.get(address)
        if watched is not None and watched.watchers:
            watched.watchers.pop(watcher, None)

    def announce(self, ended: Lifecycle | Ask, reason: str, *, final: bool) -> None:
        """Tells who watches `ended`; asks that still lie in its mailbox wait, unless `final`."""
        watchers, ended.watchers = ended.watchers, None
        for address in watchers or ():
            watcher = self.cells.get(address)
            if isinstance(watcher, Cell):
                if watcher.watching is not None:
                    watcher.watching.discard(ended.address)
                watcher.accept_urgent(encode(Down(ended.address, reason)))
                continue
            ask = self._asks.get(address)
            if ask is None or not isinstance(ended, Lifecycle):
                continue
            if final or ask.position <= ended.taken:
                self._asks.target_ended(ask, reason)
            else:
                self.watch(address, ended)

    # --- inside ---

    def _here(self, function: Callable[[], None]) -> None:
        """Calls `function` now on the system's thread, else hands it over."""
        if get_ident() == self.home.thread:
            function()
        else:
            self.hand_over(function)

    def _take_over(self, limit: int) -> None:
        """Does what other threads wanted; one failing hinders none of the others."""
        for _ in range(limit):
            try:
                function = self._handed_over.popleft()
            except IndexError:
                return
            try:
                function()
            except Exception:
                logger.exception("a call from another thread failed")

    def _stir(self) -> None:
        """The driver has gone to wait: wake it."""
        if self._idle:
            self._idle = False
            self.wake()

    def _deliver_all(self, messages: Iterable[tuple[Address, Message]]) -> None:
        for to, message in messages:
            self.deliver(to, message)

    def _deliver_to_ask(self, to: Address, message: Message) -> None:
        ask = self._asks.get(to)
        if ask is not None:
            self._asks.answer(ask, message)
        else:
            kind: DeadLetterKind = "late" if to.startswith(PREFIX) else "absent"
            self.dead_letters.record(kind, to, message)

    def _ask(
        self, to: Address, address: Address, command: Command, at: float, future: pykka.Future[Any]
    ) -> None:
        self._here(partial(self._asks.begin, to, address, command, at, future))

    def _spawn(self, spec: ChildSpec, under: Address) -> None:
        supervisor = self._supervisors.get(under)
        if supervisor is None:
            raise LookupError(f"no supervisor is called {under}")
        supervisor.spawn(spec)

    def _with(self, address: Address, order: Callable[[Lifecycle], None]) -> None:
        cell = self.cells.get(address)
        if cell is not None:
            order(cell)

    def _stop_for(self, address: Address, future: pykka.Future[Any] | None) -> None:
        cell = self.cells.get(address)
        if cell is None:
            if future is not None:
                fail(future, ActorStopped(f"{address} is not there"))
            return
        if future is not None:
            cell.settle_on_end(future)
        cell.order_stop_after_queue()

    def _shutdown(self) -> None:
        if self._closing:
            return
        self._closing = True
        if self._root is None:
            self.close()
        else:
            self._root.drain(self.close)
