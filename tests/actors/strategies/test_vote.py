"""Mode vote: voters at once, then a judge that is none of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from actors.domain.model import Model
from actors.errors import (
    AllModelsFailed,
    BudgetExceeded,
    Cancelled,
    DeadlineExceeded,
    NoEligibleModel,
)
from actors.strategies.plan import Call, Unanswered
from tests.actors.strategies.driver import (
    CutOff,
    Expire,
    Fails,
    GiveUp,
    Reply,
    Script,
    World,
    model,
    order,
    run_mode,
    verdict,
)

MODELS = [model("j", 10), model("a", 9), model("b", 8), model("c", 7), model("d", 6)]


def voting(choice: str = "from a", **replies: Reply) -> Script:
    """Voters say who they are, or what `replies` has them say; the judge chooses `choice`."""

    def script(call: Call, m: Model) -> Reply:
        if m.id in replies:
            return replies[m.id]
        return verdict(call, choice) if call.role == "judge" else f"from {m.id}"

    return script


def contents(response: dict[str, Any]) -> list[str]:
    return [entry["content"] for entry in response["responses"]]


def test_three_voters_and_a_judge_cost_four_calls() -> None:
    """The response lists candidates in the voters' order, whatever order the judge saw."""
    world = World(MODELS, voting("from b"))
    result, response = run_mode(world, order("vote"))
    assert world.answers == [("voter", "a"), ("voter", "b"), ("voter", "c"), ("judge", "j")]
    assert response == {
        "responses": [
            {"model": "a", "content": "from a", "selected": False},
            {"model": "b", "content": "from b", "selected": True},
            {"model": "c", "content": "from c", "selected": False},
        ],
        "selected": 1,
        "judge": "j",
        "judge_decided": True,
        "reason": "responses[1]: it is right",
        "failed": [],
    }
    assert result.routing_reason == "vote-orchestration"
    assert (result.model, result.text) == ("b", "from b")
    assert (result.reasons, result.degraded) == ((), False)
    (noted,) = world.notes
    assert (noted.judge, noted.selected, noted.decided) == ("j", 1, True)


@pytest.mark.parametrize("voters", [2, 5, 10])
def test_a_request_has_the_voters_it_asked_for(voters: int) -> None:
    """Where there are fewer models than voters they repeat, each with a seed of its own."""
    world = World(MODELS, voting())
    _, response = run_mode(world, order("vote", voters=voters, seed=100))
    assert len(response["responses"]) == voters
    assert len(world.calls) == voters + 1
    asked = world.asked("voter")
    names = [call.candidates[0].model.id for call in asked]
    assert "j" not in names
    for place, call in enumerate(asked):
        repeated = names.count(names[place]) > 1
        assert (call.seed, call.temperature) == ((100 + place, 0.7) if repeated else (None, None))


def test_a_temperature_of_the_orders_own_is_kept() -> None:
    """Repeated models differ by their seeds alone then."""
    world = World(MODELS[:2], voting())
    run_mode(world, order("vote", temperature=0.2))
    assert [(c.seed, c.temperature) for c in world.asked("voter")] == [
        (1, 0.2),
        (2, 0.2),
        (3, 0.2),
    ]


def test_voters_by_name_keep_their_order_and_repeats() -> None:
    """A named voter is a voter even where it would be the likely judge."""
    world = World(MODELS, voting("from b"))
    ordered = order("vote", voters=3, voter_models=("b", "j", "b"))
    _, response = run_mode(world, ordered)
    assert [entry["model"] for entry in response["responses"]] == ["b", "j", "b"]
    assert response["judge"] == "a"
    assert [call.seed for call in world.asked("voter")] == [1, None, 3]


def test_the_primary_is_the_first_voter() -> None:
    """`primary_model_id` in mode vote."""
    world = World(MODELS, voting())
    _, response = run_mode(world, order("vote", primary="d"))
    assert [entry["model"] for entry in response["responses"]] == ["d", "a", "b"]


def test_the_orders_own_settings_reach_the_voters_alone() -> None:
    """The judge has temperature 0, its own limit, and no parameters."""
    world = World(MODELS, voting())
    parameters = b'{"top_p":1}'
    run_mode(world, order("vote", parameters=parameters, temperature=0.9, max_tokens=50))
    for call in world.asked("voter"):
        assert (call.parameters, call.temperature, call.max_tokens) == (parameters, 0.9, 50)
    (judge,) = world.asked("judge")
    assert (judge.parameters, judge.temperature, judge.max_tokens) == (b"{}", 0.0, 4096)
    assert judge.schema is None


