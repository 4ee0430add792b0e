"""A context that records: what an actor does to the outside, as lists to assert on."""

from __future__ import annotations

from actors.base import Address, ChildSpec, Command, Message, Timer, Work
from actors.events import Event


class FakeContext:
    """Time stands where `time` says; timers fire when `advance` passes them."""

    def __init__(self, address: Address = "subject", *, draws: tuple[float, ...] = ()) -> None:
        self._address = address
        self.time = 1000.0
        self.wall_time = 1_790_000_000.0
        self.told: list[tuple[Address, Message]] = []
        self.started: list[Work] = []
        self.aborted: list[str] = []
        self.events: list[Event] = []
        self.spawned: list[ChildSpec] = []
        self.monitored: set[Address] = set()
        self.timers: dict[Timer, tuple[float, Message]] = {}
        self.stopped = False
        self._draws = list(draws)
        self._next_timer = 0

    @property
    def address(self) -> Address:
        return self._address

    def tell(self, to: Address, message: Message) -> None:
        self.told.append((to, message))

    def reply(self, command: Command, message: Message) -> None:
        self.tell(command.reply_to, message)

    def spawn(self, spec: ChildSpec) -> Address:
        self.spawned.append(spec)
        return spec.address

    def monitor(self, address: Address) -> None:
        self.monitored.add(address)

    def demonitor(self, address: Address) -> None:
        self.monitored.discard(address)

    def after(self, delay_s: float, message: Message) -> Timer:
        self._next_timer += 1
        self.timers[self._next_timer] = (self.time + delay_s, message)
        return self._next_timer

    def cancel_timer(self, timer: Timer) -> None:
        self.timers.pop(timer, None)

    def start(self, work: Work) -> None:
        self.started.append(work)

    def abort(self, work_id: str) -> None:
        self.aborted.append(work_id)

    def is_watched(self) -> bool:
        return True

    def emit(self, event: Event) -> None:
        self.events.append(event)

    def stop(self) -> None:
        self.stopped = True

    def now(self) -> float:
        return self.time

    def wall(self) -> float:
        return self.wall_time

    def random(self) -> float:
        return self._draws.pop(0) if self._draws else 0.5

    # --- for the test ---

    def take(self, to: Address | None = None) -> list[Message]:
        """What was told (to `to`) since the last take, oldest first."""
        taken = [message for address, message in self.told if to in (None, address)]
        self.told = [(a, m) for a, m in self.told if to is not None and a != to]
        return taken

    def advance(self, seconds: float) -> list[Message]:
        """Moves time on and returns the messages of the timers that are due, in their order."""
        self.time += seconds
        due = sorted((at, timer) for timer, (at, _) in self.timers.items() if at <= self.time)
        return [self.timers.pop(timer)[1] for _, timer in due]
