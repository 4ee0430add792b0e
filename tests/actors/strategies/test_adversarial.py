"""Mode adversarial: plan, critique, refine."""

from __future__ import annotations

import json
from typing import Any

import pytest

from actors.domain.model import Model
from actors.errors import AllModelsFailed, NoEligibleModel
from actors.strategies.criticism import as_text
from actors.strategies.plan import Call
from tests.actors.strategies.driver import Fails, GiveUp, Reply, World, model, order, run_mode

MODELS = [model("a", 9, "gpt"), model("a2", 8, "gpt"), model("c", 5, "claude")]


def numbered(world: World, call: Call) -> str:
    return f"{call.role} {len(world.asked(call.role))}"


def plain_world() -> World:
    world = World(MODELS, lambda call, m: numbered(world, call))
    return world


@pytest.mark.parametrize(("iterations", "done"), [(0, 1), (1, 1), (3, 3)])
def test_it_costs_one_call_and_two_per_iteration(iterations: int, done: int) -> None:
    """The default is one; the response has the last critique and the last plan, and all rounds."""
    world = plain_world()
    result, response = run_mode(world, order("adversarial", iterations=iterations))
    assert world.roles == ["plan"] + ["critique", "refine"] * done
    assert response == {
        "initial_plan": "plan 1",
        "critique": f"critique {done}",
        "refined_plan": f"refine {done}",
        "iterations": done,
        "rounds": [
            {
                "critique": f"critique {n}",
                "refined_plan": f"refine {n}",
                "critic": "c",
                "refiner": "a",
            }
            for n in range(1, done + 1)
        ],
    }
    assert result.routing_reason == "adversarial-orchestration"
    assert (result.model, result.text) == ("a", f"refine {done}")
    assert (result.reasons, result.degraded) == ((), False)


def test_plan_only_returns_the_plan() -> None:
    """No critic is looked for."""
    world = plain_world()
    ordered = order("adversarial", plan_only=True, iterations=2, review_min_weight=10)
    result, response = run_mode(world, ordered)
    assert world.roles == ["plan"]
    assert response == {"initial_plan": "plan 1"}
    assert result.routing_reason == "adversarial-plan-only"


def test_the_critic_is_another_model_of_another_family() -> None:
    """Where there is one; a named critic is taken whatever it is."""
    world = plain_world()
    run_mode(world, order("adversarial"))
    assert ("critique", "c") in world.answers
    world = plain_world()
    run_mode(world, order("adversarial", review="a"))
    assert ("critique", "a") in world.answers


def test_a_critic_without_alternative_does_not_plan() -> None:
    """Nor does one that was named: nobody should have to criticise himself; unless named to."""
    world = plain_world()
    run_mode(world, order("adversarial", review_min_weight=9))
    assert [model for _, model in world.answers] == ["a2", "a", "a2"]
    world = plain_world()
    run_mode(world, order("adversarial", review="a"))
    assert [model for _, model in world.answers] == ["a2", "a", "a2"]
    world = plain_world()
    run_mode(world, order("adversarial", primary="a", review_min_weight=9))
    assert [model for _, model in world.answers] == ["a", "a", "a"]


def test_floors_and_names_hold_for_their_own_phase() -> None:
    """Primary for plan and refine, review for the critique; the critic has its own limits."""
    world = plain_world()
    ordered = order(
        "adversarial",
        primary="c",
        review="a2",
        primary_min_weight=5,
        review_min_weight=8,
        temperature=0.9,
        max_tokens=100,
        parameters=b'{"top_p":1}',
    )
    run_mode(world, ordered)
    assert world.answers == [("plan", "c"), ("critique", "a2"), ("refine", "c")]
    floors = {choose.role: choose.min_weight for choose in world.chooses}
    assert floors == {"plan": 5, "critique": 8, "refine": 5}
    (critique,) = world.asked("critique")
    assert (critique.temperature, critique.max_tokens, critique.parameters) == (0.0, 4096, b"{}")
    for call in (*world.asked("plan"), *world.asked("refine")):
        assert (call.temperature, call.max_tokens) == (0.9, 100)
        assert call.parameters == b'{"top_p":1}'


