"""What a run was told, in order: all it takes to carry it out again.

A :class:`~actors.strategies.run.Run` is a function of its inputs: the answers to what it started,
the rounds whose time was up, and its being given up.  A :class:`Step` is one of them.  A run that
is told the same steps does the same things, so whoever performs only what is left at the end
carries on where the journal stops, and asks nobody twice.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from typing import TypeAlias, assert_never

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from actors.domain.ballots import built
from actors.protocol import (
    Ballot,
    BallotBuilt,
    RepairVerdict,
    Step,
    Validated,
    Verdict,
    VerdictUnreadable,
)
from actors.strategies.actions import (
    Action,
    Announce,
    AskJudge,
    AskRouter,
    AskValidator,
    CancelCall,
    CloseRound,
    Died,
    Done,
    Grace,
    OpenRound,
    StartCall,
)
from actors.strategies.plan import Answered, Chosen, Unanswered, UnansweredKind
from actors.strategies.run import Run

Told: TypeAlias = (
    Answered
    | Unanswered
    | Chosen
    | BallotBuilt
    | Verdict
    | RepairVerdict
    | VerdictUnreadable
    | Validated
)
"""What a run can be answered."""


class BallotShown(Struct, frozen=True, gc=False, tag=True, array_like=True):
    """A :class:`~actors.protocol.BallotBuilt` on record: what it was built of is there already."""

    labels: tuple[str, ...]
    order: tuple[int, ...]


_ENCODER = msgspec.msgpack.Encoder()
_TOLD = msgspec.msgpack.Decoder(Told | BallotShown)
_KIND = msgspec.msgpack.Decoder(UnansweredKind)


def answer_step(number: int, key: int, told: Told) -> Step:
    """`told` was the answer to what had been started under `key`."""
    kept = BallotShown(told.labels, told.order) if isinstance(told, BallotBuilt) else told
    return Step(number, "answer", key, _ENCODER.encode(kept))


def expire_step(number: int, key: int, kind: UnansweredKind = "deadline") -> Step:
    """The time of the round opened under `key` was up, or what was missing of it was late."""
    return Step(number, "expire", key, b"" if kind == "deadline" else _ENCODER.encode(kind))


def give_up_step(number: int, kind: UnansweredKind) -> Step:
    """The whole run was given up."""
    return Step(number, "give_up", 0, _ENCODER.encode(kind))


def told_by(step: Step) -> Told | BallotShown:
    """The answer that a step of kind `answer` brought.  Raises msgspec.DecodeError."""
    told: Told | BallotShown = _TOLD.decode(step.body)
    return told


def take(run: Run, step: Step) -> list[Action]:
    """Tells `run` one step.  Raises msgspec.DecodeError for one that cannot be read."""
    match step.kind:
        case "answer":
            told = told_by(step)
            if isinstance(told, BallotShown):
                return run.resume(step.key, _built_again(told, run.asked(step.key)))
            return run.resume(step.key, told)
        case "expire":
            return run.expire(step.key, _KIND.decode(step.body) if step.body else "deadline")
        case "give_up":
            return run.give_up(_KIND.decode(step.body))
        case _:
            assert_never(step.kind)


def _built_again(shown: BallotShown, asked: object) -> BallotBuilt | None:
    """The ballot that was shown; None where nobody waits for it any more.

    Under other labels, or in another order, what was said of it would mean something else.
    """
    if not isinstance(asked, Ballot):
        return None
    again = built(asked)
    if (again.labels, again.order) != (shown.labels, shown.order):
        raise msgspec.ValidationError("the ballot is built otherwise now")
    return again


def carry_on(run: Run, steps: Sequence[Step]) -> list[Action]:
    """Begins `run`, tells it the steps, and gives what is left to be done, in its order.

    That is: rounds still open and their graces, then calls and questions not answered yet, or the
    run's end.  Raises msgspec.DecodeError for steps that cannot be read.
    """
    if not steps:
        return run.begin()
    rounds: dict[int, Action] = {}
    graces: dict[int, Action] = {}
    started: dict[int, Action] = {}
    for actions in (run.begin(), *(take(run, step) for step in steps)):
        for action in actions:
            match action:
                case Done() | Died():
                    return [action]
                case OpenRound(key):
                    rounds[key] = action
                case Grace(key):
                    graces[key] = action
                case CloseRound(key):
                    del rounds[key]
                    graces.pop(key, None)
                case StartCall(key) | AskRouter(key) | AskJudge(key) | AskValidator(key):
                    started[key] = action
                case CancelCall() | Announce():
                    pass  # it has been done
                case _:
                    assert_never(action)
    return [*rounds.values(), *graces.values(), *(started[key] for key in run.outstanding)]


def without_failures(run: Run, steps: Sequence[Step]) -> tuple[Step, ...]:
    """The journal of a run that failed, as it is to be carried on: without what failed.

    All is kept until the first call that nobody answered, the first step that ended in an error,
    or the first that gave the run up; of what came after it, the answers to calls that were under
    way by then.  `run` is a fresh one of the same order.
    """
    run.begin()
    kept: list[Step] = []
    for step in steps:
        under_way = frozenset(run.outstanding) - {step.key}
        if _fails(run, step):
            kept += _answers(steps[len(kept) + 1 :], under_way)
            break
        kept.append(step)
    return tuple(replace(step, number=number) for number, step in enumerate(kept, 1))


def _fails(run: Run, step: Step) -> bool:
    """Whether it is a failure; if not, `run` has been told."""
    if step.kind == "give_up" or isinstance(_told(step), Unanswered):
        return True
    return any(isinstance(action, Died) for action in take(run, step))


def _answers(steps: Sequence[Step], to: Container[int]) -> Iterator[Step]:
    return (step for step in steps if step.key in to and isinstance(_told(step), Answered))


def _told(step: Step) -> Told | BallotShown | None:
    return told_by(step) if step.kind == "answer" else None
