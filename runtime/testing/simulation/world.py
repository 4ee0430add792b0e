"""What outlives every process of a simulation: time, vendors, what is durable, the rules."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable
from itertools import count
from random import Random

from actors.base import Address, Message
from runtime.testing.simulation.rules import Rules
from runtime.testing.simulation.scenario import EPOCH, Scenario
from runtime.testing.simulation.storage import Durable
from runtime.testing.simulation.vendors import Vendors


class World:
    """`trace` has what happened and `violations` what went wrong; what is to come is `put`."""

    def __init__(self, seed: int, scenario: Scenario) -> None:
        self.seed = seed
        self.scenario = scenario
        self.time = 0.0
        self.skew = EPOCH
        self.calm = False
        """Whether storage is spared its faults."""
        self.trace: list[tuple[float, Address, Message | str]] = []
        self.violations: list[str] = []
        self.killed: list[tuple[float, Address]] = []
        self.rules = Rules(scenario.models, self.broken)
        self.durable = Durable(self.broken)
        self.vendors = Vendors(scenario.weather, Random(f"vendors {seed}"))
        self.draw = Random(f"order {seed}")
        self._coming: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()

    def __repr__(self) -> str:
        return f"<World {self.seed}: {self.time:.3f} s, {len(self._coming)} to come>"

    def wall(self) -> float:
        return self.skew + self.time

    # --- what is to come ---

    def put(self, at: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._coming, (at, next(self._numbers), act))

    def next(self) -> float | None:
        """When something comes."""
        return self._coming[0][0] if self._coming else None

    def pass_to(self, at: float) -> None:
        """The time passes, and all that is due happens."""
        self.time = max(self.time, at)
        while self._coming and self._coming[0][0] <= self.time:
            heapq.heappop(self._coming)[2]()

    # --- what is seen ---

    def broken(self, what: str) -> None:
        self.note(f"VIOLATION {what}")
        self.violations.append(f"at {self.time:.3f} s: {what}")

    def note(self, what: str) -> None:
        self.trace.append((self.time, "*", what))

    def digest(self) -> str:
        """Of the trace, in hex."""
        hashed = hashlib.blake2b(digest_size=16)
        for line in self.trace:
            hashed.update(repr(line).encode())
        return hashed.hexdigest()
