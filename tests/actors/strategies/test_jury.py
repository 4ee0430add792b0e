"""Several judges at once: different models, different orders, and the majority decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from actors.domain.model import Model
from actors.errors import Cancelled
from actors.protocol import Reading
from actors.strategies import STRATEGIES
from actors.strategies.plan import Call, Unanswered
from actors.strategies.run import Run
from tests.actors.strategies.driver import (
    Fails,
    GiveUp,
    Reply,
    World,
    model,
    order,
    run_mode,
    shown_to,
    verdict,
)

VOTERS = [model("a", 9), model("b", 8), model("c", 7)]
JUDGES = [model(f"j{n}", 5) for n in range(1, 7)]
PANEL: dict[str, Any] = {"voter_models": ("a", "b", "c")}
A, B, C = "from a", "from b", "from c"


def heard(
    says: Mapping[str, Reply], judges: int = 3, models: list[Model] | None = None, **ordered: Any
) -> tuple[World, Any, dict[str, Any]]:
    """A vote whose judges choose or reply as `says`; others choose what the first voter wrote."""

    def script(call: Call, m: Model) -> Reply:
        if call.role == "voter":
            return f"from {m.id}" + (f" by {call.seed}" if call.seed is not None else "")
        choices = ["tie", "none", *shown_to(call).values()]
        said = says.get(m.id, min(shown_to(call).values()))
        return verdict(call, said) if isinstance(said, str) and said in choices else said

    world = World(models or VOTERS + JUDGES, script)
    result, response = run_mode(world, order("vote", judges=judges, **{**PANEL, **ordered}))
    return world, result, response


def test_different_models_judge_together_and_none_has_voted() -> None:
    """In one round, each shown the candidates in another order under other labels."""
    world, result, response = heard({})
    assert [m for role, m in world.answers if role == "judge"] == ["j1", "j2", "j3"]
    assert [opened.calls for opened in world.opened if opened.depth == 0] == [3, 3]
    shown = [shown_to(call) for call in world.asked("judge")]
    assert len({next(iter(one.values())) for one in shown}) == 3
    assert len({label for one in shown for label in one}) == 9
    assert (response["judge"], response["agreement"], response["selected"]) == ("j1", 1.0, 0)
    assert [one["choice"] for one in response["verdicts"]] == [0, 0, 0]
    assert (result.reasons, result.degraded) == ((), False)


@pytest.mark.parametrize(
    ("says", "selected", "judge", "agreement", "codes"),
    [
        ({"j1": C, "j2": B, "j3": B}, 1, "j2", 0.6667, ()),
        ({"j1": "tie", "j2": C, "j3": C}, 2, "j2", 0.6667, ()),
        ({"j1": "tie", "j2": "tie", "j3": C}, 0, "j1", 0.6667, ("judge_tie",)),
        ({"j1": "none", "j2": "none", "j3": C}, 0, "j1", 0.6667, ("judge_none",)),
        ({"j1": C, "j2": B, "j3": A}, 0, None, 0.3333, ("judges_disagree",)),
        ({"j1": "tie", "j2": B, "j3": "none"}, 0, None, 0.3333, ("judges_disagree",)),
    ],
)
def test_the_majority_decides_or_the_rule_does(
    says: dict[str, Reply],
    selected: int,
    judge: str | None,
    agreement: float,
    codes: tuple[str, ...],
) -> None:
    """A jury that disagrees has decided nothing."""
    _, result, response = heard(says)
    assert (response["selected"], response["judge"]) == (selected, judge)
    assert (response["agreement"], response["judge_decided"]) == (agreement, not codes)
    assert (result.reasons, result.degraded) == (codes, codes == ("judge_none",))
    assert bool(codes) == ("highest model weight" in response["reason"])


def test_half_is_no_majority() -> None:
    _, result, response = heard({"j1": B, "j2": C}, judges=2)
    assert (result.reasons, response["agreement"]) == (("judges_disagree",), 0.5)


@pytest.mark.parametrize("reply", [Fails(), "1 beats 3"])
def test_a_judge_that_fails_is_replaced(reply: Reply) -> None:
    """By the next best, and the result is whole."""
    _, result, response = heard({"j2": reply})
    assert [one["judge"] for one in response["verdicts"]] == ["j1", "j4", "j3"]
    assert (result.reasons, result.degraded) == ((), False)
    assert response["agreement"] == 1.0


def test_only_so_many_are_replaced() -> None:
    """Two more than the jury has seats; the rest is missing, and the result says so."""
    world, result, response = heard({f"j{n}": "eh?" for n in range(2, 7)})
    asked = [m for role, m in world.answers if role == "judge"]
    assert asked == ["j1", "j2", "j3", "j4", "j5"]
    assert [one["judge"] for one in response["verdicts"]] == ["j1"]
    assert (response["agreement"], response["judge_decided"]) == (None, True)
    assert (result.reasons, result.degraded) == (("judges_missing",), True)


def test_without_a_readable_judge_the_rule_chooses() -> None:
    _, result, response = heard({f"j{n}": "eh?" for n in range(1, 7)})
    assert (response["judge"], response["judge_decided"]) == (None, False)
    assert (result.reasons, result.degraded) == (("judge_failed",), True)
    assert (response["agreement"], response["verdicts"]) == (None, [])


def test_what_does_not_fit_the_budget_is_left_out() -> None:
    """One verdict is still a verdict, and the reasons say why there are no more."""
    _, result, response = heard({"j2": Unanswered("budget"), "j3": Unanswered("budget")})
    assert (response["judge"], response["judge_decided"]) == ("j1", True)
    assert (result.reasons, result.degraded) == (("judges_missing", "budget"), True)


def test_where_no_seat_can_be_paid_a_cheaper_judge_is_asked() -> None:
    """The money that was kept for the cheapest way to finish is for one that is not the best."""
    asked: list[int] = []

    def script(call: Call, m: Model) -> Reply:
        if call.role == "voter":
            return f"from {m.id}"
        asked.append(len(call.candidates))
        return verdict(call, B) if len(call.candidates) > 1 else Unanswered("budget")

    result, response = run_mode(World(VOTERS + JUDGES, script), order("vote", judges=3, **PANEL))
    assert asked == [1, 1, 1, 6]
    assert (response["selected"], result.reasons) == (1, ("judges_missing", "budget"))


def test_time_that_runs_out_leaves_those_who_were_heard() -> None:
    """Here while the third one's words are repaired."""

    def script(call: Call, m: Model) -> Reply:
        if call.role == "repair":
            return GiveUp("deadline")
        return (
            f"from {m.id}" if call.role == "voter" else "eh?" if m.id == "j3" else verdict(call, B)
        )

    result, response = run_mode(World(VOTERS + JUDGES, script), order("vote", judges=3, **PANEL))
    assert (response["selected"], response["agreement"]) == (1, 1.0)
    assert (result.reasons, result.degraded) == (("judges_missing", "deadline"), True)


