"""Words that every mode uses: who may answer, one answer, and what the lack of one amounts to."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from actors.domain import prompts
from actors.domain.text import json_in, visible
from actors.errors import (
    AllModelsFailed,
    BudgetExceeded,
    Cancelled,
    DeadlineExceeded,
    NoEligibleModel,
    PlanError,
    RateLimited,
    SchemaNotMet,
    UnpricedModel,
)
from actors.protocol import Candidate, Order, Profile, Role
from actors.strategies.plan import (
    AllIn,
    Answered,
    Call,
    Choose,
    Chosen,
    Finish,
    Outcome,
    Plan,
    Quorum,
    Round,
    Unanswered,
    UnansweredKind,
    ask,
    choose,
)

NEVER = frozenset({"disabled", "weight", "context", "excluded"})
"""Refusals that waiting or money would not change."""


# --- stages -----------------------------------------------------------------------------------


def first_answer(
    order: Order,
    role: Role,
    profile: Profile,
    avoid: tuple[str, ...] = (),
    *,
    final: bool = False,
) -> Plan[Answered]:
    """A run's first stage: an answer to the question by the best primary, or the run's error.

    Models to `avoid` answer only where they were named, or where no other does.  It is `final`
    where no stage is to follow.
    """
    messages = prompts.question(order.messages, order.schema)
    wanted = primaries(order, role, profile, messages)
    chosen = yield from choose(replace(wanted, avoid=avoid))
    if not chosen.ranked:
        raise refusal_error(chosen)
    outcome = yield from answer(writing(order, role, messages, chosen.ranked, final=final))
    if isinstance(outcome, Unanswered):
        raise failure(outcome)
    return outcome


def next_answer(
    order: Order, profile: Profile, messages: bytes, writer: str, *, final: bool
) -> Plan[Outcome]:
    """A refinement by the model that wrote what is refined, else by another primary."""
    wanted = primaries(order, "refine", profile, messages)
    chosen = yield from choose(replace(wanted, named=(writer,)))
    if not chosen.ranked:
        return refused(chosen)
    return (yield from answer(writing(order, "refine", messages, chosen.ranked, final=final)))


def answer(call: Call) -> Plan[Outcome]:
    """One answer, valid against the call's schema: its author may repair it once."""
    (first,) = yield from ask(call)
    if isinstance(first, Unanswered) or not first.problems or call.schema is None:
        return first
    author = call.of(first.model.id)
    messages = prompts.repair(call.messages, first.text, first.problems, call.schema)
    again = replace(call, role="repair", messages=messages, candidates=author, elsewhere=None)
    (second,) = yield from ask(again)
    if isinstance(second, Answered) and not second.problems:
        return second
    return _unusable(first, second)


def answers(
    *calls: Call,
    leave_s: float = 0.0,
    finish: Finish | None = None,
    grace: Quorum | None = None,
) -> Plan[tuple[Outcome, ...]]:
    """One answer to each, side by side.  What cannot break a schema needs no plan of its own."""
    branches = tuple([call if call.schema is None else answer(call) for call in calls])
    outcomes: tuple[Outcome, ...] = yield Round(branches, AllIn(), leave_s, finish, grace)
    return outcomes


def _unusable(first: Answered, second: Outcome) -> Unanswered:
    """An answer that breaks its schema, and what its repair came to."""
    last = first
    kind: UnansweredKind = "invalid"
    if isinstance(second, Answered):
        last = second
    elif second.kind != "failed":
        kind = second.kind
    error = "does not meet the schema: " + "; ".join(last.problems)
    return Unanswered(kind, ((first.model.id, error),), visible(last.text))


def somebody_may(wanted: Choose) -> Plan[Chosen]:
    """Who may take a later role, asked before anything is paid.

    Raises where nobody ever could; who is busy, down or too dear now may be asked again then.
    """
    chosen = yield from choose(wanted)
    refuse_if_never(chosen)
    return chosen


def refuse_if_never(chosen: Chosen) -> None:
    """Raises where nobody ever could."""
    if not chosen.ranked and all(refusal.code in NEVER for refusal in chosen.refused):
        raise refusal_error(chosen)


