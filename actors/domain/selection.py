"""Who may take a role and who may not, each with its reason; and what is made of the ranking.

Named models come first, in their order; they are exempt from the weight floor and from scoring,
for an explicit wish wins over preferences, and from nothing else: one that is disabled, down or
too dear is refused like any other, and the routing takes its place.  Then come the others by
score; then those of a family to avoid, then those to avoid themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from actors.domain.model import Model
from actors.domain.money import usd
from actors.domain.pricing import fixed_cost, output_cost
from actors.domain.scoring import Scale, price_of
from actors.protocol import Candidate, ModelState, Profile, Refusal, RefusalCode, SelectModels

SHORT_PAUSE_S = 30.0
"""A vendor that asks for no more than that is waited for, where there is no other."""

SPREAD_WEIGHTS = 3
"""How much weaker than the strongest a model may be, to be preferred for its vendor's sake."""

HEADROOM_PERCENT = 15
"""Added to an estimate of input tokens before it is held against a context size."""


MOST_SCALES = 64
"""That a selector keeps: for who is compared, and by which profile."""


class Selector:
    """Selects among models that stand as `states` say; what no call changes is worked out once."""

    def __init__(self, states: Sequence[ModelState]) -> None:
        self.states = states
        self._scales: dict[tuple[Profile, tuple[str, ...]], Scale] = {}

    def __repr__(self) -> str:
        return f"<Selector: {len(self.states)} models, {len(self._scales)} scales>"

    def select(self, wanted: SelectModels) -> tuple[tuple[Candidate, ...], tuple[Refusal, ...]]:
        """Every model of the table once: among the candidates, best first, or among the refused.

        Where nobody is available, those are candidates whose vendors have only paused for a while:
        they are worth waiting for.
        """
        refusals = [refuse(state, wanted) for state in self.states]
        if all(refusals):
            back = [replace(state, available=_is_back_soon(state)) for state in self.states]
            refusals = [refuse(state, wanted) for state in back]
        refused = tuple([refusal for refusal in refusals if refusal is not None])
        eligible = [s for s, refusal in zip(self.states, refusals, strict=True) if refusal is None]
        named = wanted.named
        routed = [s for s in eligible if s.model.id not in named] if named else eligible
        scale = self._scale(routed, wanted.profile)
        ranked = _last_resorts(scale.rank(wanted.input_tokens, wanted.max_tokens), wanted)
        return (*_named(eligible, named), *ranked) if named else tuple(ranked), refused

    def _scale(self, routed: Sequence[ModelState], profile: Profile) -> Scale:
        who = profile, tuple([state.model.id for state in routed])
        if who not in self._scales:
            if len(self._scales) >= MOST_SCALES:
                self._scales.clear()
            self._scales[who] = Scale(routed, profile)
        return self._scales[who]


def _is_back_soon(state: ModelState) -> bool:
    pause_s = state.retry_in_s
    return state.available or (pause_s is not None and pause_s <= SHORT_PAUSE_S)


def refuse(state: ModelState, wanted: SelectModels) -> Refusal | None:
    """Why this model may not take the role: the first reason that holds."""
    model = state.model
    if not model.enabled:
        return _refusal(model, "disabled", "disabled in the configuration")
    if model.id in wanted.exclude:
        return _refusal(model, "excluded", "excluded from this role")
    if model.weight < wanted.min_weight and model.id not in wanted.named:
        return _refusal(model, "weight", f"weight {model.weight} is below {wanted.min_weight}")
    if (size := model.context_tokens) is not None:
        needed = context_needed(model, wanted.input_tokens, wanted.max_tokens)
        if needed > size:
            why = f"needs {needed} tokens, its context has {size}"
            return _refusal(model, "context", why)
    if not state.available:
        return _refusal(model, "unavailable", f"{model.provider}: {state.why or 'unavailable'}")
    if wanted.limited or wanted.afford_nano is not None:
        return _unaffordable(model, wanted)
    return None


