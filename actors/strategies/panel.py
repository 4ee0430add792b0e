"""The panel of a vote: who is asked, who may step in, and what is kept for the judge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from actors.domain import prompts
from actors.domain.selection import panel
from actors.protocol import Candidate, Order
from actors.strategies.answering import primaries, refusal_error, somebody_may, writing
from actors.strategies.judging import JUDGE_TOKENS, judges
from actors.strategies.plan import Call, Chosen, Finish, Plan, choose

REPEATED_TEMPERATURE = 0.7
"""A model that is asked several times must not say the same each time."""
JUDGING_SHARE = 0.25
JUDGING_MOST_S = 30.0
BALLOT_BYTES = 4096
"""What a ballot has besides the conversation and the answers."""
_SEEDS = 2**31


class Panel(Struct, frozen=True):
    """One call per voter, in the voters' order, and the models that may step in, best first.

    `absent` are voters named by the user that may not answer: place, model, why.  The voters'
    round leaves `leave_s` and the money of `finish` to the judge.
    """

    messages: bytes
    calls: tuple[Call, ...]
    spare: tuple[Candidate, ...]
    absent: tuple[tuple[int, str, str], ...]
    leave_s: float
    finish: Finish | None


def seated(order: Order) -> Plan[Panel]:
    """Sets the likely judge aside, then fills the panel with different models, best first.

    A judge is set aside unless the user names it as a voter, or there is no other model.
    """
    named = order.voter_models or ((order.primary,) if order.primary else ())
    judging = Chosen((), ())
    if order.voters > 1:
        judging = yield from somebody_may(replace(judges(order, order.messages), avoid=named))
    messages = prompts.question(order.messages, order.schema)
    wanted = primaries(order, "voter", "normal", messages)
    chosen = yield from choose(replace(wanted, named=tuple(dict.fromkeys(named))))
    if not chosen.ranked:
        raise refusal_error(chosen)
    aside = {candidate.model.id for candidate in judging.ranked[:1]} - {*named}
    eligible = tuple(c for c in chosen.ranked if c.model.id not in aside) or chosen.ranked
    return _panel(order, messages, eligible, _absent(order, chosen), judging.ranked)


def voter_call(
    order: Order, messages: bytes, candidate: Candidate, repeat: int | None = None
) -> Call:
    """A voter is one model; `repeat` tells the seats of a model with several apart."""
    call = writing(order, "voter", messages, (candidate,))
    if repeat is None:
        return call
    warmth = REPEATED_TEMPERATURE if order.temperature is None else order.temperature
    return replace(call, seed=(order.seed + repeat) % _SEEDS, temperature=warmth)


def _absent(order: Order, chosen: Chosen) -> tuple[tuple[int, str, str], ...]:
    """Voters named one by one are nobody else's to replace; a first voter is a preference."""
    eligible = {candidate.model.id for candidate in chosen.ranked}
    why = {refusal.model: refusal.why for refusal in chosen.refused}
    return tuple(
        (place, name, why.get(name, "not eligible"))
        for place, name in enumerate(order.voter_models)
        if name not in eligible
    )


def _panel(
    order: Order,
    messages: bytes,
    eligible: tuple[Candidate, ...],
    absent: tuple[tuple[int, str, str], ...],
    judging: tuple[Candidate, ...],
) -> Panel:
    named = order.voter_models or ((order.primary,) if order.primary else ())
    asked = panel(eligible, order.voters - len(absent), named)
    used = {candidate.model.id for candidate in asked}
    return Panel(
        messages,
        _calls(order, messages, asked),
        tuple(candidate for candidate in eligible if candidate.model.id not in used),
        absent,
        min(JUDGING_SHARE * order.latency_s, JUDGING_MOST_S) if order.voters > 1 else 0.0,
        _finish(messages, tuple(c for c in judging if c.model.id not in used) or judging),
    )


def _calls(order: Order, messages: bytes, asked: Sequence[Candidate]) -> tuple[Call, ...]:
    seats = Counter(candidate.model.id for candidate in asked)
    return tuple(
        voter_call(order, messages, candidate, place if seats[candidate.model.id] > 1 else None)
        for place, candidate in enumerate(asked)
    )


def _finish(messages: bytes, judging: tuple[Candidate, ...]) -> Finish | None:
    """What the judge will need: a token is at least a byte of what it is sent."""
    return Finish(judging, len(messages) + BALLOT_BYTES, JUDGE_TOKENS) if judging else None
