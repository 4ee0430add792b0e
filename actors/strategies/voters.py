"""The voters of a vote: what became of each, and who steps in for one that failed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle

from msgspec import Struct

from actors.domain.agreement import majority
from actors.errors import AllModelsFailed, Cancelled, PlanError
from actors.protocol import Order
from actors.strategies.agreeing import agreed
from actors.strategies.answering import answers, failure, shown
from actors.strategies.panel import Panel, voter_call
from actors.strategies.plan import Answered, Call, Outcome, Plan, Quorum, Unanswered

LATE = "cancelled: most had answered, and as long again had passed"


class Seat(Struct, frozen=True, gc=False):
    """One place on the panel: whose it was, and what came of asking."""

    model: str
    outcome: Outcome

    @property
    def answered(self) -> bool:
        return isinstance(self.outcome, Answered)

    @property
    def error(self) -> str:
        """Why there is no answer, without the model's name."""
        if isinstance(self.outcome, Answered):
            return ""
        if self.outcome.kind == "late":
            return LATE
        return "; ".join(error for _, error in self.outcome.failures) or self.outcome.kind

    @property
    def is_late(self) -> bool:
        return isinstance(self.outcome, Unanswered) and self.outcome.kind == "late"


class Heard(Struct, frozen=True, gc=False):
    """What the panel said: its seats at the end, whoever failed on the way, and the answers, in
    the voters' order; and who did not have to be asked.
    """

    seats: tuple[Seat, ...]
    failed: tuple[Seat, ...]
    answers: tuple[Answered, ...]
    unasked: tuple[Call, ...] = ()

    @property
    def models(self) -> tuple[str, ...]:
        """Everyone who was asked, or answered in his stead."""
        asked = [seat.model for seat in (*self.seats, *self.failed)]
        return tuple(dict.fromkeys([*asked, *(answered.model.id for answered in self.answers)]))

    @property
    def kinds(self) -> tuple[str, ...]:
        """How the failed ones failed, each kind once."""
        outcomes = (seat.outcome for seat in self.failed)
        return tuple(dict.fromkeys(o.kind for o in outcomes if isinstance(o, Unanswered)))

    @property
    def is_degraded(self) -> bool:
        return len(self.answers) < len(self.seats)

    @property
    def codes(self) -> tuple[str, ...]:
        """What is unusual about it."""
        if not self.failed:
            return ()
        failed = ("voters_failed",) if not all(seat.is_late for seat in self.failed) else ()
        late = ("voters_late",) if any(seat.is_late for seat in self.failed) else ()
        return (*failed, *late, *(kind for kind in self.kinds if kind in ("budget", "deadline")))


def heard(order: Order, panel: Panel, *, until_agreed: bool = False) -> Plan[Heard]:
    """Asks every voter; with `refill` the next best model takes the seat of one that failed, or,
    where all models have been asked, one that answered is asked again.

    `until_agreed` as many as are a majority are asked first, and the others only where those do
    not all say the same.  Raises where nobody answered, where one failed that must not, and in a
    cancelled run.
    """
    first = majority(order.voters) if until_agreed else len(panel.calls)
    seats = yield from _ask(order, panel, panel.calls[:first])
    rest = panel.calls[first:]
    if rest and not _is_over(order, seats):
        seats += yield from _ask(order, panel, rest)
        rest = ()
    for place, model, why in panel.absent:
        seats.insert(place, Seat(model, Unanswered("failed", ((model, why),))))
    failed = [seat for seat in seats if not seat.answered]
    spare = _substitutes(order, panel, seats)
    while not (until_agreed and _is_over(order, seats)) and (
        vacant := list(zip(_vacant(seats), spare, strict=False))
    ):
        substitutes = yield from _ask(order, panel, tuple(call for _, call in vacant))
        failed += [seat for seat in substitutes if not seat.answered]
        for (place, _), seat in zip(vacant, substitutes, strict=True):
            seats[place] = seat
    result = Heard(tuple(seats), tuple(failed), _answers(seats), rest)
    if (error := _error(order, result)) is not None:
        raise error
    return result


def _is_over(order: Order, seats: Sequence[Seat]) -> bool:
    """Whether asking on would change nothing: the others could not outvote these, a voter failed
    that must not, or there is no time left.
    """
    failed = [seat.outcome.kind for seat in seats if isinstance(seat.outcome, Unanswered)]
    if "cancelled" in failed or "deadline" in failed or _must_not(order, seats):
        return True
    return agreed(order, _answers(seats), order.voters) is not None


def _answers(seats: Sequence[Seat]) -> tuple[Answered, ...]:
    return tuple(seat.outcome for seat in seats if isinstance(seat.outcome, Answered))


def _ask(order: Order, panel: Panel, calls: tuple[Call, ...]) -> Plan[list[Seat]]:
    grace = Quorum(majority(len(calls))) if order.wait == "quorum" else None
    outcomes = yield from answers(*calls, leave_s=panel.leave_s, finish=panel.finish, grace=grace)
    voters = (call.candidates[0].model.id for call in calls)
    return [Seat(model, outcome) for model, outcome in zip(voters, outcomes, strict=True)]


def _substitutes(order: Order, panel: Panel, seats: Sequence[Seat]) -> Iterator[Call]:
    """Who may sit down on a seat that has become vacant, best first: no more than there are seats,
    once nobody new is left.
    """
    if order.on_partial != "refill":
        return
    for candidate in panel.spare:
        if all(candidate.model.id != answered.model.id for answered in _answers(seats)):
            yield voter_call(order, panel.messages, candidate)
    known = {c.model.id: c for c in (*(call.candidates[0] for call in panel.calls), *panel.spare)}
    again = cycle(tuple(dict.fromkeys(seat.model for seat in seats if seat.answered)))
    for place, model in zip(range(len(seats)), again, strict=False):
        yield voter_call(order, panel.messages, known[model], len(seats) + place)


def _vacant(seats: Sequence[Seat]) -> Iterator[int]:
    """Seats worth filling: time and money that are gone are gone for a substitute too."""
    for place, seat in enumerate(seats):
        if isinstance(seat.outcome, Unanswered) and seat.outcome.kind in ("failed", "invalid"):
            yield place


def _error(order: Order, heard: Heard) -> PlanError | None:
    if not heard.failed:
        return None
    partial = "\n\n".join(shown(order, answered.text) for answered in heard.answers)
    if "cancelled" in heard.kinds:
        return Cancelled("cancelled", partial=partial or None)
    if not heard.answers:
        return failure(_together(heard.failed))
    if _must_not(order, heard.failed):
        return AllModelsFailed(_together(heard.failed).text, partial=partial)
    return None


def _must_not(order: Order, seats: Sequence[Seat]) -> bool:
    """Whether one failed that must not; who is late has not failed, but was given up."""
    failed = (seat for seat in seats if not seat.answered and not seat.is_late)
    return order.on_partial == "fail" and any(failed)


def _together(failed: Sequence[Seat]) -> Unanswered:
    """All failures as one; of different kinds they are just failures."""
    outcomes = [seat.outcome for seat in failed if isinstance(seat.outcome, Unanswered)]
    kinds = {outcome.kind for outcome in outcomes}
    partial = next((outcome.partial for outcome in outcomes if outcome.partial), "")
    failures = tuple((seat.model, seat.error) for seat in failed)
    kind = kinds.pop() if len(kinds) == 1 else "failed"
    return Unanswered(kind, failures, partial, all(outcome.overloaded for outcome in outcomes))