def test_the_round_leaves_time_and_money_to_the_judge() -> None:
    """A quarter of the time, at most 30 s, and what the cheapest judge may cost."""
    for latency, leave in ((60.0, 15.0), (600.0, 30.0)):
        world = World(MODELS, voting())
        run_mode(world, order("vote", latency_s=latency, max_tokens=10))
        first = world.opened[0]
        assert (first.calls, first.leave_s, first.depth) == (3, leave, 0)
        assert first.finish is not None
        assert [c.model.id for c in first.finish.candidates] == ["j", "d"]
        assert first.finish.max_tokens == world.asked("judge")[0].max_tokens


# --- one answer -------------------------------------------------------------------------------


def test_one_voter_needs_no_judge() -> None:
    """Not even one to set aside: the best model answers."""
    world = World(MODELS, voting())
    result, response = run_mode(world, order("vote", voters=1))
    assert world.answers == [("voter", "j")]
    assert result.routing_reason == "vote-single-response"
    assert (response["selected"], response["judge"], response["judge_decided"]) == (0, None, False)
    assert (result.reasons, result.degraded) == ((), False)
    assert world.opened[0].finish is None


def test_one_survivor_needs_no_judge_either() -> None:
    """Its answer is returned, and the others are named."""
    world = World(MODELS, voting(a=Fails("boom"), c=Fails("bang")))
    result, response = run_mode(world, order("vote"))
    assert world.roles == ["voter"] * 3
    assert result.routing_reason == "vote-single-response"
    assert (result.model, contents(response)) == ("b", ["from b"])
    assert response["failed"] == [{"model": "a", "error": "boom"}, {"model": "c", "error": "bang"}]
    assert (result.reasons, result.degraded) == (("voters_failed",), True)


# --- voters that fail -------------------------------------------------------------------------


def test_accept_goes_on_without_the_voter_that_failed() -> None:
    """Its error is never a candidate; the result is degraded and says who failed."""
    world = World(MODELS, voting("from c", b=Fails("boom")))
    result, response = run_mode(world, order("vote"))
    assert contents(response) == ["from a", "from c"]
    assert (response["selected"], result.model) == (1, "c")
    assert response["failed"] == [{"model": "b", "error": "boom"}]
    assert (result.reasons, result.degraded) == (("voters_failed",), True)


def test_refill_asks_the_next_best_model_not_used() -> None:
    """The seat is filled, so the panel is whole; who failed is still told."""
    world = World(MODELS, voting("from d", b=Fails("boom")))
    result, response = run_mode(world, order("vote", on_partial="refill"))
    assert contents(response) == ["from a", "from d", "from c"]
    assert response["failed"] == [{"model": "b", "error": "boom"}]
    assert (result.reasons, result.degraded) == (("voters_failed",), False)
    assert response["judge"] == "j"


def test_refill_goes_on_while_there_is_somebody() -> None:
    """A substitute may fail too; once all were asked, one that answered is asked again."""
    world = World(MODELS, voting("from a", b=Fails("boom"), d=Fails("bang")))
    result, response = run_mode(world, order("vote", on_partial="refill"))
    assert contents(response) == ["from a", "from a", "from c"]
    assert [entry["model"] for entry in response["failed"]] == ["b", "d"]
    assert (result.reasons, result.degraded) == (("voters_failed",), False)
    assert response["judge"] == "j"


def test_refill_ends_when_nobody_can_be_asked() -> None:
    """Without an answer there is nobody to be asked again."""
    boom = Fails("boom")
    with pytest.raises(AllModelsFailed, match=r"a: boom; b: boom; c: boom; d: boom$"):
        run_mode(
            World(MODELS, voting(a=boom, b=boom, c=boom, d=boom)),
            order("vote", on_partial="refill"),
        )


def test_refill_does_not_outlive_the_voters_time() -> None:
    """A voter that was too late is not followed by one that would be later."""
    world = World(MODELS, voting("from a", c=Expire()))
    result, response = run_mode(world, order("vote", on_partial="refill"))
    assert world.roles == ["voter"] * 3 + ["judge"]
    assert response["failed"] == [{"model": "c", "error": "deadline"}]
    assert result.reasons == ("voters_failed", "deadline")


