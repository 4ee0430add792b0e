"""Work that blocks, in a thread of its own: a database driver, for one.

A blocking cell is told things and supervised like any other.  In its turn it passes on what it was
told: a thread woken sooner finds the interpreter taken.  The thread takes everything that has
arrived as one batch, has the behaviour handle that once, and hands all replies to the system
with one wake-up.  The inbox outlives a restart; the batch that crashed does not, and its askers
hear of the end.

An incarnation is a *shift*: one thread from `started` to its report.  Threads cannot be
interrupted, so one that does not end within `shutdown_s` is left behind (it is a daemon); it takes
nothing more from the inbox, and what it still replies is dropped.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
import pykka

from actors.base import Address, ChildSpec, Message, Timer
from runtime.kernel.codec import STOP, decoder
from runtime.kernel.errors import reason_of
from runtime.kernel.future import Future
from runtime.kernel.inbox import Inbox, Shift
from runtime.kernel.lifecycle import Lifecycle, State, Then
from runtime.kernel.refs import post
from runtime.kernel.supervision import End

if TYPE_CHECKING:
    from runtime.kernel.supervisor import Supervisor
    from runtime.kernel.system import System

__all__ = ["BlockingActor", "BlockingCell", "BlockingContext"]

logger = logging.getLogger("planhub.kernel")

JOIN_S = 1.0


class BlockingContext:
    """What a blocking actor may do besides replying; safe on its thread."""

    __slots__ = ("_system", "address")

    def __init__(self, system: System, address: Address) -> None:
        self._system = system
        self.address = address

    def tell(self, to: Address, message: Message) -> None:
        self._system.tell(to, message)

    def now(self) -> float:
        return self._system.clock()

    def wall(self) -> float:
        return self._system.wall()


class BlockingActor:
    """A behaviour that may block.  All of it, `__init__` included, runs on the cell's thread."""

    receives: ClassVar[Any] = None

    def started(self) -> None:
        """Called once before the first batch, after each restart too."""

    def handle(self, batch: Sequence[Message]) -> Sequence[tuple[Address, Message]]:
        """Handles what has arrived, in order, and returns whom to tell what.

        Raising is failing, and the whole batch is lost.
        """
        raise NotImplementedError

    def stopped(self) -> None:
        """Called once at the end, but not after a failure."""


