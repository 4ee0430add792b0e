"""The circuit breaker: when a vendor is left alone, and when it is tried again.

Everything that changes a breaker's state is in this file, as a table of states and events:

- **closed**: calls pass.  `TROUBLE` consecutive failures, or half of at least `ENOUGH` calls
  within `WINDOW_S`, trip it.
- **open**: nothing passes for a while: 1 s at first, twice as long each time the probe after it
  fails too, at most `LONGEST_S`; short again after a success.
- **half-open**: the while is over, and one call may pass: the probe.
- **probing**: the probe is out, and nothing else passes until it ends.  Success closes, failure
  opens; a probe that was given up says nothing, and the next call is the probe.

Two rules keep it honest.  What counts is the vendor's conduct alone: a request that could not
have succeeded anywhere is no failure of the vendor's (:data:`ENDINGS`).  And once the breaker has
left *closed*, calls that were sent before say nothing new: only the probe is listened to.

A vendor that asks for a pause (429 with Retry-After) gets it, from whatever state; that is no
failure and lengthens nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from enum import Enum

from actors.protocol import CallErrorKind

TROUBLE = 5
ENOUGH = 10
WINDOW_S = 30.0
SHORTEST_S = 1.0
LONGEST_S = 60.0
LONGEST_PAUSE_S = 3600.0
"""A vendor that asks for more is tried again after this."""


class State(Enum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"
    PROBING = "probing"


class Event(Enum):
    TRIP = "too many failures"
    PAUSE = "the vendor asked for a pause"
    ELAPSE = "the open time is over"
    PROBE = "the probe is sent"
    SUCCEED = "the probe was answered"
    FAIL = "the probe failed"
    ABANDON = "the probe was given up"


class Ending(Enum):
    """What the end of a call says of its vendor."""

    ANSWERED = "it serves"
    FAILED = "it does not"
    SPOKE = "it lives; whether it serves this call would not show"
    SILENT = "nothing"


TRANSITIONS: Mapping[State, Mapping[Event, State]] = {
    State.CLOSED: {Event.TRIP: State.OPEN, Event.PAUSE: State.OPEN},
    State.OPEN: {Event.ELAPSE: State.HALF_OPEN, Event.PAUSE: State.OPEN},
    State.HALF_OPEN: {Event.PROBE: State.PROBING, Event.PAUSE: State.OPEN},
    State.PROBING: {
        Event.SUCCEED: State.CLOSED,
        Event.FAIL: State.OPEN,
        Event.ABANDON: State.HALF_OPEN,
        Event.PAUSE: State.OPEN,
    },
}

ENDINGS: Mapping[CallErrorKind, Ending] = {
    "transient": Ending.FAILED,
    "timeout": Ending.FAILED,
    "malformed": Ending.FAILED,
    "crashed": Ending.FAILED,
    "rate_limited": Ending.FAILED,  # without Retry-After; with it, it is a pause
    "context_overflow": Ending.SPOKE,
    "fatal": Ending.SPOKE,
    "refused": Ending.SPOKE,
    "empty": Ending.SPOKE,
    "parameter": Ending.SPOKE,
    "cancelled": Ending.SILENT,
    "unavailable": Ending.SILENT,
    "overloaded": Ending.SILENT,
}

_OF_PROBE: Mapping[Ending, Event] = {
    Ending.ANSWERED: Event.SUCCEED,
    Ending.SPOKE: Event.SUCCEED,
    Ending.FAILED: Event.FAIL,
    Ending.SILENT: Event.ABANDON,
}


class IllegalTransition(Exception):
    """A breaker was told of what cannot happen in its state: a defect of its owner."""


def after(state: State, event: Event) -> State:
    """Raises: IllegalTransition, for a pair that the table does not have."""
    try:
        return TRANSITIONS[state][event]
    except KeyError:
        raise IllegalTransition(f"{event.name} while {state.value}") from None


# Looking a member up in its enum costs more than what is done with it here, at every call.
_CLOSED, _OPEN = State.CLOSED, State.OPEN
_HALF_OPEN, _PROBING = State.HALF_OPEN, State.PROBING
_ANSWERED, _FAILED = Ending.ANSWERED, Ending.FAILED


class Breaker:
    """One per vendor.  Its owner asks `admits` before a call, then tells `sent` and `ended`.

    `why` says what opened it; `retry_at` is when the open time is or was over, None while closed.
    """

    def __init__(self) -> None:
        self.state = _CLOSED
        self.why = ""
        self.retry_at: float | None = None
        self._recent = _Recent()
        self._probe: str | None = None
        self._open_s = SHORTEST_S

    def __repr__(self) -> str:
        return f"<Breaker {self.state.value}>"

    def admits(self, now: float) -> bool:
        """Whether a call may be sent now; time alone brings an open breaker to half-open."""
        if self.state is _OPEN and self.retry_at is not None and now >= self.retry_at:
            self._apply(Event.ELAPSE)
        return self.state is _CLOSED or self.state is _HALF_OPEN

    def sent(self, call: str) -> None:
        """A call that was admitted goes out.  Raises: IllegalTransition, if none may."""
        if self.state is not _CLOSED:
            self._apply(Event.PROBE)
            self._probe = call

    def ended(self, call: str, ending: Ending, now: float) -> None:
        """A call that was sent has ended."""
        if self.state is _PROBING and call == self._probe:
            self._judge_probe(ending, now)
        elif self.state is _CLOSED and (ending is _ANSWERED or ending is _FAILED):
            self._recent.add(ending is _FAILED, now)
            if ending is _FAILED and (trouble := self._recent.trouble()):
                self._apply(Event.TRIP)
                self._open(now, trouble)

    def paused(self, for_s: float, now: float) -> None:
        """The vendor asked to be left alone for so long; a longer time that runs is kept."""
        until = now + min(max(for_s, 0.0), LONGEST_PAUSE_S)
        if self.state is _OPEN and self.retry_at is not None:
            until = max(until, self.retry_at)
        self._apply(Event.PAUSE)
        self.retry_at = until
        self.why = "it asked for a pause"

    def _judge_probe(self, ending: Ending, now: float) -> None:
        event = _OF_PROBE[ending]
        self._apply(event)
        if event is Event.FAIL:
            self._open_s = min(self._open_s * 2, LONGEST_S)
            self._open(now, "it fails still")
        elif event is Event.SUCCEED:
            self._open_s = SHORTEST_S
            self._recent = _Recent()
            self.retry_at = None
            self.why = ""

    def _open(self, now: float, why: str) -> None:
        self.retry_at = now + self._open_s
        self.why = why

    def _apply(self, event: Event) -> None:
        self.state = after(self.state, event)
        if self.state is not _PROBING:
            self._probe = None


class _Recent:
    """The calls of the last `WINDOW_S`, counted by the second so that memory is bounded."""

    def __init__(self) -> None:
        self._seconds: deque[list[int]] = deque()  # second, calls, failures
        self._in_a_row = 0

    def add(self, failed: bool, now: float) -> None:
        self._in_a_row = self._in_a_row + 1 if failed else 0
        second = int(now)
        if not self._seconds or self._seconds[-1][0] != second:
            self._seconds.append([second, 0, 0])
        self._seconds[-1][1] += 1
        self._seconds[-1][2] += failed
        while self._seconds[0][0] <= now - WINDOW_S:
            self._seconds.popleft()

    def trouble(self) -> str:
        """What is wrong, as a phrase; empty when not enough is."""
        if self._in_a_row >= TROUBLE:
            return f"{self._in_a_row} failures in a row"
        if not self._in_a_row:
            return ""
        calls = sum(count for _, count, _ in self._seconds)
        failures = sum(count for _, _, count in self._seconds)
        if calls >= ENOUGH and 2 * failures >= calls:
            return f"{failures} of {calls} calls failed within {WINDOW_S:.0f} s"
        return ""
