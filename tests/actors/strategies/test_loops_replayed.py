"""Loops and fuse, whatever is said in them: a journal, cut anywhere, leads on to the same end."""

from __future__ import annotations

from zlib import crc32

import pytest

from actors.domain.model import Model
from actors.protocol import Order, Step
from actors.strategies import STRATEGIES
from actors.strategies.actions import Action, AskJudge, AskRouter, Done, StartCall
from actors.strategies.journal import Told, answer_step, carry_on
from actors.strategies.plan import Call, Result
from actors.strategies.run import Run
from tests.actors.strategies.driver import (
    Fails,
    Reply,
    World,
    findings,
    model,
    order,
    shown_to,
    verdict,
)

MODELS = [model("a", 9, "gpt"), model("j", 8, "claude"), model("k", 5, "mistral")]
OPTIONS = [
    ("fuse", {}),
    ("fuse", {"on_partial": "refill"}),
    ("refine", {"keep_best": True, "iterations": 3}),
    ("adversarial", {"keep_best": True, "iterations": 3}),
    ("adversarial", {"stop": "converged", "iterations": 3}),
    ("adversarial", {"stop": "converged", "keep_best": True, "iterations": 4}),
]


class Journalled:
    """A run whose answers depend on nothing but what was asked, so that it can be cut and go on."""

    def __init__(self, ordered: Order, salt: int) -> None:
        self.order = ordered
        self._salt = salt
        self._world = World(MODELS, self._says)
        self.steps: list[Step] = []

    def _says(self, call: Call, m: Model) -> Reply:
        draw = crc32(call.messages + m.id.encode(), self._salt) % 100
        if draw < 10:
            return Fails()
        match call.role:
            case "critique":
                return ["prose", findings("major"), findings("minor"), findings("blocking")][
                    draw % 4
                ]
            case "judge" | "repair":
                return verdict(call, ["tie", "none", *shown_to(call).values()][draw % 4])
            case _:
                return f"{call.role} {draw}"

    def carried_out(self, run: Run, waiting: list[Action]) -> Result:
        while True:
            for action in waiting:
                if isinstance(action, Done):
                    return action.result
            asked = [a for a in waiting if isinstance(a, StartCall | AskRouter | AskJudge)]
            told = self._told(asked[0])
            self.steps.append(answer_step(len(self.steps) + 1, asked[0].key, told))
            waiting = asked[1:] + run.resume(asked[0].key, told)

    def _told(self, action: StartCall | AskRouter | AskJudge) -> Told:
        told: object
        match action:
            case AskRouter():
                told = self._world.route(action.choose)
            case AskJudge():
                told = self._world._judge(action.about)
            case StartCall():
                told = self._world._outcome(action.call)
        return told  # type: ignore[return-value]

    def fresh(self) -> Run:
        return Run(STRATEGIES[self.order.mode](self.order))


@pytest.mark.parametrize(("mode", "options"), OPTIONS)
def test_it_may_be_cut_anywhere(mode: str, options: dict[str, object]) -> None:
    """The end, the response and the steps are the same, byte for byte."""
    ends = set()
    for salt in range(25):
        first = Journalled(order(mode, **options), salt)
        run = first.fresh()
        result = first.carried_out(run, run.begin())
        ends.add((result.reasons, result.text))
        for cut in range(len(first.steps) + 1):
            again = Journalled(first.order, salt)
            again.steps = first.steps[:cut]
            run = again.fresh()
            assert again.carried_out(run, carry_on(run, again.steps)) == result
            assert again.steps == first.steps
    assert len(ends) > 3
