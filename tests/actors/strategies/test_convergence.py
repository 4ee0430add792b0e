"""Mode adversarial with `stop: converged`: no round more than the plan needs."""

from __future__ import annotations

import json
from random import Random

import pytest

from actors.domain.model import Model
from actors.strategies.criticism import is_settled
from actors.strategies.plan import Answered, Call
from tests.actors.strategies.driver import (
    Fails,
    Reply,
    World,
    findings,
    model,
    order,
    run_mode,
)

MODELS = [model("a", 9, "gpt"), model("c", 5, "claude")]


def debating(*critiques: Reply) -> World:
    """Critics say these, one after the other; writers number what they write."""

    def script(call: Call, m: Model) -> Reply:
        asked = len(world.asked(call.role))
        return critiques[asked - 1] if call.role == "critique" else f"{call.role} {asked}"

    world = World(MODELS, script)
    return world


def test_it_ends_when_nothing_serious_is_left() -> None:
    """What the last critique finds minor is not worth a round; `iterations` counts refinements."""
    world = debating(findings("blocking", "minor"), findings("major"), findings("minor"))
    result, response = run_mode(world, order("adversarial", iterations=9, stop="converged"))
    assert world.roles == ["plan", "critique", "refine", "critique", "refine", "critique"]
    assert (response["iterations"], response["converged"]) == (2, True)
    assert response["critique"] == "[minor] a minor flaw"
    assert response["refined_plan"] == result.text == "refine 2"
    assert [entry["refined_plan"] for entry in response["rounds"]] == ["refine 1", "refine 2", None]
    assert (result.reasons, result.degraded) == ((), False)


def test_a_plan_without_fault_is_returned_as_it_is() -> None:
    """Two calls; what was not reached is null."""
    world = debating(findings())
    result, response = run_mode(world, order("adversarial", iterations=3, stop="converged"))
    assert world.roles == ["plan", "critique"]
    assert (response["initial_plan"], response["refined_plan"]) == ("plan 1", None)
    assert (response["iterations"], response["converged"]) == (0, True)
    assert response["critique"] == "No findings."
    assert (result.text, result.reasons, result.degraded) == ("plan 1", (), False)


def test_iterations_are_the_most() -> None:
    """The last refinement is not criticised any more, and nobody says that it converged."""
    world = debating(*[findings("major")] * 3)
    result, response = run_mode(world, order("adversarial", iterations=3, stop="converged"))
    assert world.roles == ["plan"] + ["critique", "refine"] * 3
    assert (response["iterations"], response["converged"]) == (3, False)
    assert result.reasons == ()


@pytest.mark.parametrize(
    "reply",
    [
        "All is well, no findings.",
        'Were all well I should say {"findings": []}. But it is not.',
        'It has grave faults.\n{"findings": []}',
        '{"findings": []} {"findings": [{"severity": "major", "claim": "x"}]}',
        '{"findings": [{"severity": "critical", "claim": "x"}]}',
        '{"findings": [{"claim": "x"}]}',
        '{"findings": [{"severity": "minor", "claim": "x"}, {"severity": "bl',
        '{"findings": "none"}',
        '[]',
        '',
    ],
)  # fmt: skip
def test_prose_is_never_agreement(reply: str) -> None:
    """Nor is what is cut off, contradicts itself, or uses words of its own; nor is it repaired."""
    world = debating(reply or " ", findings())
    _, response = run_mode(world, order("adversarial", iterations=2, stop="converged"))
    assert world.roles == ["plan", "critique", "refine", "critique"]
    assert response["converged"]


@pytest.mark.parametrize(
    "form", ["{}", "```json\n{}\n```", "<think>hm</think>\n{}\n", "```\n{}```"]
)
def test_a_fence_or_hidden_reasoning_do_no_harm(form: str) -> None:
    """A critique in form is one in a fence too."""
    said = form.replace("{}", findings("minor", "minor"))
    assert is_settled(Answered(said, MODELS[0]))
    assert not is_settled(Answered(form.replace("{}", findings("minor", "major")), MODELS[0]))


def test_later_critics_check_what_was_found() -> None:
    """They are shown the critique before, and asked for what is left of it and for regressions."""
    world = debating(findings("major"), findings("blocking"), findings())
    run_mode(world, order("adversarial", iterations=5, stop="converged"))
    asked = [json.loads(call.messages)[-1]["content"] for call in world.asked("critique")]
    assert "revision" not in asked[0]
    assert "[major] a major flaw" in asked[1]
    assert "[blocking] a blocking flaw" in asked[2]
    assert "[major]" not in asked[2]
    assert all("regressions" in text and '"severity"' in text for text in asked[1:])


def test_by_default_every_round_runs_and_nothing_is_said_of_it() -> None:
    """Each critic then looks with fresh eyes."""
    world = debating(*[findings()] * 3)
    _, response = run_mode(world, order("adversarial", iterations=3))
    assert world.roles == ["plan"] + ["critique", "refine"] * 3
    assert "converged" not in response
    texts = {json.loads(call.messages)[-1]["content"] for call in world.asked("critique")}
    assert len(texts) == 1


def test_a_critic_that_fails_is_no_convergence() -> None:
    world = debating(findings("major"), Fails())
    result, response = run_mode(world, order("adversarial", iterations=3, stop="converged"))
    assert (response["converged"], response["iterations"]) == (False, 1)
    assert (result.reasons, result.degraded) == (("stage_failed",), True)


@pytest.mark.parametrize("seed", range(200))
def test_it_never_costs_more_than_every_round(seed: int) -> None:
    """Whatever the critics say, it does a part of what would be done without it, from the front,
    and stops at the first critique that finds nothing serious.
    """
    draw = Random(seed)
    severities = ["blocking", "major", "minor", "minor"]
    said = [
        findings(*draw.sample(severities, draw.randint(0, 2))) if draw.random() < 0.9 else "Hm."
        for _ in range(10)
    ]
    iterations = draw.randint(1, 10)
    every, some = debating(*said), debating(*said)
    run_mode(every, order("adversarial", iterations=iterations))
    _, response = run_mode(some, order("adversarial", iterations=iterations, stop="converged"))
    assert some.roles == every.roles[: len(some.roles)]
    settled = [is_settled(Answered(text, MODELS[1])) for text in said[:iterations]]
    assert response["converged"] == any(settled)
    assert response["iterations"] == (settled.index(True) if any(settled) else iterations)