@pytest.mark.parametrize("judges", [1, 3])
def test_verdicts_that_come_too_late_to_be_read_are_not_unreadable(judges: int) -> None:
    """The run was given up: that is no fault of the judges."""
    world = World(VOTERS + JUDGES, lambda c, m: f"from {m.id}" if c.role == "voter" else A)
    run = Run(STRATEGIES["vote"](order("vote", judges=judges, **PANEL)))
    world.give_up_at = Reading
    result = world.drive(run)
    assert result.reasons[:1] == ("judge_failed",)
    assert result.reasons[-1] == "deadline"
    assert run.verdicts == []


def test_a_run_cancelled_at_its_jury_is_cancelled() -> None:
    with pytest.raises(Cancelled) as caught:
        heard({"j2": GiveUp("cancelled")})
    assert caught.value.partial == "from a\n\nfrom b\n\nfrom c"


def test_voters_judge_when_nobody_else_lives() -> None:
    """All seats failed, not just one: then it is said."""
    _, result, response = heard({"j1": Fails()}, models=VOTERS + JUDGES[:1])
    assert [one["judge"] for one in response["verdicts"]] == ["c", "a", "b"]
    assert result.reasons == ("judge_is_voter",)


def test_a_close_judge_of_several_looks_again() -> None:
    """Each for itself."""

    def script(call: Call, m: Model) -> Reply:
        if call.role == "voter":
            return f"from {m.id}"
        return verdict(call, B, margin="narrow" if m.id == "j2" else "clear")

    world = World(VOTERS + JUDGES, script)
    _, response = run_mode(world, order("vote", judges=3, second_look=True, **PANEL))
    looks = [one["second_look"] for one in response["verdicts"]]
    assert looks == [None, "confirmed", None]
    assert len(world.asked("judge")) == 4


# --- who is kept for judging ------------------------------------------------------------------

FOUR = [model("m1", 9), model("m2", 8), model("m3", 7), model("m4", 6)]


@pytest.mark.parametrize(
    ("judges", "voting", "judging"),
    [
        (1, ["m2", "m3", "m4"], ["m1"]),
        (2, ["m2", "m3", "m2"], ["m1", "m4"]),
        (3, ["m2", "m2", "m2"], ["m1", "m3", "m4"]),
    ],
)
def test_models_repeat_as_voters_rather_than_judge_themselves(
    judges: int, voting: list[str], judging: list[str]
) -> None:
    """A request has the voters and the judges that it asked for, and nobody is both."""
    world, result, response = heard({}, judges, FOUR, voter_models=())
    assert [entry["model"] for entry in response["responses"]] == voting
    assert sorted(m for role, m in world.answers if role == "judge") == judging
    assert result.reasons == ()


def test_one_model_votes_whatever_the_jury() -> None:
    """What cannot be had is missing, not made up from those who voted."""
    _, result, response = heard({}, 5, FOUR, voter_models=())
    assert {entry["model"] for entry in response["responses"]} == {"m2"}
    assert len(response["verdicts"]) == 3
    assert (result.reasons, result.degraded) == (("judges_missing",), True)


def test_named_voters_vote() -> None:
    """The jury is then as large as the others allow."""
    _, result, response = heard({}, 3, FOUR, voter_models=("m1", "m2", "m3"))
    assert [entry["model"] for entry in response["responses"]] == ["m1", "m2", "m3"]
    assert [one["judge"] for one in response["verdicts"]] == ["m4"]
    assert result.reasons == ("judges_missing",)
