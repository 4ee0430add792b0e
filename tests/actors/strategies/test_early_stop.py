"""Mode vote with `early_stop`: nobody is asked whose answer could not change the outcome."""

from __future__ import annotations

from random import Random

import pytest
from msgspec.structs import replace

from actors.domain.model import Model, Price
from actors.errors import AllModelsFailed
from actors.strategies.plan import Call
from tests.actors.strategies.driver import (
    Expire,
    Fails,
    Reply,
    Script,
    World,
    model,
    order,
    run_mode,
    verdict,
)

PRICE = Price(1_000_000, 2_000_000, 0, 0)
MODELS = [
    replace(model(id, weight), price=PRICE)
    for id, weight in (("j", 10), ("a", 9), ("b", 8), ("c", 7), ("d", 6), ("e", 5))
]


def saying(choice: str = "none", **replies: Reply) -> Script:
    def script(call: Call, m: Model) -> Reply:
        return verdict(call, choice) if call.role == "judge" else replies[m.id]

    return script


def test_two_of_three_that_agree_are_enough() -> None:
    """Neither the third voter nor a judge is asked, and the result says what that saved."""
    world = World(MODELS, saying(a="42", b="42.0", c="7"))
    result, response = run_mode(world, order("vote", early_stop=True))
    assert world.answers == [("voter", "a"), ("voter", "b")]
    assert (result.text, result.model, result.routing_reason) == ("42", "a", "vote-orchestration")
    assert (result.reasons, result.degraded) == ((), False)
    assert (response["selected"], response["judge"], response["judge_decided"]) == (0, None, False)
    assert response["reason"] == "2 of 2 voters agree; no judge was needed"
    assert response["saved"]["calls"] == 2
    # A voter: 10 in, 5 out; the judge reads that and three answers, and says 256 tokens.
    assert response["saved"]["cost_usd"] == pytest.approx((10 + 2 * 5 + 10 + 15 + 2 * 256) / 1e9)
    (noted,) = world.notes
    assert (noted.judge, noted.selected, noted.decided) == (None, 0, False)


def test_where_they_disagree_all_are_asked_and_most_decide() -> None:
    """The third makes a majority: the judge alone is saved."""
    world = World(MODELS, saying(a="7", b="42", c="42"))
    result, response = run_mode(world, order("vote", early_stop=True))
    assert [id for _, id in world.answers] == ["a", "b", "c"]
    assert (result.text, response["selected"], response["judge"]) == ("42", 1, None)
    assert response["reason"] == "2 of 3 voters agree; no judge was needed"
    assert response["saved"]["calls"] == 1


def test_where_nobody_agrees_a_judge_decides() -> None:
    """Then nothing was saved."""
    world = World(MODELS, saying("43", a="42", b="43", c="44"))
    result, response = run_mode(world, order("vote", early_stop=True))
    assert [role for role, _ in world.answers] == ["voter"] * 3 + ["judge"]
    assert (result.text, response["judge"], response["judge_decided"]) == ("43", "j", True)
    assert response["saved"] == {"calls": 0, "cost_usd": 0.0}


def test_texts_cannot_be_compared() -> None:
    """The same words at length agree no more than others: they are judged."""
    text = "Because of the way that light is scattered. " * 3
    world = World(MODELS, saying("tie", a=text, b=text, c=text))
    _, response = run_mode(world, order("vote", early_stop=True))
    assert response["judge"] == "j"
    assert response["saved"]["calls"] == 0


@pytest.mark.parametrize(("voters", "asked"), [(2, 2), (4, 3), (5, 3)])
def test_as_many_are_asked_first_as_are_a_majority(voters: int, asked: int) -> None:
    """Fewer could be outvoted by the rest."""
    world = World(MODELS, saying(a="x", b="x", c="x", d="y", e="y"))
    _, response = run_mode(world, order("vote", early_stop=True, voters=voters))
    assert len(world.calls) == asked
    assert response["saved"]["calls"] == voters - asked + 1


def test_the_agreement_is_that_of_the_schema() -> None:
    """JSON is compared as its schema means it; the first answer of those that agree is returned."""
    schema = b'{"properties":{"tags":{"type":"array","uniqueItems":true}}}'
    world = World(MODELS, saying(a='{"tags":["x","y"]}', b='{"tags":["Y","X"]}'))
    result, response = run_mode(world, order("vote", early_stop=True, schema=schema))
    assert len(world.calls) == 2
    assert result.text == '{"tags":["x","y"]}'
    assert response["output"] == {"tags": ["x", "y"]}


@pytest.mark.parametrize(
    ("on_partial", "asked"), [("accept", ["a", "b", "c"]), ("refill", ["a", "b", "c"])]
)
def test_a_failed_voter_is_made_up_for(on_partial: str, asked: list[str]) -> None:
    """The rest are asked; once those that answered agree, nobody takes the empty seat."""
    world = World(MODELS, saying(a=Fails(), b="x", c="x", d="x"))
    fields = {"on_partial": on_partial, "early_stop": True}
    result, response = run_mode(world, order("vote", **fields))
    assert [call.candidates[0].model.id for call in world.asked("voter")] == asked
    assert world.asked("judge") == []
    assert (result.text, result.reasons, result.degraded) == ("x", ("voters_failed",), True)
    assert response["failed"] == [{"model": "a", "error": "500"}]


def test_a_voter_that_must_not_fail_ends_it_before_the_rest_are_paid() -> None:
    world = World(MODELS, saying(a=Fails(), b="x", c="x"))
    with pytest.raises(AllModelsFailed):
        run_mode(world, order("vote", on_partial="fail", early_stop=True))
    assert [call.candidates[0].model.id for call in world.calls] == ["a", "b"]


def test_no_time_is_left_for_the_rest() -> None:
    """Of the answers there are the rule chooses, and nothing counts as saved."""
    world = World(MODELS, saying(a="x", b=Expire(), c="x"))
    result, response = run_mode(world, order("vote", early_stop=True))
    assert [call.candidates[0].model.id for call in world.asked("voter")] == ["a", "b"]
    assert (result.text, result.degraded) == ("x", True)
    assert "deadline" in result.reasons
    assert response["saved"]["calls"] == 0


@pytest.mark.parametrize("seed", range(300))
def test_stopping_early_never_changes_what_agreement_decided(seed: int) -> None:
    """Whatever the voters say: where most of all of them agree, the outcome is what it would be
    with all of them heard, to the byte; and nobody is asked twice for it.
    """
    draw = Random(seed)
    voters = draw.randint(2, 5)
    texts = {m.id: draw.choice(["1", "1.0", "2", "two", "Two."]) for m in MODELS}
    ordered = order("vote", voters=voters, early_stop=True, seed=seed)
    world = World(MODELS, saying("tie", **texts))
    result, response = run_mode(world, ordered)
    everybody = [texts[m.id] for m in MODELS if m.id != "j"][:voters]
    meant = ["1" if text == "1.0" else text.lower().rstrip(".") for text in everybody]
    agreeing = [text for text in meant if 2 * meant.count(text) > voters]
    assert (response["judge"] is None) == bool(agreeing)
    assert len(world.calls) + response["saved"]["calls"] == voters + 1
    if agreeing:
        assert result.text == everybody[meant.index(agreeing[0])]
