"""The judge of a vote: who judges, and what happens when nobody can."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from actors.domain.model import Model
from actors.errors import Cancelled
from actors.strategies.judging import by_rule
from actors.strategies.plan import Answered, Call, Unanswered
from tests.actors.strategies.driver import (
    Fails,
    GiveUp,
    Reply,
    Script,
    World,
    model,
    order,
    run_mode,
    shown_to,
    verdict,
)

MODELS = [model("j", 5), model("a", 9), model("b", 8), model("c", 7), model("d", 6)]


def voters_and(judge: Script) -> Script:
    return lambda call, m: f"from {m.id}" if call.role == "voter" else judge(call, m)


def choosing(choice: str) -> Script:
    return voters_and(lambda call, m: verdict(call, choice))


# --- who judges -------------------------------------------------------------------------------


def test_the_judge_is_no_voter_and_of_no_voters_family() -> None:
    """Families that have a candidate come last."""
    models = [model("kin", 9, "family-a"), *MODELS[1:4], model("stranger", 5)]
    world = World(models, choosing("from a"))
    _, response = run_mode(world, order("vote", voter_models=("a", "b", "c")))
    assert response["judge"] == "stranger"
    wanted = world.chooses[-1]
    assert set(wanted.exclude) == {"a", "b", "c"}
    assert wanted.profile == "high_confidence"


def test_a_named_judge_judges_and_is_set_aside() -> None:
    """`review_model_id` is no voter unless it is named as one."""
    world = World(MODELS, choosing("from j"))
    result, response = run_mode(world, order("vote", review="a"))
    assert [entry["model"] for entry in response["responses"]] == ["j", "b", "c"]
    assert (response["judge"], result.reasons) == ("a", ())


def test_a_named_judge_that_is_also_a_voter_judges() -> None:
    """The explicit id wins, and the result says so."""
    world = World(MODELS, choosing("from c"))
    ordered = order("vote", review="a", voter_models=("a", "b", "c"))
    result, response = run_mode(world, ordered)
    assert (response["judge"], response["judge_decided"]) == ("a", True)
    assert (result.reasons, result.degraded) == (("judge_is_voter",), False)


def test_a_voter_judges_when_no_other_model_lives() -> None:
    """The judge set aside fails, nobody else is there: a voter it is, and the result says so."""
    world = World(
        MODELS[:3], voters_and(lambda c, m: Fails() if m.id == "j" else verdict(c, "from b"))
    )
    result, response = run_mode(world, order("vote", voters=2))
    assert (response["judge"], response["selected"]) == ("a", 1)
    assert (result.reasons, result.degraded) == (("judge_is_voter",), False)


def test_the_only_model_votes_and_judges() -> None:
    """A panel of one model repeated, judged by itself, is still an answer."""
    world = World(MODELS[:1], choosing("from j"))
    result, response = run_mode(world, order("vote"))
    assert [entry["model"] for entry in response["responses"]] == ["j"] * 3
    assert response["judge"] == "j"
    assert result.reasons == ("judge_is_voter",)


def test_a_judge_that_fails_is_followed_by_another_outsider() -> None:
    """The judge is chosen when it is needed, among those alive then."""
    world = World(MODELS, voters_and(lambda c, m: Fails() if m.id == "j" else verdict(c, "from a")))
    result, response = run_mode(world, order("vote"))
    assert (response["judge"], result.reasons) == ("d", ())


# --- what it says -----------------------------------------------------------------------------


@pytest.mark.parametrize(("choice", "degraded"), [("tie", False), ("none", True)])
def test_a_judge_may_decline_to_choose(choice: str, degraded: bool) -> None:
    """The rule chooses, the reason says so; `none` is degraded, `tie` is not."""
    world = World(MODELS, choosing(choice))
    result, response = run_mode(world, order("vote"))
    assert (response["judge"], response["judge_decided"]) == ("j", False)
    assert response["selected"] == 0
    assert f"the judge said {choice}" in response["reason"]
    assert "chosen by the highest model weight, 9" in response["reason"]
    assert (result.reasons, result.degraded) == ((f"judge_{choice}",), degraded)
    assert (world.notes[0].judge, world.notes[0].decided) == ("j", False)


ATTACKS: dict[str, Callable[[Call], str]] = {
    "a digit in prose": lambda call: "1 beats 3, so candidate 3 loses. Winner: 1",
    "nonsense": lambda call: "\x00\x1b[2J{{{{}}}}",
    "nothing": lambda call: "",
    "a label in prose": lambda call: f"{next(iter(shown_to(call)))} is best",
    "half an object": lambda call: verdict(call, "from a")[:-10],
    "two that differ": lambda call: verdict(call, "from a") + "\n" + verdict(call, "from b"),
    "an unknown label": lambda call: verdict(call, "ZZZ"),
    "an index": lambda call: '{"choice": 1}',
    "no findings": lambda call: '{"findings": [], "comparison": "", "choice": "tie"}',
    "a change of mind": lambda call: verdict(call, "from a") + " Or rather the other one.",
}


@pytest.mark.parametrize("reply", ATTACKS.values(), ids=ATTACKS)
def test_what_is_no_verdict_never_chooses(reply: Callable[[Call], str]) -> None:
    """One repair by the same model, then the next judge, whose verdict counts."""

    def judge(call: Call, m: Model) -> Reply:
        return reply(call) if m.id == "j" else verdict(call, "from c")

    world = World(MODELS, voters_and(judge))
    result, response = run_mode(world, order("vote"))
    assert world.answers[3:] == [("judge", "j"), ("repair", "j"), ("judge", "d")]
    assert (response["judge"], response["selected"], result.model) == ("d", 2, "c")
    assert (result.reasons, result.degraded) == ((), False)


def test_a_repair_that_can_be_read_counts() -> None:
    """The judge is shown its words and what was wrong with them."""
    world = World(
        MODELS, voters_and(lambda c, m: "well" if c.role == "judge" else verdict(c, "from b"))
    )
    result, response = run_mode(world, order("vote"))
    assert (response["judge"], response["selected"], result.reasons) == ("j", 1, ())
    (repair,) = world.asked("repair")
    turns = json.loads(repair.messages)
    assert turns[-2] == {"role": "assistant", "content": "well"}
    assert "cannot be read" in turns[-1]["content"]


def test_without_a_readable_judge_the_rule_chooses_and_says_so() -> None:
    """Never candidate 0 in silence: degraded, undecided, and the rule named; no voter judges
    while others live.
    """
    world = World(MODELS, voters_and(lambda call, m: "1 beats 3"))
    result, response = run_mode(world, order("vote", primary="c"))
    assert world.answers[3:] == [
        ("judge", "j"),
        ("repair", "j"),
        ("judge", "d"),
        ("repair", "d"),
    ]
    assert (response["judge"], response["judge_decided"]) == (None, False)
    assert result.model == "a"
    assert "highest model weight" in response["reason"]
    assert (result.reasons, result.degraded) == (("judge_failed",), True)


@pytest.mark.parametrize("kind", ["budget", "deadline"])
@pytest.mark.parametrize("role", ["judge", "repair"])
@pytest.mark.parametrize("how", [Unanswered, GiveUp])
def test_money_and_time_may_end_at_the_judge(kind: str, role: str, how: type) -> None:
    """The answers are there: the rule chooses, and the reasons say what was lacking."""
    world = World(MODELS, voters_and(lambda c, m: how(kind) if c.role == role else "well"))
    result, response = run_mode(world, order("vote"))
    assert (result.reasons, result.degraded) == (("judge_failed", kind), True)
    assert response["judge_decided"] is False
    assert len(world.asked(role)) == 1


def test_a_run_cancelled_at_the_judge_is_cancelled() -> None:
    """With what was paid in `partial`."""
    with pytest.raises(Cancelled) as caught:
        run_mode(World(MODELS, voters_and(lambda c, m: GiveUp("cancelled"))), order("vote"))
    assert caught.value.partial == "from a\n\nfrom b\n\nfrom c"


# --- the rule ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "chosen", "why"),
    [
        (["42", "Forty", " 42. "], 0, "2 of 3 answers agree"),
        (["no", "Yes.", "yes"], 1, "2 of 3 answers agree"),
        (["x", "y", "z"], 1, "highest model weight, 9"),
        (["x", "x", "y", "y"], 1, "highest model weight, 9"),
    ],
)
def test_the_rule_is_agreement_else_weight(texts: list[str], chosen: int, why: str) -> None:
    """A majority of equal answers, else the heaviest model; the first among equals."""
    weights = (5, 9, 9, 1)
    answers = [Answered(t, model(f"m{i}", weights[i])) for i, t in enumerate(texts)]
    index, reason = by_rule(answers)
    assert index == chosen
    assert why in reason


def test_the_rule_tells_numbers_and_names_apart() -> None:
    """A sign or a symbol is part of what is said; quotes and a full stop are not."""
    heavy, light = Model("a", "x", "a", weight=9), Model("b", "y", "b", weight=5)
    c, plus = Answered("C", heavy), Answered("C++", light)
    assert by_rule([c, plus, Answered("`C++`.", light)])[0] == 1
    chosen, reason = by_rule([Answered("5", heavy), Answered("-5", light)])
    assert (chosen, "weight" in reason) == (0, True)
