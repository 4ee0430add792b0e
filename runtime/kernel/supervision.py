"""What a supervisor decides, as data: who is restarted when, and when it gives up.

Rules:

1. Permanent children are started again after every end, transient ones after an abnormal one,
   temporary ones never.
2. Whom a restart concerns is the strategy's matter: that child, it and those started after it, or
   all.
3. Each restart counts against the intensity: more than `intensity` within `period_s`, and the
   supervisor gives up and its own supervisor decides.
4. A crash over a message from the mailbox's user lane (a *poison* message) is counted apart and
   never makes a supervisor give up: the message is gone, and whoever can send a bad message could
   otherwise end the tree.  What counts are ends that no message is to blame for: a behaviour
   that cannot be made or started, that crashes over a `Down`, was killed, or stopped itself.
5. Every restart waits: `backoff_s`, doubled with each restart of that child, at most
   `backoff_max_s`, times a draw between one half and one.  A child that then lives for longer than
   `period_s` and `backoff_max_s` begins anew at `backoff_s`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from actors.base import Restart, Strategy, SupervisorSpec

__all__ = ["Decision", "End", "Escalate", "Forget", "History", "RestartIn", "decide", "victims"]


class End(Enum):
    """How an incarnation ended."""

    NORMAL = "it stopped itself"
    POISONED = "it crashed over a message"
    FAILED = "it failed with no message to blame, or was killed"


@dataclass(frozen=True)
class Forget:
    """The child has ended for good."""


@dataclass(frozen=True)
class RestartIn:
    """The child, and whom the strategy adds, start again after a wait."""

    delay_s: float


@dataclass(frozen=True)
class Escalate:
    """Too many failures: the supervisor ends with all its children."""


Decision: TypeAlias = Forget | RestartIn | Escalate


@dataclass
class History:
    """What a supervisor remembers: ends that counted in the window, and each child's restarts."""

    ends: deque[float] = field(default_factory=deque)
    restarts: dict[int, tuple[int, float]] = field(default_factory=dict)

    def too_many(self, spec: SupervisorSpec, now: float) -> bool:
        """Notes an end that counts; True when that is more than the supervisor bears."""
        self.ends.append(now)
        while self.ends[0] <= now - spec.period_s:
            self.ends.popleft()
        return len(self.ends) > spec.intensity

    def backoff(self, spec: SupervisorSpec, child: int, now: float) -> float:
        """Notes a restart of `child` and says how long it waits, before jitter."""
        count, last = self.restarts.get(child, (0, now))
        if now > last + max(spec.period_s, spec.backoff_max_s):
            count = 0
        delay_s = min(spec.backoff_s * 2.0 ** min(count, 60), spec.backoff_max_s)
        self.restarts[child] = (count + 1, now + delay_s)
        return delay_s


def decide(
    spec: SupervisorSpec,
    restart: Restart,
    child: int,
    end: End,
    history: History,
    now: float,
    draw: float,
) -> Decision:
    """What becomes of the child at index `child`; `history` is brought up to date.

    `draw` is a random number in [0, 1).
    """
    if restart is Restart.TEMPORARY or (restart is Restart.TRANSIENT and end is End.NORMAL):
        return Forget()
    if end is not End.POISONED and history.too_many(spec, now):
        return Escalate()
    return RestartIn(history.backoff(spec, child, now) * (0.5 + draw / 2))


def victims(strategy: Strategy, child: int, count: int) -> range:
    """The indices of the children that are restarted together with `child`, in starting order."""
    match strategy:
        case Strategy.ONE_FOR_ONE:
            return range(child, child + 1)
        case Strategy.REST_FOR_ONE:
            return range(child, count)
        case Strategy.ONE_FOR_ALL:
            return range(count)