def test_fail_is_an_error_that_carries_what_was_paid() -> None:
    """502 naming who failed, with the answers in `partial`."""
    world = World(MODELS, voting(b=Fails("boom")))
    with pytest.raises(AllModelsFailed, match=r"^b: boom$") as caught:
        run_mode(world, order("vote", on_partial="fail"))
    assert caught.value.partial == "from a\n\nfrom c"
    assert world.roles == ["voter"] * 3


@pytest.mark.parametrize("on_partial", ["accept", "refill", "fail"])
def test_a_named_voter_that_may_not_answer_has_failed(on_partial: str) -> None:
    """It is not quietly replaced: its seat is treated like that of one that failed."""
    world = World(MODELS, voting("from a"), {"b": "unavailable"})
    ordered = order("vote", voter_models=("a", "b", "c"), on_partial=on_partial)
    if on_partial == "fail":
        with pytest.raises(AllModelsFailed, match="b: is unavailable"):
            run_mode(world, ordered)
        return
    result, response = run_mode(world, ordered)
    expected = ["from a", "from d", "from c"] if on_partial == "refill" else ["from a", "from c"]
    assert contents(response) == expected
    assert response["failed"] == [{"model": "b", "error": "is unavailable"}]
    assert result.reasons == ("voters_failed",)


def test_without_any_voter_the_error_names_each() -> None:
    """All failed: 502; nobody is judged."""
    world = World(MODELS, voting(a=Fails("x"), b=Fails("y"), c=Fails("z")))
    with pytest.raises(AllModelsFailed, match="a: x; b: y; c: z"):
        run_mode(world, order("vote"))


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (GiveUp("deadline"), DeadlineExceeded),
        (GiveUp("budget"), BudgetExceeded),
        (GiveUp("cancelled"), Cancelled),
        (Unanswered("budget"), BudgetExceeded),
    ],
)
def test_without_any_answer_the_error_is_its_kind(reply: Reply, error: type) -> None:
    """Time, money, or the client."""
    with pytest.raises(error):
        run_mode(World(MODELS, lambda call, m: reply), order("vote"))


def test_a_deadline_among_the_voters_leaves_the_answers_there_are() -> None:
    """Given up while the last voter is out: the rule chooses, no judge is asked any more."""
    world = World(MODELS, voting(c=GiveUp("deadline")))
    result, response = run_mode(world, order("vote"))
    assert world.roles == ["voter"] * 3
    assert (result.model, response["judge"], response["judge_decided"]) == ("a", None, False)
    assert result.degraded
    assert set(result.reasons) == {"judge_failed", "deadline", "voters_failed"}


def test_a_cancelled_vote_is_an_error_with_what_was_paid() -> None:
    """The client asked for no answer any more."""
    with pytest.raises(Cancelled) as caught:
        run_mode(World(MODELS, voting(c=GiveUp("cancelled"))), order("vote"))
    assert caught.value.partial == "from a\n\nfrom b"


def test_nobody_who_may_vote_is_refused() -> None:
    """Floors of the voters and of the judge alike, before anything is paid."""
    for fields in ({"primary_min_weight": 11}, {"review_min_weight": 11}):
        world = World(MODELS, voting())
        with pytest.raises(NoEligibleModel, match="weight 10 is below 11"):
            run_mode(world, order("vote", **fields))
        assert world.calls == []


def test_only_the_winner_counts_as_cut_off() -> None:
    """`truncated` is said of the returned answer."""
    world = World(MODELS, voting("from a", b=CutOff("half")))
    assert run_mode(world, order("vote"))[0].reasons == ()
    world = World(MODELS, voting("half", b=CutOff("half")))
    assert run_mode(world, order("vote"))[0].reasons == ("truncated",)


def test_hidden_reasoning_is_shown_to_no_judge() -> None:
    """Whatever the user gets to see."""
    world = World(MODELS, voting("plain", a="<think>secret</think>plain"))
    result, _ = run_mode(world, order("vote"))
    assert result.text == "<think>secret</think>plain"
    assert b"secret" not in world.asked("judge")[0].messages
    assert json.loads(world.asked("judge")[0].messages)
