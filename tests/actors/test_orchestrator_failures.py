"""What a run comes to when somebody fails whom it depends on, or it fails itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from actors.protocol import Answer, CallAnswered, CallVendor, Commit, DialectCrashed, RunClosed
from actors.strategies import STRATEGIES
from runtime.kernel import ActorStopped
from runtime.storage.memory import MemoryStorage
from tests.world import HANGS, USAGE, Crashes, World, sensible


def test_a_bug_in_a_dialect_restarts_its_pool_alone() -> None:
    """What was on the wire fails over, what was queued is served, the books balance."""
    crashes = iter([True])

    def vendor(work: CallVendor) -> Any:
        if work.order.model.startswith("a-") and next(crashes, False):
            return Crashes(after_s=0.5)
        return sensible(work)

    world = World(vendor, settings={"a": {"max_concurrency": 1}})
    asked = [world.begin("planning", run=f"r{i}", primary="a-large") for i in range(4)]
    bodies = [world.body(future) for future in asked]
    assert [body["status"] for body in bodies] == ["complete"] * 4
    errors = [c["error"] for body in bodies for c in body["calls"] if c["status"] == "failed"]
    assert len(errors) == 1
    assert errors[0].startswith("crashed")
    assert world.system.restarts == 1
    assert world.held == 0


def test_a_defect_of_a_strategy_is_a_500_and_the_books_balance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The client hears no more than that it is our fault; the log has the rest."""

    def broken(order: Any) -> Any:
        yield from STRATEGIES["planning"](order)
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr("actors.orchestrator.STRATEGIES", {"planning": broken})
    world = World(sensible)
    body = world.plan("planning")
    assert (body["http_status"], body["code"], body["error"]) == (500, "internal", "internal error")
    assert "secret" not in json.dumps(body)
    assert body["cost"]["spent_usd"] > 0
    assert world.held == 0


def test_a_pool_that_begins_anew_twice_fails_what_it_had_sent_both_times() -> None:
    """Attempts that waited through the first restart are watched through the second."""
    crashes = iter([True, True])

    def vendor(work: CallVendor) -> Any:
        if work.order.model.startswith("a-") and next(crashes, False):
            return Crashes(after_s=0.5)
        return sensible(work)

    world = World(vendor, settings={"a": {"max_concurrency": 1}})
    asked = [world.begin("planning", run=f"r{i}", primary="a-large") for i in range(3)]
    bodies = [world.body(future) for future in asked]
    assert [body["status"] for body in bodies] == ["complete"] * 3
    assert world.system.restarts == 2
    assert world.held == 0


def test_what_a_killed_pool_had_is_asked_after_and_made_elsewhere() -> None:
    """It hands nothing over: what it had sent is lost, and so is its line."""
    world = World(
        lambda work: HANGS if work.order.model.startswith("a-") else sensible(work),
        settings={"a": {"max_concurrency": 1}},
    )
    asked = [world.begin("planning", run=f"r{i}", primary="a-large") for i in range(2)]
    world.pause(1.0)
    world.system.kill("pool:a")
    bodies = [world.body(future) for future in asked]
    calls = [call for body in bodies for call in body["calls"]]
    assert [call["status"] for call in calls] == ["failed", "ok"] * 2
    assert {call["error"] for call in calls} == {None, "crashed: its vendor's pool began anew"}
    assert world.time < 1010.0
    assert world.held == 0


def test_a_restarted_router_is_asked_anew_by_the_next_run() -> None:
    """A run that was asking when the Router ended says so; the next one is served."""
    world = World(sensible)
    world.pause(1.0)
    world.system.kill("router")
    assert world.plan("planning")["status"] == "complete"
    assert world.held == 0


class Deaf(MemoryStorage):
    """Writes nothing down that closes a run, until it is told to listen."""

    listens = False

    def receive(self, message: Any) -> None:
        closes = isinstance(message, Commit) and any(
            isinstance(write, RunClosed) for write in message.writes
        )
        if self.listens or not closes:
            super().receive(message)


def test_a_ledger_that_fails_twice_over_the_end_of_a_run_is_told_of_it_again() -> None:
    """The run is answered once its end is on record, however often that was lost."""
    world = World(sensible, storage=Deaf)
    asked = world.begin()
    world.pause(1.1)
    for _ in range(2):
        assert not asked.done()
        world.system.kill("ledger")
        world.pause(0.2)
    storage: Any = world.system.cells["storage"]
    storage.behaviour.listens = True
    world.system.kill("ledger")
    assert world.body(asked)["status"] == "complete"
    assert world.held == 0


def test_an_end_that_cannot_be_written_is_waited_for_in_vain() -> None:
    """A while; then the run is answered all the same."""
    world = World(sensible, storage=Deaf)
    assert world.plan()["status"] == "complete"
    assert world.time < 1000 + 1 + 10


def test_an_answer_that_came_before_its_pool_ended_counts() -> None:
    """News of the end overtakes the answer on its way; it was paid for, so it is read first."""
    world = World(sensible)
    asked = world.begin()
    world.pause(0.9)
    ((attempt, (pool, _)),) = world.on_wire.items()
    world.on_wire.clear()
    world.system.tell(pool, CallAnswered(attempt, Answer("in time", USAGE)))
    world.system.tell(pool, DialectCrashed("another", "as told"))
    cell: Any = world.system.cells[pool]
    while cell.queued_messages:
        world.system.run_ready(0.0)
    cell.order_kill()
    cell.turn()
    body = world.body(asked)
    assert body["status"] == "complete"
    assert [call["status"] for call in body["calls"]] == ["ok"]


def test_a_killed_orchestrator_leaves_no_hold() -> None:
    """What it had sent is charged in full, as uncertain; what it held is freed."""
    world = World(lambda _: HANGS)
    asked = world.begin("planning")
    world.pause(1.0)
    world.system.kill("run:r")
    world.go(asked)
    with pytest.raises(ActorStopped):
        asked.get(timeout=0)
    world.pause(1.0)
    assert world.held == 0
    assert not world.on_wire
