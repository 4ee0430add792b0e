"""`planhub replay`: a run's journal carried out again, without asking any model.

A strategy is a function of its order and of what it was told, so the recorded steps must lead to
the recorded end: the same response, byte for byte, or the same error.  If they do not, either the
journal is not what was told, or the strategy is not the version that it says it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from rich.text import Text

from actors.errors import PlanError
from actors.protocol import Ballot, Order
from actors.strategies import STRATEGIES, VERSIONS
from actors.strategies.actions import Action, AskJudge, Died, Done, StrategyFailed
from actors.strategies.journal import take
from actors.strategies.plan import Result
from actors.strategies.run import Run
from runtime.cli.ends import DONE, FAILED, CommandFailed
from runtime.cli.rejudge import rejudge
from runtime.cli.runs import found
from runtime.cli.setup import configured, database_of
from runtime.cli.terminal import stderr, stdout, write_json
from runtime.storage import journal


class Replayed(Struct, frozen=True):
    """Where the steps led: the end, None where they do not lead to one, and the ballot, if any."""

    end: Done | Died | None
    waiting: int
    ballot: Ballot | None


class _Body(Struct):
    """What is compared of a recorded body: of an answer the first fields, of an error the last."""

    negotiated_model: str = ""
    routing_reason: str = ""
    response: msgspec.Raw = msgspec.Raw()
    reasons: list[str] = []
    code: str = ""
    partial: str | None = None


def replay_run(id: str, *, judge: str | None, json: bool, config: Path | None) -> int:
    settings = configured(config)
    database = database_of(settings)
    run = found(database, id)
    recorded = journal.load(database, run)
    assert recorded is not None, "it was there a moment ago"
    order = replayable(run, recorded)
    replayed = replay(order, recorded)
    if judge is not None:
        if replayed.ballot is None:
            raise CommandFailed(f"run {run} has no candidates to judge")
        return rejudge(settings, judge, order, recorded.body, replayed.ballot, json=json)
    return _tell(run, recorded, list(differences(recorded, replayed)), json)


def replay(order: Order, recorded: journal.Journal) -> Replayed:
    """Tells a fresh run every recorded step.  Raises CommandFailed for one that does not fit."""
    run = Run(STRATEGIES[order.mode](order))
    actions = run.begin()
    for step in recorded.steps:
        try:
            actions += take(run, step)
        except msgspec.DecodeError as error:
            text = f"step {step.number} of run {order.run} cannot be read: {error}"
            raise CommandFailed(text) from error
    return Replayed(_end(actions), len(run.outstanding), _ballot(actions))


def _end(actions: list[Action]) -> Done | Died | None:
    return next((action for action in actions if isinstance(action, Done | Died)), None)


def _ballot(actions: list[Action]) -> Ballot | None:
    consulted = (action.about for action in actions if isinstance(action, AskJudge))
    return next((about for about in consulted if isinstance(about, Ballot)), None)


def replayable(run: str, recorded: journal.Journal) -> Order:
    """The order of a run that can be carried out again; raises CommandFailed."""
    order = recorded.order
    if order is None:
        raise CommandFailed(
            f"run {run} cannot be replayed: its content was not kept ([journal] store_content)"
        )
    if order.strategy != VERSIONS[order.mode]:
        begun, now = order.strategy or "none", VERSIONS[order.mode]
        raise CommandFailed(
            f"run {run} cannot be replayed: version_changed, it was begun by version {begun} of"
            f" {order.mode} and this is version {now}"
        )
    if recorded.status == "running":
        raise CommandFailed(f"run {run} is under way: replay it when it has ended")
    if not recorded.steps:
        raise CommandFailed(f"run {run} cannot be replayed: it ended before its first call")
    return order


# --- comparing --------------------------------------------------------------------------------


def differences(recorded: journal.Journal, replayed: Replayed) -> Iterator[str]:
    """What the steps do not lead to as it was recorded, a line each; nothing where all is well."""
    body = msgspec.json.decode(recorded.body or b"{}", type=_Body)
    match replayed.end:
        case None:
            yield f"the journal ends while {replayed.waiting} answers are waited for"
        case Done(result) if recorded.status == "cancelled":
            yield from _unequal("partial", body.partial, result.text)
        case Done(result):
            yield from _other_result(recorded.status, body, result)
        case Died(error):
            yield from _other_error(recorded.status, body, error)


def _other_result(status: str, body: _Body, result: Result) -> Iterator[str]:
    yield from _unequal("status", status, "degraded" if result.degraded else "complete")
    yield from _unequal("negotiated_model", body.negotiated_model, result.model)
    yield from _unequal("routing_reason", body.routing_reason, result.routing_reason)
    reasons = body.reasons[: len(result.reasons)]  # what calls had to remark comes after these
    yield from _unequal("reasons", reasons, list(result.reasons))
    if bytes(body.response) != result.response:
        yield from _other_response(bytes(body.response), result.response)


def _other_response(recorded: bytes, replayed: bytes) -> Iterator[str]:
    before: dict[str, Any] = msgspec.json.decode(recorded or b"{}")
    after: dict[str, Any] = msgspec.json.decode(replayed)
    for name in {**before, **after}:
        yield from _unequal(f"response.{name}", before.get(name), after.get(name))


def _other_error(status: str, body: _Body, error: PlanError | StrategyFailed) -> Iterator[str]:
    """A cancelled run ends as that, whatever its strategy made of it."""
    code = error.code if isinstance(error, PlanError) else "internal"
    yield from _unequal("code", body.code, "cancelled" if status == "cancelled" else code)
    if isinstance(error, PlanError) and error.partial is not None:
        yield from _unequal("partial", body.partial, error.partial)


def _unequal(name: str, recorded: Any, replayed: Any) -> Iterator[str]:
    if recorded != replayed:
        yield f"{name}: recorded {_short(recorded)}, replayed {_short(replayed)}"


def _short(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 120 else text[:119] + "…"


# --- telling ----------------------------------------------------------------------------------


def _tell(run: str, recorded: journal.Journal, unlike: list[str], json: bool) -> int:
    steps = len(recorded.steps)
    if json:
        told = {"id": run, "steps": steps, "same": not unlike, "differences": unlike}
        write_json(told | {"status": recorded.status})
    elif unlike:
        stderr().print(Text(f"run {run}: {steps} steps lead elsewhere", style="red"))
        for difference in unlike:
            stdout().print(Text(f"  {difference}"))
    else:
        led = f"run {run}: {steps} steps lead to the same end, {recorded.status}"
        stdout().print(Text(f"{led}; no model was asked", style="green"))
    return FAILED if unlike else DONE