def test_every_stage_sees_the_whole_conversation() -> None:
    """All roles; the plan as the assistant's turn, the critique in the request to refine."""
    messages = [{"role": "system", "content": "S"}, {"role": "user", "content": "U"}]
    world = World(MODELS, lambda call, m: f"<think>hidden</think>{call.role}!")
    run_mode(world, order("adversarial", messages=messages))
    critique, refine = (json.loads(world.asked(r)[0].messages) for r in ("critique", "refine"))
    assert critique[:3] == refine[:3] == [*messages, {"role": "assistant", "content": "plan!"}]
    assert "critique!" in refine[3]["content"]
    assert "hidden" not in json.dumps([critique, refine])


def test_findings_are_rendered_as_text() -> None:
    """A critique in form becomes paragraphs, fenced or not."""
    critique = {
        "findings": [
            {"severity": "major", "claim": "No auth", "evidence": "none named", "fix": "OAuth"},
            {"severity": "minor", "claim": "Typo"},
        ],
        "summary": "Close.",
    }
    text = "[major] No auth\nEvidence: none named\nFix: OAuth\n\n[minor] Typo\n\nClose."
    assert as_text(json.dumps(critique)) == text
    assert as_text(f"<think>x</think>```json\n{json.dumps(critique)}\n```") == text
    assert as_text('{"findings": []}') == "No findings."


@pytest.mark.parametrize("prose", ["Looks wrong.", '{"verdict": 3}', '{"findings": "many"}'])
def test_a_critic_that_answers_in_prose_is_taken_at_its_word(prose: str) -> None:
    """It is used as it is and never repaired."""
    world = World(MODELS, lambda call, m: prose if call.role == "critique" else "text")
    _, response = run_mode(world, order("adversarial"))
    assert world.roles == ["plan", "critique", "refine"]
    assert response["critique"] == prose


def failing_at(number: int, reply: Reply) -> World:
    world = World(MODELS, lambda call, m: reply if len(world.calls) == number else call.role)
    return world


@pytest.mark.parametrize(
    ("number", "reply", "reason", "expected"),
    [
        (2, Fails(), "stage_failed", ("plan", None, None, 0, 0)),
        (3, Fails(), "stage_failed", ("plan", "critique", None, 0, 1)),
        (3, GiveUp("deadline"), "deadline", ("plan", "critique", None, 0, 1)),
        (4, GiveUp("budget"), "budget", ("plan", "critique", "refine", 1, 1)),
        (5, Fails(), "stage_failed", ("plan", "critique", "refine", 1, 2)),
    ],
)
def test_a_later_stage_that_fails_leaves_the_best_plan(
    number: int, reply: Reply, reason: str, expected: tuple[Any, ...]
) -> None:
    """200 and degraded, in the mode's shape; what was not reached is null."""
    world = failing_at(number, reply)
    result, response = run_mode(world, order("adversarial", iterations=3))
    names = ("initial_plan", "critique", "refined_plan", "iterations")
    assert (*(response[name] for name in names), len(response["rounds"])) == expected
    assert (result.degraded, result.reasons) == (True, (reason,))
    assert result.text == ("refine" if expected[3] else "plan")
    assert result.routing_reason == "adversarial-orchestration"


def test_another_primary_refines_when_the_author_fails() -> None:
    """It is the author from then on, and its answer is the one returned."""

    def script(call: Call, m: Model) -> Reply:
        return Fails() if call.role == "refine" and m.id == "a" else m.id

    world = World(MODELS, script)
    result, response = run_mode(world, order("adversarial", iterations=2))
    assert [entry["refiner"] for entry in response["rounds"]] == ["a2", "a2"]
    assert result.model == "a2"


def test_a_critic_that_nobody_can_be_is_refused_before_anything_is_paid() -> None:
    """A floor above every model: 502 with each model's reason, and no call."""
    world = plain_world()
    with pytest.raises(NoEligibleModel, match="a: weight 9 is below 10"):
        run_mode(world, order("adversarial", review_min_weight=10))
    assert world.calls == []


def test_a_critic_that_is_only_busy_is_not() -> None:
    """Whoever is unavailable now may be back; the plan is worth having without it too."""
    world = World(MODELS[:1], lambda call, m: "text", {"a": "unavailable"})
    with pytest.raises(NoEligibleModel):
        run_mode(world, order("adversarial"))
    assert [choose.role for choose in world.chooses] == ["critique", "plan"]


def test_without_a_plan_there_is_no_answer() -> None:
    """The first stage's failure is the run's."""
    with pytest.raises(AllModelsFailed, match="a: 500; a2: 500; c: 500"):
        run_mode(failing_at(1, Fails()), order("adversarial"))
