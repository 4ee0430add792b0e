"""Carries plans out with scripted models: values in, values out.

A :class:`World` has models, best first, and a script that says what each answers to a call.  It
performs the actions of a Run at once, in the order they come; the Judge is the real one.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from actors.domain.model import Model, Usage
from actors.domain.schema import NOT_JSON, problems
from actors.domain.text import json_in
from actors.judge import Judge
from actors.protocol import (
    Ballot,
    BuildBallot,
    Candidate,
    Order,
    Reading,
    ReadVerdict,
    Refusal,
    RefusalCode,
    Validated,
)
from actors.strategies import STRATEGIES
from actors.strategies.actions import (
    Action,
    Announce,
    AskJudge,
    AskRouter,
    AskValidator,
    CancelCall,
    CloseRound,
    Died,
    Done,
    Grace,
    OpenRound,
    StartCall,
)
from actors.strategies.plan import (
    Answered,
    Call,
    Choose,
    Chosen,
    Note,
    Outcome,
    Plan,
    Result,
    Unanswered,
    UnansweredKind,
)
from actors.strategies.run import Run
from tests.fakes import FakeContext

USAGE = Usage(input=7, cache_read=2, cache_write=1, output=5)


class Fails(Struct, frozen=True):
    """The model fails; the next candidate is tried."""

    error: str = "500"


class CutOff(Struct, frozen=True):
    """The model answers, and is cut off."""

    text: str


class GiveUp(Struct, frozen=True):
    """The run is given up while this call is out."""

    kind: UnansweredKind


class Expire(Struct, frozen=True):
    """The time of the outermost open round is up while this call is out."""


Reply: TypeAlias = str | Fails | CutOff | GiveUp | Expire | Unanswered
Script: TypeAlias = Callable[[Call, Model], Reply]


def model(id: str, weight: int = 5, family: str = "") -> Model:
    return Model(id, f"vendor-{id}", id, weight=weight, family=family or f"family-{id}")


def order(mode: Any, **fields: Any) -> Order:
    messages = fields.pop("messages", [{"role": "user", "content": "Why is the sky blue?"}])
    base = Order("r1", mode, json.dumps(messages).encode(), seed=1, latency_s=60.0, created=1700)
    return replace(base, **fields)


class World:
    """Everything outside a plan.  `refusals` are models that may not, whatever the role."""

    def __init__(
        self,
        models: list[Model],
        script: Script,
        refusals: Mapping[str, RefusalCode] | None = None,
    ) -> None:
        self.models = models
        self.script = script
        self.refusals = dict(refusals or {})
        self.judge_context = FakeContext("judge")
        self.judge = Judge(self.judge_context)
        self.calls: list[Call] = []
        self.answers: list[tuple[str, str]] = []
        self.cancelled: list[int] = []
        self.give_up_at: type[Ballot | Reading] | tuple[()] = ()
        self.chooses: list[Choose] = []
        self.notes: list[Note] = []
        self.opened: list[OpenRound] = []
        self.closed: list[CloseRound] = []

    @property
    def roles(self) -> list[str]:
        return [call.role for call in self.calls]

    def asked(self, role: str) -> list[Call]:
        return [call for call in self.calls if call.role == role]

    def carry_out(self, plan: Plan[Result]) -> Result:
        """The plan's result; raises the error it died of."""
        return self.drive(Run(plan))

    def drive(self, run: Run) -> Result:
        waiting = deque(run.begin())
        while waiting:
            action = waiting.popleft()
            if isinstance(action, Done):
                assert not waiting
                assert not run.outstanding
                return action.result
            if isinstance(action, Died):
                assert not run.outstanding
                raise action.error
            waiting.extend(self._perform(run, action))
        raise AssertionError("the run neither ended nor wants anything")

    def _perform(self, run: Run, action: Action) -> list[Action]:
        match action:
            case StartCall(key, call):
                if key in self.cancelled:
                    return []
                return self._call(run, key, call)
            case AskRouter(key, choose):
                return run.resume(key, self.route(choose))
            case AskJudge(_, about) if isinstance(about, self.give_up_at):
                return run.give_up("deadline")
            case AskJudge(key, about):
                return run.resume(key, self._judge(about))
            case AskValidator(key, check):
                return run.resume(key, Validated("", problems(check.schema, check.instance)))
            case Announce(note):
                self.notes.append(note)
            case CancelCall(key):
                self.cancelled.append(key)
            case Grace():
                pass  # time stands still here
            case OpenRound():
                self.opened.append(action)
            case CloseRound():
                self.closed.append(action)
            case _:
                raise AssertionError(action)
        return []

    def _call(self, run: Run, key: int, call: Call) -> list[Action]:
        self.calls.append(call)
        match outcome := self._outcome(call):
            case GiveUp(kind):
                return run.give_up(kind)
            case Expire():
                open_keys = [r.key for r in self.opened if r.depth == 0]
                return run.expire(open_keys[-1])
        return run.resume(key, outcome)

    def _outcome(self, call: Call) -> Outcome | GiveUp | Expire:
        failures = []
        for candidate in call.candidates:
            match reply := self.script(call, candidate.model):
                case Fails(error):
                    failures.append((candidate.model.id, error))
                case str() | CutOff():
                    text = reply if isinstance(reply, str) else reply.text
                    self.answers.append((call.role, candidate.model.id))
                    return Answered(
                        text,
                        candidate.model,
                        isinstance(reply, CutOff),
                        _problems(call, text),
                        candidate.explicit,
                        USAGE,
                    )
                case _:
                    return reply
        return Unanswered("failed", tuple(failures))

    def route(self, choose: Choose) -> Chosen:
        """The models in their order: named first, avoided last."""
        also = None if choose.also is None else self.route(choose.also)
        self.chooses.append(choose)
        refused = [r for m in self.models if (r := self._refusal(choose, m)) is not None]
        gone = {refusal.model for refusal in refused}
        ranked = [
            Candidate(m, float(place), explicit=m.id in choose.named)
            for place, m in enumerate(self.models)
            if m.id not in gone
        ]
        ranked.sort(key=lambda c: self._place(choose, c.model))
        return Chosen(tuple(ranked), tuple(refused), also=also)

    def _place(self, choose: Choose, model: Model) -> tuple[int, bool, bool]:
        named = choose.named.index(model.id) if model.id in choose.named else len(choose.named)
        return named, model.id in choose.avoid, model.family in choose.avoid_families

    def _refusal(self, choose: Choose, model: Model) -> Refusal | None:
        if model.id in self.refusals:
            return Refusal(model.id, self.refusals[model.id], f"is {self.refusals[model.id]}")
        if model.id in choose.exclude:
            return Refusal(model.id, "excluded", "excluded")
        if model.weight < choose.min_weight and model.id not in choose.named:
            why = f"weight {model.weight} is below {choose.min_weight}"
            return Refusal(model.id, "weight", why)
        return None

    def _judge(self, about: Ballot | Reading) -> object:
        match about:
            case Ballot():
                self.judge.receive(BuildBallot("run", "q", about))
            case Reading():
                self.judge.receive(ReadVerdict("run", "q", about))
        (reply,) = self.judge_context.take("run")
        return reply


