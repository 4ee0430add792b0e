"""The words a strategy speaks.

A strategy is a plain generator, a *plan*.  It yields one of these things and is sent the answer:

- :class:`Choose`: which models may take a role?  Sent a :class:`Chosen`.
- :class:`Round`: these branches together, each a :class:`Call` or a plan of its own, until the
  rule says enough.  Sent a tuple with one result per branch, in the branches' order: an
  :data:`Outcome` for a call, what the plan returned for a plan, and :class:`Unanswered` with kind
  `cancelled` for a branch that was given up because there was enough.
- :class:`Ballot` and :class:`Reading`: something of the Judge.  Sent its reply message.
- :class:`Check`: is this valid?  Sent a Validated.
- :class:`Note` and a :class:`~actors.protocol.JudgeVerdict`: nothing is asked; sent None.

When the run is given up (its deadline, its budget, a cancellation) a plan is not interrupted:
whatever it waits for and whatever it yields from then on is answered at once, calls by
:class:`Unanswered`, so that it falls through to the best it has, or to its error.

A plan returns its :class:`Result`, or raises a :class:`~actors.errors.PlanError`.  It draws no
random numbers and reads no clock: the order it is carried out for brings seed and time.  So the
journal of what it was sent is all it takes to carry it out again.

Use `yield from ask(...)`, `choose(...)` and the like instead of bare yields: they have types.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Literal, TypeAlias, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from actors.domain.model import Model, Usage
from actors.protocol import (
    Ballot,
    BallotBuilt,
    Candidate,
    JudgeVerdict,
    Profile,
    Reading,
    Refusal,
    RepairVerdict,
    Role,
    Validated,
    Verdict,
    VerdictUnreadable,
)

T = TypeVar("T")


class AllIn(Struct, frozen=True, gc=False):
    """Enough is when every branch has ended."""


class FirstAnswer(Struct, frozen=True, gc=False):
    """Enough is the first branch that answers."""


class Quorum(Struct, frozen=True, gc=False):
    """Enough is `k` branches that answer."""

    k: int


class Agreement(Struct, frozen=True, gc=False):
    """Enough is `k` branches whose answers are equal once normalised."""

    k: int


Enough: TypeAlias = AllIn | FirstAnswer | Quorum | Agreement


class Call(Struct, frozen=True, gc=False):
    """One answer wanted from a model, whoever of the candidates gives it: best first, the others
    in their order when it fails.

    `messages` and `parameters` are JSON.  `max_tokens` None is the default.  With a `schema`
    (JSON) the text is validated against it and `Answered.problems` says how it failed.  A `final`
    call writes the run's answer, unless something goes wrong: watchers may see it come.

    Where slow calls may be hedged, `elsewhere` is the same for another model, and None leaves it to
    the candidates.
    """

    role: Role
    messages: bytes
    candidates: tuple[Candidate, ...]
    max_tokens: int | None = None
    temperature: float | None = None
    parameters: bytes = b"{}"
    seed: int | None = None
    schema: bytes | None = None
    final: bool = False
    elsewhere: Call | None = None

    def of(self, model: str) -> tuple[Candidate, ...]:
        """The candidate of this name, where it is one."""
        others = self.elsewhere.candidates if self.elsewhere else ()
        return tuple([c for c in (*self.candidates, *others) if c.model.id == model][:1])


class Answered(Struct, frozen=True, gc=False, tag=True, array_like=True):
    """A model's text, hidden reasoning included; `problems` is empty when it meets the schema.

    `explicit` when the model was asked for by name; `usage` is what the vendor counted.
    """

    text: str
    model: Model
    truncated: bool = False
    problems: tuple[str, ...] = ()
    explicit: bool = False
    usage: Usage = Usage()


UnansweredKind: TypeAlias = Literal["failed", "budget", "deadline", "cancelled", "invalid", "late"]
"""`late` is what a round's grace did not reach; `invalid` is a plan's own finding: there are
answers, and none that can be used.
"""


class Unanswered(Struct, frozen=True, gc=False, tag=True, array_like=True):
    """Nobody answered.  `failures` lists each model that was tried, with what went wrong.

    `partial` is a text that was paid for and cannot be used.  `overloaded` when nobody was asked,
    for every vendor's line was full.
    """

    kind: UnansweredKind
    failures: tuple[tuple[str, str], ...] = ()
    partial: str = ""
    overloaded: bool = False

    @property
    def text(self) -> str:
        return "; ".join(f"{model}: {error}" for model, error in self.failures) or self.kind


Outcome: TypeAlias = Answered | Unanswered


class Choose(Struct, frozen=True, gc=False):
    """Which models may take `role`, best first by `profile`?

    `messages` is what will be sent, or the like of it: its size decides whose context it fits.
    The rest as in :class:`actors.protocol.SelectModels`; `also` is asked in the same breath.
    """

    role: Role
    profile: Profile
    messages: bytes
    min_weight: int = 0
    named: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    avoid: tuple[str, ...] = ()
    avoid_families: tuple[str, ...] = ()
    max_tokens: int | None = None
    schema: bool = False
    also: Choose | None = None


class Chosen(Struct, frozen=True, gc=False, tag=True, array_like=True):
    """Answer to :class:`Choose`; `ranked` may be empty, and `refused` then says why.

    With `stopped` nobody was asked: the run, or the round around it, has been given up.
    """

    ranked: tuple[Candidate, ...]
    refused: tuple[Refusal, ...]
    stopped: UnansweredKind | None = None
    also: Chosen | None = None


class Finish(Struct, frozen=True, gc=False):
    """The cheapest way to bring a run to its end after its first round: money is kept for it.

    `input_tokens` bounds what the last call will be sent besides the round's answers, each of
    which is as long as its call is granted.
    """

    candidates: tuple[Candidate, ...]
    input_tokens: int
    max_tokens: int


class Round(Struct, frozen=True):
    """Calls done together.

    `leave_s` seconds before the run's deadline the round is closed, whatever has come by then.
    Once the quorum of a `grace` has answered, the others get as long again as that took.
    """

    branches: tuple[Call | Plan[Any], ...]
    enough: Enough = AllIn()
    leave_s: float = 0.0
    finish: Finish | None = None
    grace: Quorum | None = None


class Note(Struct, frozen=True, gc=False):
    """Watchers are told who judged what."""

    judge: str | None
    selected: int | None
    decided: bool
    reason: str


class Check(Struct, frozen=True, gc=False):
    """Does `instance` meet `schema`?  Both are JSON.  What calls answer is checked anyway."""

    schema: bytes
    instance: bytes


Step: TypeAlias = Choose | Round | Ballot | Reading | Check | Note | JudgeVerdict
Plan: TypeAlias = Generator[Step, Any, T]


class Result(Struct, frozen=True, gc=False):
    """What a run comes to.

    `response` is the mode's shape, as JSON; `text` the returned answer, valid against the schema
    where there is one.  `reasons` holds a code for anything unusual.
    """

    model: str
    routing_reason: str
    text: str
    response: bytes
    reasons: tuple[str, ...] = ()
    degraded: bool = False


def choose(wanted: Choose) -> Plan[Chosen]:
    """Asks the Router."""
    chosen: Chosen = yield wanted
    return chosen


def choose_both(first: Choose, second: Choose) -> Plan[tuple[Chosen, Chosen]]:
    """Asks the Router for two roles at once."""
    chosen: Chosen = yield replace(first, also=second)
    assert chosen.also is not None, "what was asked for two roles is answered for both"
    return chosen, chosen.also


def ask(
    *calls: Call, leave_s: float = 0.0, finish: Finish | None = None
) -> Plan[tuple[Outcome, ...]]:
    """Makes these calls together and waits for all of them."""
    outcomes: tuple[Outcome, ...] = yield Round(calls, AllIn(), leave_s, finish)
    return outcomes


def fork(
    *plans: Plan[T],
    leave_s: float = 0.0,
    finish: Finish | None = None,
    grace: Quorum | None = None,
) -> Plan[tuple[T | Unanswered, ...]]:
    """Carries these plans out side by side and waits for all of them, or until they are late."""
    results: tuple[T | Unanswered, ...] = yield Round(plans, AllIn(), leave_s, finish, grace)
    return results


def build_ballot(ballot: Ballot) -> Plan[BallotBuilt]:
    """Asks the Judge how to put the candidates before a model."""
    built: BallotBuilt = yield ballot
    return built


def read_verdict(reading: Reading) -> Plan[Verdict | RepairVerdict | VerdictUnreadable]:
    """Asks the Judge what a model's words amount to."""
    read: Verdict | RepairVerdict | VerdictUnreadable = yield reading
    return read


def check(schema: bytes, instance: bytes) -> Plan[tuple[str, ...]]:
    """What is wrong with a text that no call answered; nothing if it is valid."""
    checked: Validated = yield Check(schema, instance)
    return checked.problems


def note(noted: Note) -> Plan[None]:
    """Tells the run's watchers what was judged."""
    yield noted


def watch(verdict: JudgeVerdict) -> Plan[None]:
    """Puts on record how a judge did."""
    yield verdict
