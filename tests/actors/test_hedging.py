"""A call that takes longer than its model's do is sent once more, to another model."""

from __future__ import annotations

import json
from typing import Any

import pytest

from actors.domain.health import LEAST_KEPT
from actors.events import RunFinished
from actors.protocol import CallVendor
from tests.world import HANGS, USD, Fails, Says, World, is_ballot, model, verdict

MODELS = (
    model("first", "a", 9, 1),
    model("second", "b", 8, 1),
    model("third", "c", 7, 1),
    model("judge", "j", 6, 1),
)


class Vendors:
    """Everybody answers after a second, until they are told otherwise."""

    def __init__(self) -> None:
        self.told: dict[str, Any] = {}

    def __call__(self, work: CallVendor) -> Any:
        if is_ballot(work):
            return Says(verdict(work), after_s=1.0)
        name = work.order.model
        return self.told.get(name, Says(f"{name} says so", after_s=1.0))


def known_world(vendors: Vendors, **more: Any) -> World:
    """One in which it is known of each model how long it takes."""
    world = World(vendors, MODELS, **more)
    for number in range(LEAST_KEPT):
        for row in MODELS:
            world.body(world.begin("planning", run=f"{row.id}{number}", primary=row.id))
    world.pause(2.0)
    world.orders.clear()
    return world


def planned(world: World, **fields: Any) -> dict[str, Any]:
    return world.plan("planning", **{"primary": "first", "hedge": True, **fields})


def statuses(body: dict[str, Any]) -> list[tuple[str, str]]:
    return [(call["model"], call["status"]) for call in body["calls"]]


def test_the_first_answer_wins_and_the_other_call_is_given_up() -> None:
    """After the time that calls seldom take; both are settled, and nothing is held."""
    vendors = Vendors()
    world = known_world(vendors)
    vendors.told["first"] = HANGS
    begun = world.time
    body = planned(world)
    assert world.time - begun == pytest.approx(2.0, abs=0.1)
    assert (body["negotiated_model"], body["status"]) == ("second", "complete")
    assert statuses(body) == [("first", "cancelled"), ("second", "ok")]
    assert [call["attempt"] for call in body["calls"]] == [1, 2]
    spent = sum(call["cost_usd"] for call in body["calls"])
    assert body["cost"]["spent_usd"] == pytest.approx(spent)
    assert world.held == 0


def test_the_slow_one_may_still_win() -> None:
    vendors = Vendors()
    world = known_world(vendors)
    vendors.told |= {"first": Says("late", after_s=1.5), "second": HANGS}
    body = planned(world)
    assert body["negotiated_model"] == "first"
    assert statuses(body) == [("first", "ok"), ("second", "cancelled")]


@pytest.mark.parametrize("fields", [{"hedge": False}, {}])
def test_who_is_in_time_is_asked_alone(fields: dict[str, Any]) -> None:
    """As is whoever may be slow."""
    vendors = Vendors()
    world = known_world(vendors)
    if fields:
        vendors.told["first"] = Says("late", after_s=20.0)
    assert len(planned(world, **fields)["calls"]) == 1


def test_nobody_is_slow_of_whom_little_is_known() -> None:
    vendors = Vendors()
    vendors.told["first"] = Says("late", after_s=20.0)
    assert len(planned(World(vendors, MODELS))["calls"]) == 1


def test_one_call_is_hedged_once() -> None:
    """However slow the other is."""
    vendors = Vendors()
    world = known_world(vendors)
    vendors.told |= {"first": Says("late", after_s=9.0), "second": HANGS, "third": HANGS}
    assert statuses(planned(world)) == [("first", "ok"), ("second", "cancelled")]


def test_a_hedge_that_fails_leaves_the_first_alone() -> None:
    vendors = Vendors()
    world = known_world(vendors)
    fails = Fails("fatal", after_s=0.1, http_status=403)
    vendors.told |= {"first": Says("late", after_s=5.0), "second": fails}
    body = planned(world)
    assert statuses(body) == [("first", "ok"), ("second", "failed")]


