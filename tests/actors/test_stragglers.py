"""Mode vote with `wait` as `quorum`: who is late is not waited for."""

from __future__ import annotations

from typing import Any

import pytest

from actors.protocol import CallVendor
from tests.world import HANGS, USD, Fails, Says, Vendor, World, is_ballot, model, verdict

VOTERS = ("v1", "v2", "v3", "v4", "v5")
MODELS = (model("judge", "j", 9), *(model(id, id) for id in VOTERS))


def after(**seconds: Any) -> Vendor:
    """Voters answer after so many seconds, or as they are told; the judge at once."""

    def vendor(work: CallVendor) -> Any:
        if is_ballot(work):
            return Says(verdict(work), after_s=0.0)
        told = seconds[work.order.model]
        return Says(f"{work.order.model} says so", after_s=told) if type(told) is float else told

    return vendor


def voted(world: World, **fields: Any) -> dict[str, Any]:
    fields = {"voter_models": VOTERS[:3], "voters": 3, "wait": "quorum", **fields}
    return world.plan("vote", **fields)


def test_a_straggler_gets_as_long_again_as_the_majority_took() -> None:
    """It is cancelled at the socket, settled, and named; the judge has what the others said."""
    world = World(after(v1=1.0, v2=4.0, v3=HANGS), MODELS)
    begun = world.time
    body = voted(world)
    assert world.time - begun == pytest.approx(8.0, abs=0.1)
    assert [entry["model"] for entry in body["response"]["responses"]] == ["v1", "v2"]
    assert body["response"]["failed"] == [
        {"model": "v3", "error": "cancelled: most had answered, and as long again had passed"}
    ]
    assert (body["status"], body["reasons"]) == ("degraded", ["voters_late"])
    assert body["response"]["judge"] == "judge"
    assert [call["status"] for call in body["calls"]] == ["ok", "ok", "cancelled", "ok"]
    assert world.held == 0


@pytest.mark.parametrize("third_s", [4.5, 7.5])
def test_who_answers_within_the_grace_is_heard(third_s: float) -> None:
    body = voted(World(after(v1=1.0, v2=4.0, v3=third_s), MODELS))
    assert (len(body["response"]["responses"]), body["status"]) == (3, "complete")


def test_by_default_everybody_is_waited_for() -> None:
    body = voted(World(after(v1=1.0, v2=1.0, v3=40.0), MODELS), wait="all")
    assert (len(body["response"]["responses"]), body["status"]) == (3, "complete")


def test_failures_are_no_majority() -> None:
    """One of three has answered: the third is what makes two."""
    fails = Fails("fatal", http_status=403)
    body = voted(World(after(v1=1.0, v2=fails, v3=30.0), MODELS))
    assert [entry["model"] for entry in body["response"]["responses"]] == ["v1", "v3"]
    assert body["reasons"] == ["voters_failed"]


@pytest.mark.parametrize("on_partial", ["refill", "fail"])
def test_who_is_late_has_not_failed(on_partial: str) -> None:
    """Nobody takes its seat, for there is no more time for him; and it is not the end."""
    world = World(after(v1=1.0, v2=1.0, v3=HANGS, v4=1.0, v5=1.0), MODELS)
    body = voted(world, on_partial=on_partial)
    assert [entry["model"] for entry in body["response"]["responses"]] == ["v1", "v2"]
    assert body["reasons"] == ["voters_late"]


def test_the_deadline_holds_within_a_grace() -> None:
    """The judge's time is not given away: then it is the deadline that was in the way."""
    world = World(after(v1=1.0, v2=9.0, v3=HANGS), MODELS)
    body = voted(world, latency_s=16.0)
    assert body["response"]["judge"] == "judge"
    assert body["reasons"] == ["voters_failed", "deadline"]


def test_those_who_are_asked_later_have_a_grace_of_their_own() -> None:
    """With `early_stop` the two that disagree are no majority of those asked after them."""
    vendor = after(v1=1.0, v2=1.0, v3=1.0, v4=2.0, v5=HANGS)
    fields: dict[str, Any] = {"voter_models": VOTERS, "voters": 5, "early_stop": True}
    world = World(vendor, MODELS)
    body = voted(world, **fields)
    assert len(body["response"]["responses"]) == 4
    assert world.held == 0
    world = World(after(v1=1.0, v2=1.0, v3=1.0, v4=2.0, v5=30.0), MODELS)
    assert len(voted(world, **fields)["response"]["responses"]) == 5


def test_what_a_straggler_may_have_cost_is_paid() -> None:
    """It was written to its vendor: its input is charged, as an estimate."""
    body = voted(World(after(v1=1.0, v2=1.0, v3=HANGS), MODELS))
    (late,) = [call for call in body["calls"] if call["status"] == "cancelled"]
    assert late["estimated"]
    assert 0 < late["cost_usd"] < 1.0
    assert body["cost"]["spent_usd"] * USD == pytest.approx(
        sum(call["cost_usd"] for call in body["calls"]) * USD
    )