class BlockingCell(Lifecycle, pykka.ThreadingActor):
    """Hosts a :class:`BlockingActor` on a thread of its own."""

    use_daemon_thread = True
    actor_inbox: Inbox

    def __init__(self, system: System, spec: ChildSpec, supervisor: Supervisor) -> None:
        Lifecycle.__init__(self, system, spec, supervisor)
        pykka.ThreadingActor.__init__(self)
        self.inbox = self.actor_inbox
        self.inbox.post = partial(post, system, spec.address)
        self._shift: Shift | None = None
        self._suspended: tuple[str, Then] | None = None
        self._patience: Timer | None = None

    def __repr__(self) -> str:
        return f"<BlockingCell {self.address}: {self.state.value}, {self.queued_messages} queued>"

    # --- pykka's hooks ---

    @staticmethod
    def _create_actor_inbox() -> Inbox:
        return Inbox()

    @staticmethod
    def _create_future() -> Future[Any]:
        return Future()

    def _start_actor_loop(self) -> None:
        self.system.enlist(self)

    # --- the thread ---

    def _run(self, shift: Shift) -> None:
        try:
            self._work(shift)
        except BaseException as error:  # noqa: BLE001  contained: pykka would stop every actor
            shift.error = error
        self.system.hand_over(partial(self._reported, shift))

    def _work(self, shift: Shift) -> None:
        context: Any = BlockingContext(self.system, self.address)
        behaviour: BlockingActor = self.spec.make(context)
        decode = decoder(type(behaviour))
        behaviour.started()
        while not shift.leaving:
            taken = self.inbox.take(shift)
            shift.lost = taken
            batch = self._decoded(decode, taken)
            if batch:
                replies = tuple(behaviour.handle(batch))
                if shift is self._shift:
                    self.system.tell_all(replies)
            shift.lost = []
        behaviour.stopped()

    def _decoded(self, decode: Callable[[bytes], Any], taken: list[bytes]) -> list[Message]:
        batch = []
        for data in taken:
            try:
                batch.append(decode(data))
            except msgspec.DecodeError:
                record = self.system.dead_letters.record
                self.system.hand_over(partial(record, "unreadable", self.address, data))
        return batch

    # --- the system's thread ---

    @property
    def full(self) -> bool:
        return self.queued_messages >= self.spec.capacity

    @property
    def position(self) -> int:
        return self.inbox.accepted

    @property
    def taken(self) -> int:
        return self.inbox.taken

    @property
    def queued_messages(self) -> int:
        return self.inbox.accepted - self.inbox.taken

    def accept(self, data: bytes) -> None:
        if self.inbox.push(data):
            self.system.ready(self)

    def turn(self) -> None:
        """Wakes the thread once for all that came, after those who were ready before."""
        self.inbox.pass_on()

    def order_stop(self) -> None:
        if self._shift is None:
            self.end("normal")
            return
        self._shift.ordered_to_stop = True
        self.inbox.nudge()

    def order_stop_after_queue(self) -> None:
        if self._shift is None:
            self.end("normal")
        else:
            self.accept(STOP)

    def order_kill(self) -> None:
        if self._shift is not None:
            self._abandon()
            self._finished(End.FAILED, "killed")

    def begin(self) -> None:
        self.state = State.RUNNING
        self._shift = shift = Shift()
        shift.thread = threading.Thread(
            target=self._run,
            args=(shift,),
            name=f"planhub {self.address}",
            daemon=self.use_daemon_thread,
        )
        shift.thread.start()

    def suspend(self, reason: str, then: Then) -> None:
        """The thread finishes its batch first.  Suspending or draining anew supersedes."""
        if self._shift is None:
            then()
            return
        self._suspended = (reason, then)
        self._shift.over = True
        self.inbox.nudge()
        self._be_patient()

    def drain(self, then: Then) -> None:
        if self._shift is None:
            self.end("shutdown")
            then()
            return
        self._then = then
        self._suspended = None
        self.accept(STOP)
        self._be_patient()

    def _release(self) -> None:
        for data in self.inbox.leftovers():
            self.system.dead_letters.record("stopped", self.address, data)
        pykka.ActorRegistry.unregister(self.actor_ref)
        self.actor_stopped.set()

    def _be_patient(self) -> None:
        if self._patience is not None:
            self.system.cancel(self._patience)
        at = self.system.clock() + self.spec.shutdown_s
        self._patience = self.system.arm(at, self._left_behind)

    def _left_behind(self, _: Timer) -> None:
        logger.error("%s did not end in %.1f s: left behind", self.address, self.spec.shutdown_s)
        self._abandon()
        self._conclude("killed")

    def _reported(self, shift: Shift) -> None:
        """A thread is about to end: wait for that, then draw the conclusions."""
        if shift.thread is not threading.current_thread():
            shift.thread.join(JOIN_S)
        if shift is not self._shift:
            return
        error = shift.error
        self._abandon()
        if error is None:
            self._conclude("normal")
            return
        logger.error("%s crashed", self.address, exc_info=error)
        for data in shift.lost:
            self.system.dead_letters.record("poison", self.address, data)
        if self._suspended is not None:
            self._conclude(reason_of(error))
        else:
            self._finished(End.POISONED if shift.lost else End.FAILED, reason_of(error))

    def _conclude(self, reason: str) -> None:
        """The shift ended as it was told to."""
        suspended, self._suspended = self._suspended, None
        if suspended is None:
            self.end("shutdown" if self.draining else reason)
            return
        told, then = suspended
        self.announce(told)
        then()

    def _abandon(self) -> None:
        """From here on the thread, if it still runs, is none of ours."""
        shift, self._shift = self._shift, None
        if shift is not None:
            shift.over = True
            self.inbox.nudge()
        self.state = State.WAITING
        if self._patience is not None:
            self.system.cancel(self._patience)
            self._patience = None