def run_mode(world: World, ordered: Order) -> tuple[Result, dict[str, Any]]:
    """A mode's result, and its response parsed."""
    result = world.carry_out(STRATEGIES[ordered.mode](ordered))
    return result, json.loads(result.response)


def _problems(call: Call, text: str) -> tuple[str, ...]:
    if call.schema is None:
        return ()
    found = json_in(text)
    return (NOT_JSON,) if found is None else problems(call.schema, found.encode())


# --- critics ----------------------------------------------------------------------------------


def findings(*severities: str) -> str:
    """A critique in form, with a finding of each severity."""
    found = [{"severity": severity, "claim": f"a {severity} flaw"} for severity in severities]
    return json.dumps({"findings": found})


# --- judges -----------------------------------------------------------------------------------

_CANDIDATE = re.compile(r'<candidate label="(\w+)" key="\w+">\n(.*?)\n</candidate key', re.DOTALL)


def shown_in(call: Call) -> dict[str, str]:
    """The candidates in a prompt, text by label, in the order they are shown."""
    return dict(_CANDIDATE.findall(json.loads(call.messages)[-1]["content"]))


def shown_to(judge: Call) -> dict[str, str]:
    """The candidates in a judge's prompt, which may be followed by a repair of its verdict."""
    prompt = json.loads(judge.messages)[1]["content"]
    return dict(_CANDIDATE.findall(prompt))


def verdict(call: Call, choice: str, why: str = "it is right", margin: str | None = None) -> str:
    """A readable verdict: `choice` is a candidate's text, `tie` or `none`."""
    labels = {text: label for label, text in shown_to(call).items()}
    findings = [{"label": label, "finding": "fine"} for label in shown_to(call)]
    chosen = labels.get(choice, choice)
    said = {"findings": findings, "comparison": f"{chosen}: {why}", "choice": chosen}
    return json.dumps(said | ({"margin": margin} if margin else {}))
