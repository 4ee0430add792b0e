"""The panel of a vote: who is asked, who may step in, and what is kept for the judge."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from actors.domain import prompts
from actors.domain.pricing import DEFAULT_MAX_TOKENS
from actors.domain.selection import panel
from actors.protocol import Candidate, Order
from actors.strategies.answering import primaries, refusal_error, refuse_if_never, writing
from actors.strategies.judging import JUDGE_TOKENS, judges, kept_for_judging
from actors.strategies.plan import Call, Choose, Chosen, Finish, Plan, choose, choose_both

REPEATED_TEMPERATURE = 0.7
"""A model that is asked several times must not say the same each time."""
JUDGING_SHARE = 0.25
JUDGING_MOST_S = 30.0
FUSING_SHARE = 0.4
FUSING_MOST_S = 60.0
BALLOT_BYTES = 4096
"""What a ballot has besides the conversation and the answers."""
_SEEDS = 2**31


class Panel(Struct, frozen=True, gc=False):
    """One call per voter, in the voters' order, and all models that may vote, best first.

    `absent` are voters named by the user that may not answer: place, model, why.  The voters'
    round leaves `leave_s` and the money of `finish` to the last call, which reads their answers.
    """

    messages: bytes
    calls: tuple[Call, ...]
    eligible: tuple[Candidate, ...]
    absent: tuple[tuple[int, str, str], ...]
    leave_s: float = 0.0
    finish: Finish | None = None

    @property
    def models(self) -> frozenset[str]:
        """Those that are asked."""
        return frozenset([call.candidates[0].model.id for call in self.calls])

    @property
    def spare(self) -> tuple[Candidate, ...]:
        """Those that may step in."""
        asked = self.models
        return tuple(candidate for candidate in self.eligible if candidate.model.id not in asked)


def seated(order: Order) -> Plan[Panel]:
    """Sets the likely judge aside, then fills the panel with different models, best first.

    A judge is set aside unless the user names it as a voter, there is no other model, or nobody is
    to judge.
    """
    wanted = _voters(order)
    if order.decide == "majority" or order.voters == 1:
        return _filled(order, wanted, (yield from choose(wanted)))
    judge = replace(judges(order, order.messages), avoid=_named(order))
    chosen, judging = yield from choose_both(wanted, judge)
    refuse_if_never(judging)
    panel = _filled(order, wanted, chosen, judging.ranked)
    models = panel.models
    finish = [c for c in judging.ranked if c.model.id not in models] or judging.ranked
    leave_s = min(JUDGING_SHARE * order.latency_s, JUDGING_MOST_S)
    return replace(panel, leave_s=leave_s, finish=_finish(panel, finish, JUDGE_TOKENS))


def seated_to_fuse(order: Order) -> Plan[Panel]:
    """Fills the panel with different models, best first; whoever writes last may be one of them."""
    wanted = _voters(order)
    panel = _filled(order, wanted, (yield from choose(wanted)))
    if order.voters == 1:
        return panel
    most = DEFAULT_MAX_TOKENS if order.max_tokens is None else order.max_tokens
    leave_s = min(FUSING_SHARE * order.latency_s, FUSING_MOST_S)
    return replace(panel, leave_s=leave_s, finish=_finish(panel, panel.eligible, most))


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


def _voters(order: Order) -> Choose:
    """Who may vote?"""
    messages = prompts.question(order.messages, order.schema)
    wanted = primaries(order, "voter", "normal", messages)
    return replace(wanted, named=tuple(dict.fromkeys(_named(order))))


def _filled(
    order: Order, wanted: Choose, chosen: Chosen, judging: tuple[Candidate, ...] = ()
) -> Panel:
    """A panel of models that need not be kept for `judging`, unless there are no others."""
    if not chosen.ranked:
        raise refusal_error(chosen)
    named = _named(order)
    aside = kept_for_judging(order, judging, chosen.ranked, named)
    eligible = tuple([c for c in chosen.ranked if c.model.id not in aside]) or chosen.ranked
    absent = _absent(order, chosen) if order.voter_models else ()
    asked = panel(eligible, order.voters - len(absent), named)
    filled = Panel(wanted.messages, _calls(order, wanted.messages, asked), eligible, absent)
    return _hedged(order, filled) if order.hedge else filled


def _named(order: Order) -> tuple[str, ...]:
    return order.voter_models or ((order.primary,) if order.primary else ())


def _calls(order: Order, messages: bytes, asked: Sequence[Candidate]) -> tuple[Call, ...]:
    seats = [candidate.model.id for candidate in asked]
    return tuple(
        voter_call(order, messages, candidate, place if seats.count(seats[place]) > 1 else None)
        for place, candidate in enumerate(asked)
    )


def _hedged(order: Order, panel: Panel) -> Panel:
    """Each seat with a model that may be asked too if its own is slow: one that has no seat, a
    different one for each, or else another voter, as a repetition of its own.
    """
    spare, seats = panel.spare, len(panel.calls)

    def hedged(place: int, call: Call) -> Call:
        if place < len(spare):
            return replace(call, elsewhere=voter_call(order, panel.messages, spare[place]))
        others = (c.candidates[0] for c in panel.calls[place + 1 :] + panel.calls[:place])
        other = next((c for c in others if c.model.id != call.candidates[0].model.id), None)
        if other is None:
            return call
        again = voter_call(order, panel.messages, other, 2 * seats + place)
        return replace(call, elsewhere=again)

    return replace(panel, calls=tuple(hedged(*seat) for seat in enumerate(panel.calls)))


def _finish(panel: Panel, candidates: Sequence[Candidate], most_tokens: int) -> Finish | None:
    """What the last call will need: a token is at least a byte of what it is sent."""
    if not candidates:
        return None
    return Finish(tuple(candidates), len(panel.messages) + BALLOT_BYTES, most_tokens)
