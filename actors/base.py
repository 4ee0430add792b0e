"""What an actor is, and the port through which it reaches the outside.

An actor is a behaviour: a class whose `receive` decides synchronously, with no I/O.  A cell of the
runtime hosts it, feeds it one message at a time and replaces it when it raises.  Everything an
actor may do to the world goes through its :class:`Context`.

Rules that every actor follows:

1. A message is a frozen :class:`Message`; it is encoded when it is told and decoded when it is
   received, so nothing mutable is ever shared.
2. An :data:`Address` is a name (`"router"`, `"pool:openai"`, `"run:5f3c…"`); it stays valid
   across restarts of what it names.
3. A command that wants an answer carries `reply_to` and a `ticket`; the answer carries the same
   `ticket`.
4. A handler that raises has failed: the supervisor decides what becomes of its actor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, Protocol, TypeAlias

from msgspec import Struct

from actors.dispatch import Table, table
from actors.events import Event

Address: TypeAlias = str
Timer: TypeAlias = int


class Message(Struct, frozen=True, gc=False, tag=True, array_like=True):
    """What crosses a mailbox: frozen, tagged with its class name, holding values and tuples."""

    new_work: ClassVar[bool] = False
    """True for commands that a full mailbox refuses, with :class:`Overloaded`; all else enters."""


class Command(Message, frozen=True, gc=False):
    """A message that is answered: to `reply_to`, by a message with the same `ticket`."""

    reply_to: Address
    ticket: str


class Overloaded(Message, frozen=True, gc=False):
    """Answer of a full mailbox to new work; nothing was begun."""

    ticket: str


ABSENT = "absent"
"""The reason of a :class:`Down` when nobody is at the address at all."""


class Down(Message, frozen=True, gc=False):
    """An actor that this one monitors has ended; system lane.

    `reason` is `"normal"`, `"killed"`, :data:`ABSENT`, or the text of the exception that ended it.
    """

    address: Address
    reason: str

    @property
    def crashed(self) -> bool:
        return self.reason != "normal"


class Work(Struct, frozen=True, gc=False):
    """Something that must wait, wanted from the runtime; its result comes back as a message."""

    id: str


class Context(Protocol):
    """The port to the outside, one per cell, handed to the actor when it is made."""

    @property
    def address(self) -> Address:
        """This actor's own name."""

    def tell(self, to: Address, message: Message) -> None:
        """Sends and forgets.  To an address nobody serves it becomes a counted dead letter."""

    def reply(self, command: Command, message: Message) -> None:
        """Tells `command.reply_to`."""

    def spawn(self, spec: ChildSpec) -> Address:
        """Starts a child under the supervisor of requests and returns its address."""

    def monitor(self, address: Address) -> None:
        """Asks for one :class:`Down` when `address` ends; at once if it is not there.

        A restart of a permanent actor is an end too: its replies of before will not come.
        """

    def demonitor(self, address: Address) -> None:
        """Takes :meth:`monitor` back."""

    def after(self, delay_s: float, message: Message) -> Timer:
        """Tells this actor `message` after `delay_s` seconds; void once the actor has ended."""

    def cancel_timer(self, timer: Timer) -> None:
        """Takes :meth:`after` back; an unknown or fired timer is ignored."""

    def start(self, work: Work) -> None:
        """Begins `work` outside; its result is told to this actor."""

    def abort(self, work_id: str) -> None:
        """Gives up work begun here.  Its result still comes, saying how far it had got."""

    def is_watched(self) -> bool:
        """Whether anybody would see what this actor emits: else it need not be made."""

    def emit(self, event: Event) -> None:
        """Publishes an event to whoever watches."""

    def stop(self) -> None:
        """Ends this actor, with reason `"normal"`, after the present message."""

    def now(self) -> float:
        """Monotonic seconds; for deadlines, backoff, breakers and rates."""

    def wall(self) -> float:
        """Seconds since the epoch, UTC; for months and records."""

    def random(self) -> float:
        """The next draw in [0, 1) of this engine's source."""


class Actor:
    """A behaviour.  Subclasses name the union of what they receive in `receives`; a method, theirs
    or one of their `parts`, :func:`~actors.dispatch.handles` each of it.
    """

    receives: ClassVar[Any] = None
    parts: ClassVar[Mapping[str, type]] = {}
    handlers: ClassVar[Table] = {}

    def __init_subclass__(cls) -> None:
        cls.handlers = table(cls, cls.receives, cls.parts)

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx

    def started(self) -> None:
        """Called once before the first message, after each restart too."""

    def receive(self, message: Any) -> None:
        """Decides on one message.  Raising is failing."""
        self.handlers[type(message)](self)(message)

    def stopped(self, reason: str) -> None:
        """Called once at the end, but not after a failure."""


class Restart(Enum):
    """When a supervisor starts a child again."""

    PERMANENT = "always"
    TRANSIENT = "after an abnormal end"
    TEMPORARY = "never"


class Strategy(Enum):
    """Whom a supervisor restarts when one child fails."""

    ONE_FOR_ONE = "that child"
    REST_FOR_ONE = "that child and those started after it"
    ONE_FOR_ALL = "all children"


class ChildSpec(Struct, frozen=True):
    """How to start, restart and stop one child.

    `make` gives a fresh behaviour for each incarnation: an :class:`Actor`, or for `blocking`
    children whatever the runtime runs on a thread of its own.
    """

    address: Address
    make: Callable[[Context], Any]
    restart: Restart = Restart.PERMANENT
    shutdown_s: float = 5.0
    capacity: int = 10_000
    blocking: bool = False


@dataclass(frozen=True)
class SupervisorSpec:
    """A supervisor as data: its strategy, its children in starting order, its patience.

    More than `intensity` restarts within `period_s` end the supervisor with its children, and
    the supervisor above decides.  Between restarts it waits `backoff_s`, doubled each time up to
    `backoff_max_s`, with jitter.
    """

    address: Address
    strategy: Strategy
    children: tuple[ChildSpec | SupervisorSpec, ...] = ()
    intensity: int = 3
    period_s: float = 5.0
    backoff_s: float = 0.05
    backoff_max_s: float = 5.0
    restart: Restart = Restart.PERMANENT
