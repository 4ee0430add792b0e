"""Whatever order judges answer in, and whatever they say: nothing is picked in silence, and the
journal leads to the same end.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from actors.domain.model import Model
from actors.protocol import Order, Step
from actors.strategies import STRATEGIES
from actors.strategies.actions import Action, AskJudge, AskRouter, Died, Done, StartCall
from actors.strategies.journal import Told, answer_step, carry_on, give_up_step
from actors.strategies.plan import Call, Result, Unanswered
from actors.strategies.run import Run
from tests.actors.strategies.driver import Fails, Reply, World, model, order, shown_to, verdict

MODELS = [model(f"m{n}", n, f"family-{n % 3}") for n in range(9, 1, -1)]


class Shuffled:
    """A vote whose answers come in any order; sometimes its time is up before they have."""

    def __init__(self, ordered: Order, seed: int) -> None:
        self.random = Random(seed)
        self.world = World(MODELS, self._says)
        self.steps: list[Step] = []
        self.judging = False
        self.run = Run(STRATEGIES["vote"](ordered))
        self.result = self._carried_out()

    def _says(self, call: Call, m: Model) -> Reply:
        if call.role == "voter":
            return f"from {m.id}, {call.seed}"
        draw = self.random.random()
        if draw < 0.15:
            return Fails()
        if draw < 0.3:
            return "eh?"
        if draw < 0.35:
            return Unanswered("budget")
        choices = ["tie", "none", *shown_to(call).values()]
        margin = self.random.choice(["clear", "narrow"])
        return verdict(call, self.random.choice(choices), margin=margin)

    def _carried_out(self) -> Result:
        waiting: list[Action] = list(self.run.begin())
        while True:
            for action in waiting:
                match action:
                    case Done(result):
                        return result
                    case Died(error):
                        raise error
            asked = [a for a in waiting if isinstance(a, StartCall | AskRouter | AskJudge)]
            if self.judging and self.random.random() < 0.01:
                self.steps.append(give_up_step(len(self.steps) + 1, "deadline"))
                waiting = self.run.give_up("deadline")
                continue
            action = self.random.choice(asked)
            told = self._told(action)
            self.steps.append(answer_step(len(self.steps) + 1, action.key, told))
            waiting = [a for a in asked if a is not action] + self.run.resume(action.key, told)

    def _told(self, action: StartCall | AskRouter | AskJudge) -> Told:
        match action:
            case AskRouter():
                return self.world.route(action.choose)
            case AskJudge():
                told: Any = self.world._judge(action.about)
                return told
            case StartCall():
                outcome: Any = self.world._outcome(action.call)
                self.judging = self.judging or action.call.role == "judge"
                return outcome


@given(
    st.integers(0, 2**32),
    st.integers(2, 4),
    st.integers(1, 5),
    st.booleans(),
)
def test_a_choice_is_what_most_judges_said(
    seed: int, voters: int, judges: int, second_look: bool
) -> None:
    """Undecided it is the rule's; voters judge only where that is said."""
    ordered = order("vote", voters=voters, judges=judges, second_look=second_look)
    vote = Shuffled(ordered, seed)
    response = json.loads(vote.result.response)
    voting = {entry["model"] for entry in response["responses"]}
    if response["judge_decided"]:
        assert response["judge"] is not None
        assert "chosen" not in response["reason"]
    else:
        assert vote.result.reasons[0] in (
            "judge_tie",
            "judge_none",
            "judges_disagree",
            "judge_failed",
        )
        assert "chosen" in response["reason"]
    said = response.get("verdicts", [])
    choices = [_final(one) for one in said]
    if said and response["judge_decided"]:
        assert 2 * choices.count(response["selected"]) > len(choices)
    heard = {one["judge"] for one in said}
    assert len(heard) == len(said)
    assert (("judge_is_voter" in vote.result.reasons) or not heard & voting) or not said
    if judges > 1 and response["judge"] is not None:
        assert (len(said) < judges) == ("judges_missing" in vote.result.reasons)


def _final(said: dict[str, Any]) -> Any:
    match said["second_look"]:
        case "flipped":
            return "tie"
        case "settled":
            return said["second_choice"]
    return said["choice"]


@given(st.integers(0, 2**32), st.integers(1, 5), st.booleans())
def test_a_journal_leads_to_the_same_end(seed: int, judges: int, second_look: bool) -> None:
    """With the same record of the judges; no step is taken twice."""
    ordered = order("vote", judges=judges, second_look=second_look)
    vote = Shuffled(ordered, seed)
    again = Run(STRATEGIES["vote"](ordered))
    assert carry_on(again, vote.steps) == [Done(vote.result)]
    assert again.verdicts == vote.run.verdicts
