"""What an asker can hear besides an answer, and what ends a system.

pykka.ActorDeadError
└── ActorStopped   the asked actor is not there, ended, or ended before it answered
pykka.Timeout, TimeoutError
├── AskTimeout     time: no answer before the ask's deadline
└── WaitTimeout    time: `get` was not to wait any longer; the ask goes on
RuntimeError
├── WrongThread    the caller: blocking on the engine's own thread would wait for itself
└── SystemFailed   us: the root supervisor, or a service beside it, gave up
"""

from __future__ import annotations

import pykka

__all__ = ["ActorStopped", "AskTimeout", "SystemFailed", "WaitTimeout", "WrongThread", "reason_of"]

LONGEST_REASON = 300


class ActorStopped(pykka.ActorDeadError):
    """The asked actor is not there, or ended before it answered."""


class AskTimeout(pykka.Timeout, TimeoutError):
    """No answer came before the ask's deadline."""


class WaitTimeout(pykka.Timeout, TimeoutError):
    """A future was not settled in the time that `get` was given; it still may be."""


class WrongThread(RuntimeError):
    """A future was waited for, blocking, on the thread that would have to settle it."""


class SystemFailed(RuntimeError):
    """The system has ended by a failure; the text is the reason."""


def reason_of(error: BaseException) -> str:
    """The text of an exception as `Down.reason` carries it."""
    return f"{type(error).__name__}: {error}"[:LONGEST_REASON]
