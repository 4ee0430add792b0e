"""Modes adversarial and refine with `keep_best`: a worse result never replaces a better one."""

from __future__ import annotations

import json
import re
from random import Random
from typing import Any

import pytest

from actors.domain.model import Model
from actors.errors import Cancelled, NoEligibleModel
from actors.strategies.plan import Call, Unanswered
from tests.actors.strategies.driver import (
    Fails,
    GiveUp,
    Reply,
    World,
    findings,
    model,
    order,
    run_mode,
    shown_to,
    verdict,
)

MODELS = [model("a", 9, "gpt"), model("j", 8, "claude"), model("k", 5, "mistral")]
SCHEMA = b'{"type":"object","required":["n"],"properties":{"n":{"type":"integer"}}}'
WRITING = ("answer", "plan", "refine")


def writing(qualities: list[int], judge: Reply | None = None) -> World:
    """Whoever writes says how good it is, one after the other; the judge sees that, or says
    `judge`.
    """

    def script(call: Call, m: Model) -> Reply:
        if call.role == "critique":
            return findings("major")
        if call.role in WRITING:
            written = len([c for c in world.calls if c.role in WRITING])
            return f"text {written} of quality {qualities[written - 1]}"
        return best_of(call) if judge is None else judge

    world = World(MODELS, script)
    return world


def best_of(call: Call) -> str:
    texts = list(shown_to(call).values())
    best = max(map(quality, texts))
    winners = [text for text in texts if quality(text) == best]
    return verdict(call, winners[0] if len(winners) == 1 else "tie")


def quality(text: str) -> int:
    found = re.search(r"quality (\d+)", text)
    assert found
    return int(found[1])


def shortened(comparisons: list[dict[str, Any]]) -> list[tuple[bool, str | None, bool]]:
    return [(c["replaced"], c["judge"], c["judge_decided"]) for c in comparisons]


def test_a_refinement_that_is_worse_is_left_out() -> None:
    """One call more for each; the author goes on with the better one and hears why."""
    world = writing([5, 3, 7])
    result, response = run_mode(world, order("refine", keep_best=True))
    assert world.roles == ["answer", "refine", "judge", "refine", "judge"]
    assert (result.text, response["refined_response"]) == (("text 3 of quality 7",) * 2)
    assert (response["iterations"], response["initial_response"]) == (2, "text 1 of quality 5")
    assert shortened(response["comparisons"]) == [(False, "j", True), (True, "j", True)]
    assert (result.reasons, result.degraded) == ((), False)
    again = json.loads(world.asked("refine")[1].messages)
    assert again[-2]["content"] == "text 1 of quality 5"
    assert "the answer above: it is right" in again[-1]["content"]
    assert [note.selected for note in world.notes] == [0, 1]


def test_the_first_answer_may_be_the_best() -> None:
    """It is returned, as what refining came to."""
    result, response = run_mode(writing([9, 3, 7]), order("refine", keep_best=True))
    assert result.text == response["refined_response"] == "text 1 of quality 9"
    assert response["iterations"] == 2
    world = writing([9, 3])
    result, response = run_mode(world, order("adversarial", keep_best=True))
    assert world.roles == ["plan", "critique", "refine", "judge"]
    assert result.text == response["refined_plan"] == "text 1 of quality 9"
    assert [entry["refined_plan"] for entry in response["rounds"]] == ["text 2 of quality 3"]


def test_a_plan_that_stays_is_not_criticised_twice() -> None:
    """Its critique is known: what must change is the refinement."""
    world = writing([5, 3, 4, 6])
    _, response = run_mode(world, order("adversarial", iterations=3, keep_best=True))
    assert world.roles == ["plan", "critique", *["refine", "judge"] * 3]
    assert [c["replaced"] for c in response["comparisons"]] == [False, False, True]
    assert len(response["rounds"]) == response["iterations"] == 3
    world = writing([5, 6, 7])
    run_mode(world, order("adversarial", iterations=2, keep_best=True))
    assert world.roles == ["plan", *["critique", "refine", "judge"] * 2]