def test_a_first_that_fails_is_not_followed_while_its_hedge_is_out() -> None:
    """Which answers; or else the next model does, and nobody is asked again for nothing."""
    vendors = Vendors()
    world = known_world(vendors)
    fails = Fails("fatal", after_s=1.5, http_status=403)
    vendors.told |= {"first": fails, "second": Says("at last", after_s=3.0)}
    assert statuses(planned(world)) == [("first", "failed"), ("second", "ok")]
    vendors.told |= {"second": Fails("fatal", after_s=3.0, http_status=403)}
    again = planned(world, run="again")
    assert statuses(again) == [("first", "failed"), ("second", "failed"), ("third", "ok")]
    assert world.held == 0


def test_a_hedge_takes_no_money_that_is_needed() -> None:
    """What does not fit is left out, and said; the run goes on without it."""
    vendors = Vendors()
    world = known_world(vendors)
    vendors.told["first"] = Says("late", after_s=9.0)
    worst = int(1.2 * 4096 * 3 * USD / 1_000_000)
    rich = planned(world, limit_nano=3 * worst, limited=True, run="rich")
    assert statuses(rich) == [("first", "cancelled"), ("second", "ok")]
    vendors.told.clear()
    world = known_world(vendors)
    vendors.told["first"] = Says("late", after_s=9.0)
    body = planned(world, limit_nano=worst, limited=True)
    assert statuses(body) == [("first", "ok")]
    assert (body["status"], body["reasons"]) == ("complete", ["hedge_unaffordable"])


def test_a_cancelled_run_gives_both_up() -> None:
    vendors = Vendors()
    world = known_world(vendors)
    vendors.told |= {"first": HANGS, "second": HANGS}
    asked = world.begin("planning", run="r", primary="first", hedge=True)
    world.pause(5.0)
    assert len(world.orders) == 2
    world.cancel()
    body = world.body(asked)
    assert statuses(body) == [("first", "cancelled"), ("second", "cancelled")]
    assert world.held == 0


def test_what_a_hedge_writes_is_not_shown_as_it_comes() -> None:
    """Watchers see one text: that of the first attempt, until the answer is known."""
    vendors = Vendors()
    world = known_world(vendors)
    vendors.told["first"] = HANGS
    planned(world)
    assert [work.order.final for work in world.orders] == [True, False]
    assert isinstance(world.events[-1], RunFinished)


# --- votes ------------------------------------------------------------------------------------


def voted(world: World, **fields: Any) -> dict[str, Any]:
    fields = {"voters": 2, "review": "judge", "hedge": True, "primary": "first", **fields}
    return world.plan("vote", **fields)


def test_a_slow_voter_is_stood_in_for_by_a_model_without_a_seat() -> None:
    """Which is a voter then: the judge is still somebody else."""
    vendors = Vendors()
    world = known_world(vendors)
    vendors.told["first"] = HANGS
    body = voted(world)
    seats = [entry["model"] for entry in body["response"]["responses"]]
    assert len({*seats, "first", "judge"}) == 4
    assert (body["status"], body["reasons"]) == ("complete", [])
    assert body["response"]["failed"] == []
    assert body["response"]["judge"] == "judge"


def test_where_all_have_seats_another_voter_is_asked_again() -> None:
    """With a seed and a temperature of its own."""
    vendors = Vendors()
    world = known_world(vendors)
    vendors.told["first"] = HANGS
    body = voted(world, voters=3)
    hedge = world.orders[3].order
    assert hedge.model in ("second", "third")
    assert (hedge.seed, hedge.temperature) == (7 + 6, 0.7)
    assert body["response"]["responses"][0]["model"] == hedge.model


def test_who_stood_in_repairs_what_he_wrote() -> None:
    """He is the author, though the seat was another's."""
    vendors = Vendors()
    world = known_world(vendors)
    schema = json.dumps({"required": ["n"]}).encode()
    right = Says('{"n": 1}', after_s=1.0)
    vendors.told |= {"first": HANGS, "second": right, "third": Says("{}", after_s=1.0)}
    body = voted(world, schema=schema, voter_models=("first", "second"), primary=None)
    repairs = [call["model"] for call in body["calls"] if call["role"] == "repair"]
    assert repairs == ["third"]


def test_the_judges_money_is_not_spent_on_voters() -> None:
    """There is a judge, whatever else was left out."""
    vendors = Vendors()
    world = known_world(vendors)
    vendors.told["first"] = Says("late", after_s=9.0)
    worst = int(4096 * 3 * USD / 1_000_000)
    body = voted(world, limit_nano=int(3.9 * worst), limited=True)
    assert body["response"]["judge"] == "judge"
    assert body["reasons"] == ["hedge_unaffordable"]
