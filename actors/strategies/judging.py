"""The judge of a vote: found when it is needed, read or not at all, and the rule that stands in.

A judge is no party.  Voters may judge only when no other model lives, or when the user named one
as judge; the result says so.  A judge whose verdict cannot be read, not even repaired, is followed
by the next; where none can be read there is no verdict, and :func:`by_rule` chooses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from actors.domain.text import json_in, normalised, visible
from actors.protocol import BallotBuilt, Candidate, Order, RepairVerdict, Role, Verdict
from actors.strategies.answering import refused, shortfall
from actors.strategies.plan import (
    Answered,
    Ballot,
    Call,
    Choose,
    Note,
    Plan,
    Reading,
    Unanswered,
    ask,
    build_ballot,
    choose,
    note,
    read_verdict,
)

JUDGE_TOKENS = 4096
MOST_JUDGES = 3
"""Models whose unreadable verdicts are paid for, before the rule decides."""


class Judgement(Struct, frozen=True):
    """The chosen answer, an index; `judge` is the model whose verdict was read, if any was."""

    choice: int
    judge: str | None
    decided: bool
    reason: str
    codes: tuple[str, ...] = ()
    degraded: bool = False


class Read(Struct, frozen=True):
    """A readable verdict and the model that gave it."""

    judge: str
    verdict: Verdict


def judges(order: Order, messages: bytes) -> Choose:
    """Who may judge?"""
    return Choose(
        "judge",
        "high_confidence",
        messages,
        order.review_min_weight,
        (order.review,) if order.review else (),
        max_tokens=JUDGE_TOKENS,
    )


def judged(order: Order, answers: Sequence[Answered], voters: Sequence[str]) -> Plan[Judgement]:
    """Has a judge choose among the answers of `voters`, or the rule where no judge decides.

    Raises when the run is cancelled.
    """
    texts = tuple(_candidate(order, answered) for answered in answers)
    built = yield from build_ballot(Ballot(order.messages, texts, order.seed))
    read = yield from _verdict(order, built, answers, voters)
    judgement = _judgement(read, answers, voters)
    told = Note(judgement.judge, judgement.choice, judgement.decided, judgement.reason)
    yield from note(told)
    return judgement


def _candidate(order: Order, answered: Answered) -> str:
    return (json_in(answered.text) if order.schema else None) or visible(answered.text)


# --- asking -----------------------------------------------------------------------------------


def _verdict(
    order: Order, built: BallotBuilt, answers: Sequence[Answered], voters: Sequence[str]
) -> Plan[Read | Unanswered]:
    """Asks models that did not vote, then, if none of them lives, those that did."""
    wanted = replace(
        judges(order, built.messages),
        avoid=tuple(dict.fromkeys(answered.model.id for answered in answers)),
        avoid_families=tuple(dict.fromkeys(answered.model.family for answered in answers)),
    )
    outside = tuple(model for model in voters if model != order.review)
    read = yield from _ask(built, replace(wanted, exclude=outside))
    if isinstance(read, Unanswered) and read.kind == "failed":
        read = yield from _ask(built, wanted)
    return read


def _ask(built: BallotBuilt, wanted: Choose) -> Plan[Read | Unanswered]:
    """Asks one judge after another until a verdict can be read.

    Unanswered `invalid` says that judges live, and that none could be read.
    """
    chosen = yield from choose(wanted)
    if not chosen.ranked:
        return refused(chosen)
    ranked, unread = chosen.ranked, Unanswered("invalid")
    for _ in range(min(MOST_JUDGES, len(ranked))):
        (said,) = yield from ask(_call("judge", built.messages, ranked))
        if isinstance(said, Unanswered):
            return unread if unread.failures and said.kind == "failed" else said
        read = yield from _read(built, said, ranked)
        if not isinstance(read, Unanswered):
            return read
        if read.kind != "invalid":
            return read
        unread = replace(unread, failures=(*unread.failures, *read.failures))
        ranked = _after(said.model.id, ranked)
        if not ranked:
            break
    return unread


def _read(
    built: BallotBuilt, said: Answered, ranked: tuple[Candidate, ...]
) -> Plan[Read | Unanswered]:
    """The verdict in a judge's reply, or in its repair."""
    model = said.model.id
    reading = Reading(model, said.text, built.labels, built.messages)
    read = yield from read_verdict(reading)
    if isinstance(read, RepairVerdict):
        author = tuple(c for c in ranked if c.model.id == model)
        (said_again,) = yield from ask(_call("repair", read.messages, author))
        if isinstance(said_again, Unanswered):
            kind = "invalid" if said_again.kind == "failed" else said_again.kind
            return Unanswered(kind, ((model, read.problem),))
        read = yield from read_verdict(replace(reading, text=said_again.text, repaired=True))
    if isinstance(read, Verdict):
        return Read(model, read)
    return Unanswered("invalid", ((model, read.problem),))


def _call(role: Role, messages: bytes, candidates: tuple[Candidate, ...]) -> Call:
    return Call(role, messages, candidates, JUDGE_TOKENS, 0.0)


def _after(model: str, ranked: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
    """Who is left once `model` has answered: those before it have failed."""
    places = [candidate.model.id for candidate in ranked]
    return ranked[places.index(model) + 1 :]


# --- deciding ---------------------------------------------------------------------------------


def _judgement(
    read: Read | Unanswered, answers: Sequence[Answered], voters: Sequence[str]
) -> Judgement:
    if isinstance(read, Unanswered):
        return _without_judge(read, answers)
    choice, reason = read.verdict.choice, read.verdict.reason
    party = ("judge_is_voter",) if read.judge in voters else ()
    if choice != "tie" and choice != "none":
        return Judgement(choice, read.judge, True, reason, party)
    chosen, rule = by_rule(answers)
    said = f"the judge said {choice}: {reason}; {rule}"
    codes = (f"judge_{choice}", *party)
    return Judgement(chosen, read.judge, False, said, codes, choice == "none")


def _without_judge(lacking: Unanswered, answers: Sequence[Answered]) -> Judgement:
    cause = shortfall(lacking, "\n\n".join(answered.text for answered in answers))
    chosen, rule = by_rule(answers)
    codes = ("judge_failed",) if cause == "stage_failed" else ("judge_failed", cause)
    return Judgement(chosen, None, False, f"no verdict ({lacking.text}); {rule}", codes, True)


def by_rule(answers: Sequence[Answered]) -> tuple[int, str]:
    """The answer that most of them agree on, else that of the heaviest model; and why."""
    said = [normalised(visible(answered.text)) for answered in answers]
    common, times = Counter(said).most_common(1)[0]
    if 2 * times > len(said):
        return said.index(common), f"chosen because {times} of {len(said)} answers agree"
    weights = [answered.model.weight for answered in answers]
    best = max(weights)
    return weights.index(best), f"chosen by the highest model weight, {best}"