def test_the_judge_is_blind_and_no_party() -> None:
    """Of another family where there is one; it is shown two texts and the conversation."""
    world = writing([5, 6])
    run_mode(world, order("refine", iterations=1, keep_best=True))
    (judge,) = world.asked("judge")
    assert sorted(shown_to(judge).values()) == ["text 1 of quality 5", "text 2 of quality 6"]
    assert ("judge", "j") in world.answers
    assert not any(m.family in judge.messages.decode() for m in MODELS)
    assert (judge.temperature, judge.final) == (0.0, False)


def test_who_is_to_judge_does_not_write() -> None:
    """A model named for it, or the only one that may; alone in the world it judges itself, and
    that is said.
    """
    world = writing([5, 6])
    run_mode(world, order("refine", iterations=1, keep_best=True, review="a"))
    assert world.answers == [("answer", "j"), ("refine", "j"), ("judge", "a")]
    world = writing([5, 6])
    run_mode(world, order("refine", iterations=1, keep_best=True, review_min_weight=9))
    assert world.answers == [("answer", "j"), ("refine", "j"), ("judge", "a")]
    world = writing([5, 6])
    world.models = MODELS[:1]
    result, _ = run_mode(world, order("refine", iterations=1, keep_best=True))
    assert result.reasons == ("judge_is_voter",)


def test_a_judge_that_nobody_can_be_is_refused_before_anything_is_paid() -> None:
    world = writing([5, 6])
    with pytest.raises(NoEligibleModel, match="a: weight 9 is below 10"):
        run_mode(world, order("refine", keep_best=True, review_min_weight=10))
    assert world.calls == []


def test_a_tie_is_not_worse() -> None:
    """And nothing unusual."""
    result, response = run_mode(writing([5, 5]), order("refine", iterations=1, keep_best=True))
    assert result.text == "text 2 of quality 5"
    (comparison,) = response["comparisons"]
    assert comparison["replaced"]
    assert not comparison["judge_decided"]
    assert comparison["reason"] == "the judge said tie: tie: it is right"
    assert (result.reasons, result.degraded) == ((), False)


def test_watchers_are_told_what_was_kept() -> None:
    """0 is what was there, 1 the new one: that a rule would have chosen otherwise is no matter."""
    for qualities, place in (([5, 6], 1), ([6, 5], 0), ([5, 5], 1)):
        world = writing(qualities)
        run_mode(world, order("refine", iterations=1, keep_best=True))
        assert [note.selected for note in world.notes] == [place]


def test_a_jury_compares_where_one_is_ordered() -> None:
    """And so does a judge that looks twice; the comparison says what they said."""
    world = writing([5, 6])
    world.models = [*MODELS, model("l", 4)]
    _, response = run_mode(world, order("refine", iterations=1, keep_best=True, judges=3))
    assert world.roles == ["answer", "refine", "judge", "judge", "judge"]
    (comparison,) = response["comparisons"]
    assert (comparison["replaced"], comparison["agreement"]) == (True, 1.0)
    assert len(comparison["verdicts"]) == 3


def test_the_same_text_needs_no_judge() -> None:
    world = World(
        MODELS, lambda call, m: "<think>x</think>same" if call.role == "refine" else "same"
    )
    _, response = run_mode(world, order("refine", keep_best=True))
    assert world.roles == ["answer", "refine", "refine"]
    assert shortened(response["comparisons"]) == [(True, None, False)] * 2


@pytest.mark.parametrize(
    ("judge", "reasons"),
    [
        ("1 beats 0", ("judge_failed",)),
        (Fails(), ("judge_failed",)),
        (Unanswered("budget"), ("judge_failed", "budget")),
        (GiveUp("deadline"), ("judge_failed", "deadline")),
    ],
)
def test_without_a_verdict_what_is_there_stays(judge: Reply, reasons: tuple[str, ...]) -> None:
    """Nobody knows whether it is worse; and nothing more is paid for that could not replace it."""
    world = writing([5, 6, 7], judge)
    result, response = run_mode(world, order("refine", keep_best=True))
    assert (result.text, response["iterations"]) == ("text 1 of quality 5", 1)
    assert len(world.asked("refine")) == 1
    assert shortened(response["comparisons"]) == [(False, None, False)]
    assert "weight" not in response["comparisons"][0]["reason"]
    assert (result.reasons, result.degraded) == (reasons, True)