def context_needed(model: Model, input_tokens: int, max_tokens: int) -> int:
    """Tokens of context for an estimated input, its headroom, and the longest answer."""
    answer = model.max_output_tokens
    if answer is None or answer > max_tokens:
        answer = max_tokens
    return -(-input_tokens * (100 + HEADROOM_PERCENT) // 100) + answer


def panel(
    ranked: Sequence[Candidate], voters: int, named: Sequence[str] = ()
) -> tuple[Candidate, ...]:
    """Exactly `voters` of `ranked`: the named ones in their order, repeats included, then the
    best of each vendor that has none yet, among those nearly as strong as the strongest, then the
    best of the rest.

    Where there are fewer models than voters they repeat, best first.  A name that is not ranked
    is passed over.  Empty when nobody is ranked.
    """
    by_id = {candidate.model.id: candidate for candidate in ranked}
    seats = [by_id[name] for name in named if name in by_id]
    taken = {candidate.model.id for candidate in seats}
    vendors = {candidate.model.provider for candidate in seats}
    seats += _spread([c for c in ranked if c.model.id not in taken], vendors)
    while ranked and len(seats) < voters:
        seats += ranked
    return tuple(seats[:voters])


def escalation(ranked: Sequence[Candidate], failed: Model) -> tuple[Candidate, ...]:
    """Who comes next when `failed` found the conversation too long: those known to take more
    first, those whose size is unknown next, else in the order they had.
    """
    size = failed.context_tokens

    def place(candidate: Candidate) -> int:
        context = candidate.model.context_tokens
        if size is None or context is None:
            return 1
        return 0 if context > size else 2

    return tuple(sorted((c for c in ranked if c.model.id != failed.id), key=place))


def _named(eligible: Sequence[ModelState], named: Sequence[str]) -> Iterator[Candidate]:
    by_id = {state.model.id: state for state in eligible}
    for name in dict.fromkeys(named):
        if name in by_id:
            state = by_id[name]
            yield Candidate(
                state.model, 0.0, True, state.latency_ms, "named in the request", state.slow_ms
            )


def _last_resorts(ranked: Sequence[Candidate], wanted: SelectModels) -> Sequence[Candidate]:
    """The same candidates with those to avoid at the end, saying so."""
    if not wanted.avoid and not wanted.avoid_families:
        return ranked
    first: list[Candidate] = []
    families: list[Candidate] = []
    avoided: list[Candidate] = []
    for candidate in ranked:
        if candidate.model.id in wanted.avoid:
            avoided.append(replace(candidate, why=f"to be avoided; {candidate.why}"))
        elif candidate.model.family in wanted.avoid_families:
            families.append(replace(candidate, why=f"of a family to avoid; {candidate.why}"))
        else:
            first.append(candidate)
    return first + families + avoided


def _spread(ranked: Sequence[Candidate], vendors: set[str]) -> list[Candidate]:
    """The same candidates, the best of each vendor that is not among `vendors` in front, but none
    that is much weaker than the strongest: another view is worth less than a good one.
    """
    used = set(vendors)
    floor = max((c.model.weight for c in ranked), default=0) - SPREAD_WEIGHTS
    front: list[Candidate] = []
    rest: list[Candidate] = []
    for candidate in ranked:
        if candidate.model.provider in used or candidate.model.weight < floor:
            rest.append(candidate)
        else:
            front.append(candidate)
            used.add(candidate.model.provider)
    return front + rest


def _unaffordable(model: Model, wanted: SelectModels) -> Refusal | None:
    """Some budget applies."""
    price = price_of(model)
    if price is None:
        return _refusal(model, "unpriced", "a budget applies and its price is unknown")
    if wanted.afford_nano is None:
        return None
    tokens = min(wanted.least_tokens, model.max_output_tokens or wanted.least_tokens)
    needed = fixed_cost(wanted.input_bound, price) + output_cost(tokens, price.output)
    if needed <= wanted.afford_nano:
        return None
    why = f"needs ${usd(needed):.6f} at least, ${usd(wanted.afford_nano):.6f} is left"
    return _refusal(model, "unaffordable", why, needed)


def _refusal(model: Model, code: RefusalCode, why: str, needed_nano: int = 0) -> Refusal:
    return Refusal(model.id, code, why, needed_nano)
