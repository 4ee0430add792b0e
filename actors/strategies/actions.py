"""What a :class:`~actors.strategies.run.Run` wants done, and the two ways it ends."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from actors.errors import PlanError
from actors.protocol import Ballot, Reading, Role
from actors.strategies.plan import Call, Check, Choose, Finish, Note, Result


class StrategyFailed(Exception):
    """A plan raised what is no PlanError, or yielded what is no step: a defect of ours."""


class StartCall(Struct, frozen=True, gc=False):
    """Make this call, then `resume(key, outcome)`."""

    key: int
    call: Call


class AskRouter(Struct, frozen=True, gc=False):
    """Ask the Router, then `resume(key, chosen)`."""

    key: int
    choose: Choose


class AskJudge(Struct, frozen=True, gc=False):
    """Ask the Judge, then `resume(key, its reply)`."""

    key: int
    about: Ballot | Reading


class AskValidator(Struct, frozen=True, gc=False):
    """Have this checked, then `resume(key, validated)`."""

    key: int
    check: Check


class Announce(Struct, frozen=True, gc=False):
    """Tell the run's watchers; nothing is waited for."""

    note: Note


class CancelCall(Struct, frozen=True, gc=False):
    """The call started under `key` is not needed any more."""

    key: int


class OpenRound(Struct, frozen=True, gc=False):
    """A round begins with so many branches; the calls it starts with follow in the same list.

    `depth` is 0 for rounds of the run's own plan.  `leave_s` and `finish` as in
    :class:`~actors.strategies.plan.Round`.
    """

    key: int
    calls: int
    leave_s: float
    finish: Finish | None
    depth: int = 0


class Grace(Struct, frozen=True, gc=False):
    """Most of a round have answered: `expire(key, "late")` once it has been open twice as long."""

    key: int


class CloseRound(Struct, frozen=True, gc=False):
    """A round has ended; `role` is what its first call was for, None when it had no call."""

    key: int
    role: Role | None
    answered: int
    failed: int
    depth: int = 0


class Done(Struct, frozen=True, gc=False):
    result: Result


class Died(Struct, frozen=True):
    error: PlanError | StrategyFailed


Action: TypeAlias = (
    StartCall
    | AskRouter
    | AskJudge
    | AskValidator
    | Announce
    | CancelCall
    | OpenRound
    | Grace
    | CloseRound
    | Done
    | Died
)