def test_none_is_no_reason_to_replace() -> None:
    """The judge found neither acceptable: that is said, and the next attempt may be."""

    def script(call: Call, m: Model) -> Reply:
        if call.role != "judge":
            return f"{call.role} {len(world.asked(call.role))}"
        return verdict(call, "none" if len(world.asked("judge")) == 1 else "refine 2")

    world = World(MODELS, script)
    result, response = run_mode(world, order("refine", keep_best=True))
    assert [c["replaced"] for c in response["comparisons"]] == [False, True]
    assert (result.text, result.reasons, result.degraded) == ("refine 2", ("judge_none",), True)


def test_a_cancelled_comparison_ends_the_run() -> None:
    with pytest.raises(Cancelled):
        run_mode(writing([5, 6], GiveUp("cancelled")), order("refine", keep_best=True))


@pytest.mark.parametrize("keep_best", [False, True])
@pytest.mark.parametrize("mode", ["refine", "adversarial"])
def test_a_refinement_that_breaks_the_schema_never_replaces(mode: str, keep_best: bool) -> None:
    """With or without a judge."""
    said = {"answer": '{"n": 1}', "plan": '{"n": 1}', "critique": "Better!"}
    world = World(MODELS, lambda call, m: said.get(call.role, "better, but no JSON"))
    result, response = run_mode(world, order(mode, schema=SCHEMA, keep_best=keep_best))
    assert (result.text, response["output"]) == ('{"n": 1}', {"n": 1})
    assert (result.reasons, result.degraded) == (("stage_failed",), True)
    assert "judge" not in world.roles


@pytest.mark.parametrize("mode", ["refine", "adversarial"])
def test_nothing_is_shown_as_the_answer_before_it_is_known_to_be(mode: str) -> None:
    """A text that may yet be left out is not written before watchers' eyes."""
    world = writing([5, 6, 7])
    run_mode(world, order(mode, iterations=2, keep_best=True))
    assert not any(call.final for call in world.calls)
    run_mode(world := writing([5, 6, 7]), order(mode, iterations=2))
    assert [call.role for call in world.calls if call.final] == ["refine"]


@pytest.mark.parametrize("mode", ["refine", "adversarial"])
def test_it_costs_nothing_unless_asked_for(mode: str) -> None:
    world = writing([5, 3])
    result, response = run_mode(world, order(mode, iterations=1))
    assert "judge" not in world.roles
    assert "comparisons" not in response
    assert result.text == "text 2 of quality 3"


@pytest.mark.parametrize("seed", range(300))
def test_what_is_returned_was_never_judged_worse(seed: int) -> None:
    """However good the drafts, whatever the judges' faults and the critics' words: with honest
    verdicts the best of all complete drafts is returned, and one found worse never is.
    """
    draw = Random(seed)
    mode = draw.choice(["refine", "adversarial"])
    iterations = draw.randint(1, 6)
    qualities = [draw.randint(1, 6) for _ in range(iterations + 1)]
    faulty = draw.random() < 0.4
    lost: set[str] = set()

    def script(call: Call, m: Model) -> Reply:
        if call.role == "critique":
            return draw.choice([findings("major"), findings("minor"), "Hm."])
        if call.role in WRITING:
            written = len([c for c in world.calls if c.role in WRITING])
            return f"text {written} of quality {qualities[written - 1]}"
        if faulty and draw.random() < 0.5:
            return draw.choice(["no verdict", Fails(), verdict(call, "none")])
        texts = shown_to(call).values()
        lost.update(t for t in texts if quality(t) < max(map(quality, texts)))
        return best_of(call)

    world = World(MODELS, script)
    stop = draw.choice(["never", "converged"])
    ordered = order(mode, iterations=iterations, keep_best=True, stop=stop, seed=seed)
    result, response = run_mode(world, ordered)
    drafts = qualities[: 1 + response["iterations"]]
    assert result.text not in lost
    assert quality(result.text) >= qualities[0]
    if not faulty:
        assert quality(result.text) == max(drafts)
        assert not result.degraded
    replaced = [c["replaced"] for c in response["comparisons"]]
    assert len(replaced) == response["iterations"]
    kept = 1 + max((i + 1 for i, taken in enumerate(replaced) if taken), default=0)
    assert result.text.startswith(f"text {kept} ")
