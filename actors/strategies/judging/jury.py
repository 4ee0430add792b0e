"""Who judges: one model that is no party, or several at once, each shown another order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from actors.protocol import Candidate, Order
from actors.strategies.answering import refused
from actors.strategies.judging.asking import JUDGE_TOKENS, Case, Read, Shown, call, verdict_in
from actors.strategies.plan import (
    Answered,
    Choose,
    Plan,
    Unanswered,
    ask,
    build_ballot,
    choose,
    fork,
)

MOST_JUDGES = 3
"""Models whose unreadable verdicts are paid for, before the rule decides; a jury has as many more
than its own.
"""


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


def kept_for_judging(
    order: Order,
    judging: tuple[Candidate, ...],
    voting: tuple[Candidate, ...],
    named: Sequence[str],
) -> frozenset[str]:
    """Models that shall not vote, that there may be as many judges as ordered: the likely judge
    and, where the others are too few, those who would come last as voters.

    One model votes at least, and whoever was named as a voter.
    """
    likely = {c.model.id for c in judging[:1]}
    kept = likely.difference(named)
    if order.judges > 1:
        voters = [c.model.id for c in voting if c.model.id in named or c.model.id not in likely]
        may_judge = {c.model.id for c in judging}
        short = order.judges - 1 - len(may_judge - likely - {*voters})
        last = [id for id in voters[1:] if id in may_judge and id not in named][-short:]
        kept.update(last if short > 0 else ())
    return frozenset(kept)


# --- asking -----------------------------------------------------------------------------------


def consulted(case: Case, voters: Sequence[str]) -> Plan[tuple[Read | Unanswered, ...]]:
    """Asks models that did not vote, then, if none of them lives, those that did."""
    order, answers = case.order, case.answers
    shown = Shown(0, (yield from build_ballot(case.ballot())))
    outside = replace(
        judges(order, shown.built.messages),
        exclude=tuple([model for model in voters if model != order.review]),
        avoid=tuple(dict.fromkeys([answered.model.id for answered in answers])),
        avoid_families=tuple(dict.fromkeys([answered.model.family for answered in answers])),
    )
    said = yield from _asked(case, shown, outside)
    if all(isinstance(one, Unanswered) and one.kind == "failed" for one in said):
        said = yield from _asked(case, shown, replace(outside, exclude=()))
    return said


def _asked(case: Case, shown: Shown, wanted: Choose) -> Plan[tuple[Read | Unanswered, ...]]:
    chosen = yield from choose(wanted)
    if not chosen.ranked:
        return (refused(chosen),)
    if case.order.judges == 1:
        return ((yield from _one(case, shown, chosen.ranked)),)
    return (yield from _jury(case, shown, chosen.ranked))


def _one(case: Case, shown: Shown, ranked: tuple[Candidate, ...]) -> Plan[Read | Unanswered]:
    """Asks one judge after another until a verdict can be read.

    Unanswered `invalid` says that judges live, and that none could be read.
    """
    unread = Unanswered("invalid")
    for _ in range(min(MOST_JUDGES, len(ranked))):
        (said,) = yield from ask(call("judge", shown.built.messages, ranked))
        if isinstance(said, Unanswered):
            return unread if unread.failures and said.kind == "failed" else said
        read = yield from verdict_in(case, shown, said, ranked)
        if isinstance(read, Read) or read.kind != "invalid":
            return read
        unread = replace(unread, failures=(*unread.failures, *read.failures))
        ranked = _after(said.model.id, ranked)
        if not ranked:
            break
    return unread


def _after(model: str, ranked: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
    """Who is left once `model` has answered: those before it have failed."""
    places = [candidate.model.id for candidate in ranked]
    return ranked[places.index(model) + 1 :]


def _jury(
    case: Case, shown: Shown, ranked: tuple[Candidate, ...]
) -> Plan[tuple[Read | Unanswered, ...]]:
    """Asks as many at once as were ordered; the next best take the seats of those that failed.

    Where the money is for none of them it may be for a cheaper one.
    """
    size = case.order.judges
    seats = tuple(enumerate(ranked[:size]))
    spare = iter(ranked[size : size + MOST_JUDGES - 1])
    said = list((yield from fork(*(_seat(case, shown, *seat) for seat in seats))))
    while vacant := list(zip(_vacant(said), spare, strict=False)):
        again = yield from fork(*(_seat(case, shown, *seat) for seat in vacant))
        for (place, _), one in zip(vacant, again, strict=True):
            said[place] = one
    if not any(isinstance(one, Read) for one in said) and any(map(_lacks_money, said)):
        said[0] = yield from _one(case, shown, ranked)
    return tuple(said)


def _seat(case: Case, first: Shown, turn: int, candidate: Candidate) -> Plan[Read | Unanswered]:
    """One judge of a jury, shown the candidates in an order of its own."""
    shown = Shown(turn, (yield from build_ballot(case.ballot(turn)))) if turn else first
    (said,) = yield from ask(call("judge", shown.built.messages, (candidate,)))
    if isinstance(said, Answered):
        return (yield from verdict_in(case, shown, said, (candidate,)))
    return said


def _vacant(said: Sequence[Read | Unanswered]) -> Iterator[int]:
    """Money and time that are gone are gone for a substitute too."""
    for place, one in enumerate(said):
        if isinstance(one, Unanswered) and one.kind in ("failed", "invalid"):
            yield place


def _lacks_money(one: Read | Unanswered) -> bool:
    return isinstance(one, Unanswered) and one.kind == "budget"
