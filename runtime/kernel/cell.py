"""A cell: the pykka actor that hosts a replaceable behaviour on the dispatcher.

It has no thread and no task.  The system gives it a turn when something lies in its mailbox; in a
turn it handles at most 64 messages, and before each it looks again whether it still lives.
Whatever a behaviour raises, `SystemExit` and its like included, is the cell's failure alone:
pykka would stop every actor of the process.

Two ways to start: `Cell.start(...)` is pykka's own, with a urn and a place in pykka's registry,
for what lives long; `Cell.launch(...)` spares both, for what is spawned by the thousand.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import msgspec
import pykka

from actors.base import Actor, ChildSpec, Message, Restart, Timer
from runtime.kernel.codec import KILL, STOP, decoder, encode
from runtime.kernel.context import CellContext
from runtime.kernel.errors import reason_of
from runtime.kernel.future import Future
from runtime.kernel.lifecycle import Lifecycle, State, Then
from runtime.kernel.mailbox import Mailbox
from runtime.kernel.refs import post
from runtime.kernel.supervision import End

if TYPE_CHECKING:
    from runtime.kernel.supervisor import Supervisor
    from runtime.kernel.system import System

__all__ = ["MESSAGES_PER_TURN", "Cell"]

logger = logging.getLogger("planhub.kernel")

MESSAGES_PER_TURN = 64

# Looking a member up in its enum costs as much as encoding a message.
STARTING, RUNNING, WAITING = State.STARTING, State.RUNNING, State.WAITING
POISONED, FAILED = End.POISONED, End.FAILED


class Cell(Lifecycle, pykka.Actor):
    """Mailbox, life and turns of one address; what it does is its behaviour's."""

    # Slots are found sooner than the attributes of an instance that pykka has looked into.
    __slots__ = (
        "_actor_ref", "_decode", "_shutdown", "_timers", "actor_inbox", "actor_stopped",
        "actor_urn", "behaviour", "leaving", "mailbox", "queued", "watching",
    )  # fmt: skip
    actor_inbox: Mailbox

    def __init__(self, system: System, spec: ChildSpec, supervisor: Supervisor) -> None:
        Lifecycle.__init__(self, system, spec, supervisor)
        self.behaviour: Actor | None = None
        self.leaving = False
        self.queued = False
        self.watching: set[str] | None = None
        self._timers: set[Timer] | None = None
        self._shutdown: Timer | None = None
        if spec.restart is Restart.TEMPORARY:
            self.actor_urn = spec.address
            self.actor_inbox = Mailbox()
        else:
            pykka.Actor.__init__(self)
            self.actor_inbox.post = partial(post, system, spec.address)
        self.mailbox = self.actor_inbox

    def __repr__(self) -> str:
        return f"<Cell {self.address}: {self.state.value}, {len(self.mailbox)} queued>"

    # --- pykka's hooks ---

    @staticmethod
    def _create_actor_inbox() -> Mailbox:
        return Mailbox()

    @staticmethod
    def _create_future() -> Future[Any]:
        return Future()

    def _start_actor_loop(self) -> None:
        self.system.enlist(self)

    @classmethod
    def launch(cls, system: System, spec: ChildSpec, supervisor: Supervisor) -> Self:
        """Starts without pykka's registry."""
        cell = cls(system, spec, supervisor)
        cell._start_actor_loop()
        return cell

    @property
    def actor_ref(self) -> pykka.ActorRef[Self]:
        """pykka's ref; of a spawned cell it is made when first asked for."""
        if not hasattr(self, "_actor_ref"):
            self.mailbox.post = partial(post, self.system, self.address)
            self.actor_stopped = threading.Event()
            self._actor_ref = pykka.ActorRef(self)
        return self._actor_ref

    # --- messages ---

    @property
    def taken(self) -> int:
        return self.mailbox.taken

    @property
    def full(self) -> bool:
        lane = self.mailbox.user
        return lane is not None and len(lane) >= self.spec.capacity

    @property
    def position(self) -> int:
        return self.mailbox.position

    @property
    def queued_messages(self) -> int:
        return len(self.mailbox)

    def accept(self, data: bytes) -> None:
        mailbox = self.mailbox
        if mailbox.user is None:
            mailbox.user = deque((data,))
        else:
            mailbox.user.append(data)
        if not self.queued:  # written out: once per message
            self.queued = True
            self.system.ready(self)

    def accept_urgent(self, data: bytes, *, first: bool = False) -> None:
        """Into the lane that is emptied before the user lane."""
        self.mailbox.push_urgent(data, first=first)
        self._queue()

    def order_stop(self) -> None:
        if self.state is RUNNING:
            self.accept_urgent(STOP, first=True)
        else:
            self.end("normal")

    def order_kill(self) -> None:
        if self.state is RUNNING:
            self.accept_urgent(KILL, first=True)
        elif self.state is STARTING:
            self._obey(KILL)

    def order_stop_after_queue(self) -> None:
        if self.state is RUNNING:
            self.accept(STOP)
        else:
            self.end("normal")

    def _queue(self) -> None:
        if not self.queued:
            self.queued = True
            self.system.ready(self)

    # --- turns ---

    def turn(self) -> None:
        """Handles what is queued, urgent messages first, 64 at most."""
        if self.state is STARTING:
            self._start_behaviour()
        mailbox = self.mailbox
        for _ in range(MESSAGES_PER_TURN):
            if self.state is not RUNNING:
                break
            if mailbox.urgent:
                self._handle(mailbox.urgent.popleft(), FAILED)
            elif mailbox.user:
                mailbox.taken += 1
                self._handle(mailbox.user.popleft(), POISONED)
            else:
                mailbox.urgent = mailbox.user = None  # ten thousand waiting cells keep no lanes
                self.queued = False
                return
        if self.state is STARTING or (self.state is RUNNING and not mailbox.empty()):
            self.system.ready(self)
        else:
            self.queued = False

    def _start_behaviour(self) -> None:
        self.leaving = False
        try:
            self.behaviour = behaviour = self.spec.make(CellContext(self.system, self))
            self._decode = decoder(type(behaviour))
            self.state = RUNNING
            behaviour.started()
        except BaseException as error:  # noqa: BLE001  contained: pykka would stop every actor
            self._failed(error, FAILED)
            return
        if self.leaving:
            self._leave()

    def _handle(self, data: bytes, blame: End) -> None:
        if data is STOP or data is KILL:
            self._obey(data)
            return
        decode = self._decode
        try:
            message = decode(data)
        except msgspec.DecodeError:
            self.system.dead_letters.record("unreadable", self.address, data)
            return
        assert self.behaviour is not None
        try:
            self.behaviour.receive(message)
        except BaseException as error:  # noqa: BLE001  contained: pykka would stop every actor
            if blame is POISONED:
                self.system.dead_letters.record("poison", self.address, data)
            self._failed(error, blame)
            return
        if self.leaving:
            self._leave()

    def _obey(self, order: bytes) -> None:
        if order is KILL:
            self._abandon()
            self._finished(FAILED, "killed")
        else:
            reason = "shutdown" if self.draining else "normal"
            self._say_goodbye(reason)
            self.end(reason)

    def _leave(self) -> None:
        """The behaviour wants to end."""
        self._say_goodbye("normal")
        self._finished(End.NORMAL, "normal")

    def _failed(self, error: BaseException, end: End) -> None:
        logger.error("%s crashed", self.address, exc_info=error)
        self._abandon()
        self._finished(end, reason_of(error))

    # --- the ends of incarnations ---

    def begin(self) -> None:
        self.state = STARTING
        self._queue()

    def suspend(self, reason: str, then: Then) -> None:
        if self.state is not WAITING:
            self._say_goodbye(reason)
            self.announce(reason)
        then()

    def drain(self, then: Then) -> None:
        if self.state is not RUNNING:
            self.end("shutdown")
            then()
            return
        self._then = then
        self.accept(STOP)
        deadline = self.system.clock() + self.spec.shutdown_s
        self._shutdown = self.system.arm(deadline, self._shut_down)

    def _shut_down(self, _: Timer) -> None:
        """What is queued could not be handled in time."""
        self._say_goodbye("shutdown")
        self.end("shutdown")

    def _release(self) -> None:
        if self._shutdown is not None:
            self.system.cancel(self._shutdown)
        for data in self.mailbox.leftovers():
            self.system.dead_letters.record("stopped", self.address, data)
        if hasattr(self, "_actor_ref"):
            self.actor_stopped.set()
            if self.spec.restart is not Restart.TEMPORARY:
                pykka.ActorRegistry.unregister(self._actor_ref)

    def _say_goodbye(self, reason: str) -> None:
        """Ends the incarnation, having told its behaviour."""
        behaviour = self.behaviour
        if behaviour is not None and self.state is RUNNING:
            try:
                behaviour.stopped(reason)
            except BaseException:  # contained, and it has ended anyway
                logger.exception("%s failed while it stopped", self.address)
        self._abandon()

    def _abandon(self) -> None:
        self.state = WAITING
        self.behaviour = None
        self.mailbox.forget_incarnation()
        timers, self._timers = self._timers, None
        for timer in timers or ():
            self.system.cancel(timer)
        watching, self.watching = self.watching, None
        for address in watching or ():
            self.system.monitors.unwatch(self.address, address)

    # --- timers ---

    def after(self, delay_s: float, message: Message) -> Timer:
        """Tells itself `message` later, unless this incarnation has ended by then."""
        at = self.system.clock() + delay_s
        timer = self.system.arm(at, partial(self._ring, encode(message)))
        if self._timers is None:
            self._timers = set()
        self._timers.add(timer)
        return timer

    def cancel_timer(self, timer: Timer) -> None:
        if self._timers is not None and timer in self._timers:
            self._timers.discard(timer)
            self.system.cancel(timer)

    def _ring(self, data: bytes, timer: Timer) -> None:
        assert self._timers is not None
        self._timers.discard(timer)
        self.accept(data)