def set_aside(order: Order, wanted: Choose) -> Plan[tuple[str, ...]]:
    """Who was named to review, or is the only one that may: another should write."""
    chosen = yield from somebody_may(wanted)
    if order.review is None and len(chosen.ranked) > 1:
        return ()
    return tuple(candidate.model.id for candidate in chosen.ranked[:1])


# --- what is asked for ------------------------------------------------------------------------


def primaries(order: Order, role: Role, profile: Profile, messages: bytes) -> Choose:
    """Who may write for the user?"""
    return Choose(
        role,
        order.profile or profile,
        messages,
        order.primary_min_weight,
        (order.primary,) if order.primary else (),
        max_tokens=order.max_tokens,
        schema=order.schema is not None,
    )


def writing(
    order: Order,
    role: Role,
    messages: bytes,
    candidates: tuple[Candidate, ...],
    *,
    final: bool = False,
) -> Call:
    """A call whose text is for the user: with the order's parameters and form.

    A text from which reasoning is to be taken out is the answer only when that has been done.
    """
    return Call(
        role,
        messages,
        candidates,
        order.max_tokens,
        order.temperature,
        order.parameters,
        schema=order.schema,
        final=final and not order.strip_think,
    )


# --- what is returned -------------------------------------------------------------------------


def shown(order: Order, text: str) -> str:
    """A text as the user gets it: bare JSON where a schema asks for it."""
    if order.schema is not None:
        return json_in(text) or text
    return visible(text) if order.strip_think else text


def response(order: Order, text: str, **fields: Any) -> bytes:
    """A mode's shape as JSON; with a schema the returned answer is parsed in `output`."""
    output = {} if order.schema is None else {"output": msgspec.Raw(text.encode())}
    return msgspec.json.encode({**fields, **output})


def remarks(answered: Answered, *codes: str | None) -> tuple[str, ...]:
    """The codes there are, each once, and whether the returned answer was cut off."""
    cut_off = "truncated" if answered.truncated else None
    return tuple(dict.fromkeys(code for code in (*codes, cut_off) if code is not None))


# --- what is lacking --------------------------------------------------------------------------


def shortfall(outcome: Unanswered, so_far: str) -> str:
    """The code for a later stage that is missing; a cancelled run raises, with the text so far."""
    match outcome.kind:
        case "cancelled":
            raise Cancelled("cancelled", partial=so_far)
        case "budget" | "deadline":
            return outcome.kind
        case "failed" | "invalid" | "late":
            return "stage_failed"


def refused(chosen: Chosen) -> Unanswered:
    """Nobody may: for a later stage that is a failure like any other."""
    too_dear = any(refusal.code in ("unaffordable", "unpriced") for refusal in chosen.refused)
    kind = chosen.stopped or ("budget" if too_dear else "failed")
    return Unanswered(kind, tuple((refusal.model, refusal.why) for refusal in chosen.refused))


def refusal_error(chosen: Chosen) -> PlanError:
    """Nobody may: for a first stage that is the end of the run."""
    codes = {refusal.code for refusal in chosen.refused}
    reasons = refused(chosen).text
    if chosen.stopped is not None:
        return failure(Unanswered(chosen.stopped))
    if "unaffordable" in codes:
        return BudgetExceeded(f"budget exceeded: {reasons}")
    if "unpriced" in codes:
        return UnpricedModel(f"unpriced model: {reasons}")
    return NoEligibleModel(f"no eligible model: {reasons}")


def failure(outcome: Unanswered) -> PlanError:
    """What a run without any answer ends in."""
    partial = outcome.partial or None
    match outcome.kind:
        case "failed" if outcome.overloaded:
            return RateLimited(f"rate limited: {outcome.text}", partial=partial)
        case "failed" | "late":
            return AllModelsFailed(outcome.text, partial=partial)
        case "invalid":
            return SchemaNotMet(outcome.text, partial=partial)
        case "budget":
            return BudgetExceeded(f"budget exceeded: {outcome.text}", partial=partial)
        case "deadline":
            return DeadlineExceeded("deadline exceeded", partial=partial)
        case "cancelled":
            return Cancelled("cancelled", partial=partial)
