"""One judge: what it says, its repair, and a second look where it is close."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from actors.domain.ballots import Choice
from actors.domain.model import Model
from actors.domain.text import json_in, visible
from actors.protocol import (
    Ballot,
    BallotBuilt,
    Candidate,
    JudgeVerdict,
    Order,
    Reading,
    RepairVerdict,
    Role,
    SecondLook,
    Verdict,
)
from actors.strategies.plan import (
    Answered,
    Call,
    Plan,
    Unanswered,
    ask,
    build_ballot,
    read_verdict,
    watch,
)

JUDGE_TOKENS = 4096


class Case(Struct, frozen=True, gc=False):
    """What is to be judged."""

    order: Order
    answers: tuple[Answered, ...]

    def ballot(self, turn: int = 0, *, reverse: bool = False) -> Ballot:
        """The candidates as judge number `turn` is shown them, or as it is in a second look."""
        order = self.order
        texts = tuple(_candidate(order, answered) for answered in self.answers)
        return Ballot(order.messages, texts, order.seed, order.rubric, turn, reverse)


class Shown(Struct, frozen=True, gc=False):
    """What judge number `turn` is shown."""

    turn: int
    built: BallotBuilt


class Read(Struct, frozen=True, gc=False):
    """A readable verdict and the model that gave it.

    `again` is what it said to a second look, `lacking` why it said nothing that can be read.
    """

    judge: Model
    verdict: Verdict
    second_look: SecondLook | None = None
    again: Verdict | None = None
    lacking: Unanswered | None = None

    @property
    def choice(self) -> Choice:
        """A flip counts as a tie: between candidates so close, order decides."""
        match self.second_look, self.again:
            case "flipped", _:
                return "tie"
            case "settled", Verdict(choice=choice):
                return choice
        return self.verdict.choice

    @property
    def reason(self) -> str:
        match self.second_look, self.again:
            case "flipped", Verdict() as again:
                first, then = _named(self.verdict.choice), _named(again.choice)
                return f"{first} in one order, {then} in the other: {self.verdict.reason}"
            case "settled", Verdict(reason=reason):
                return reason
        return self.verdict.reason


def _named(choice: Choice) -> str:
    return f"responses[{choice}]" if isinstance(choice, int) else choice


def _candidate(order: Order, answered: Answered) -> str:
    return (json_in(answered.text) if order.schema else None) or visible(answered.text)


# --- asking -----------------------------------------------------------------------------------


def call(role: Role, messages: bytes, candidates: tuple[Candidate, ...]) -> Call:
    """A judge writes little and, as far as it can, always the same."""
    return Call(role, messages, candidates, JUDGE_TOKENS, 0.0)


def verdict_in(
    case: Case, shown: Shown, said: Answered, ranked: tuple[Candidate, ...]
) -> Plan[Read | Unanswered]:
    """The verdict in the reply of one of `ranked`, after a second look where that was ordered."""
    author = tuple(c for c in ranked if c.model.id == said.model.id)
    verdict = yield from _read(shown.built, said, author)
    if isinstance(verdict, Unanswered):
        if verdict.kind == "invalid":
            yield from watch(JudgeVerdict(said.model.id, "unreadable"))
        return verdict
    read = Read(said.model, verdict)
    if case.order.second_look and _is_close(verdict):
        read = yield from _looked_again(case, shown.turn, read, author)
    yield from watch(_on_record(case, read))
    return read


def _read(
    built: BallotBuilt, said: Answered, author: tuple[Candidate, ...]
) -> Plan[Verdict | Unanswered]:
    """The verdict in a judge's reply, or in its repair."""
    model = said.model.id
    reading = Reading(model, said.text, built.labels, built.messages)
    read = yield from read_verdict(reading)
    if isinstance(read, RepairVerdict):
        (said_again,) = yield from ask(call("repair", read.messages, author))
        if isinstance(said_again, Unanswered):
            kind = "invalid" if said_again.kind == "failed" else said_again.kind
            return Unanswered(kind, ((model, read.problem),))
        read = yield from read_verdict(replace(reading, text=said_again.text, repaired=True))
    if isinstance(read, Verdict):
        return read
    return Unanswered("invalid", ((model, read.problem),))


# --- a second look ----------------------------------------------------------------------------


def _is_close(verdict: Verdict) -> bool:
    return verdict.choice == "tie" or (verdict.margin == "narrow" and verdict.choice != "none")


def _looked_again(case: Case, turn: int, first: Read, author: tuple[Candidate, ...]) -> Plan[Read]:
    """The same judge, the reversed order; what it said first stands where it cannot be asked."""
    built = yield from build_ballot(case.ballot(turn, reverse=True))
    (said,) = yield from ask(call("judge", built.messages, author))
    again = said if isinstance(said, Unanswered) else (yield from _read(built, said, author))
    if isinstance(again, Unanswered):
        return replace(first, second_look="failed", lacking=again)
    return replace(first, second_look=_compared(first.verdict, again), again=again)


def _compared(first: Verdict, again: Verdict) -> SecondLook:
    """Only a clear choice settles a tie."""
    if again.choice == first.choice:
        return "confirmed"
    if first.choice == "tie" and again.choice != "none":
        return "settled" if again.margin == "clear" else "confirmed"
    return "flipped"


def _on_record(case: Case, read: Read) -> JudgeVerdict:
    choice, family = read.verdict.choice, read.judge.family
    kin = [answered.model.family == family for answered in case.answers]
    return JudgeVerdict(
        read.judge.id,
        "one" if isinstance(choice, int) else choice,
        read.verdict.margin == "narrow",
        read.second_look,
        len(kin),
        sum(kin),
        isinstance(choice, int) and kin[choice],
    )
