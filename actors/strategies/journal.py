"""What a run was told, in order: all it takes to carry it out again.

A :class:`~actors.strategies.run.Run` is a function of its inputs: the answers to what it started,
the rounds whose time was up, and its being given up.  A :class:`Step` is one of them.  A run that
is told the same steps does the same things, so whoever performs only what is left at the end
carries on where the journal stops, and asks nobody twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias, assert_never

import msgspec

from actors.protocol import BallotBuilt, RepairVerdict, Step, Verdict, VerdictUnreadable
from actors.strategies.actions import (
    Action,
    Announce,
    AskJudge,
    AskRouter,
    CancelCall,
    CloseRound,
    Died,
    Done,
    OpenRound,
    StartCall,
)
from actors.strategies.plan import Answered, Chosen, Unanswered, UnansweredKind
from actors.strategies.run import Run

Told: TypeAlias = (
    Answered | Unanswered | Chosen | BallotBuilt | Verdict | RepairVerdict | VerdictUnreadable
)
"""What a run can be answered."""

_ENCODER = msgspec.msgpack.Encoder()
_TOLD = msgspec.msgpack.Decoder(Told)
_KIND = msgspec.msgpack.Decoder(UnansweredKind)


def answer_step(number: int, key: int, told: Told) -> Step:
    """`told` was the answer to what had been started under `key`."""
    return Step(number, "answer", key, _ENCODER.encode(told))


def expire_step(number: int, key: int) -> Step:
    """The time of the round opened under `key` was up."""
    return Step(number, "expire", key, b"")


def give_up_step(number: int, kind: UnansweredKind) -> Step:
    """The whole run was given up."""
    return Step(number, "give_up", 0, _ENCODER.encode(kind))


def told_by(step: Step) -> Told:
    """The answer that a step of kind `answer` brought.  Raises msgspec.DecodeError."""
    told: Told = _TOLD.decode(step.body)
    return told


def take(run: Run, step: Step) -> list[Action]:
    """Tells `run` one step."""
    match step.kind:
        case "answer":
            return run.resume(step.key, told_by(step))
        case "expire":
            return run.expire(step.key)
        case "give_up":
            return run.give_up(_KIND.decode(step.body))
        case _:
            assert_never(step.kind)


def carry_on(run: Run, steps: Sequence[Step]) -> list[Action]:
    """Begins `run`, tells it the steps, and gives what is left to be done, in its order.

    That is: rounds still open, then calls and questions not answered yet, or the run's end.  Raises
    msgspec.DecodeError for steps that cannot be read.
    """
    rounds: dict[int, Action] = {}
    started: dict[int, Action] = {}
    for actions in (run.begin(), *(take(run, step) for step in steps)):
        for action in actions:
            match action:
                case Done() | Died():
                    return [action]
                case OpenRound(key):
                    rounds[key] = action
                case CloseRound(key):
                    del rounds[key]
                case StartCall(key) | AskRouter(key) | AskJudge(key):
                    started[key] = action
                case CancelCall() | Announce():
                    pass  # it has been done
                case _:
                    assert_never(action)
    return [*rounds.values(), *(started[key] for key in run.outstanding)]
