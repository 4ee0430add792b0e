"""Whom a restart concerns."""

from __future__ import annotations

import pytest

from actors.base import Strategy, SupervisorSpec
from tests.runtime.kernel.rig import Crash, Question, Rig, Say

EXPECTED = {
    Strategy.ONE_FOR_ONE: ["b started 2"],
    Strategy.REST_FOR_ONE: [
        "d stopped restarted with b",
        "c stopped restarted with b",
        "b started 2",
        "c started 2",
        "d started 2",
    ],
    Strategy.ONE_FOR_ALL: [
        "d stopped restarted with b",
        "c stopped restarted with b",
        "a stopped restarted with b",
        "a started 2",
        "b started 2",
        "c started 2",
        "d started 2",
    ],
}


def started(strategy: Strategy) -> Rig:
    rig = Rig()
    group = SupervisorSpec("group", strategy, tuple(rig.probe(name) for name in "abcd"))
    rig.start(group)
    rig.log.clear()
    return rig


@pytest.mark.parametrize("strategy", Strategy)
def test_the_rest_restarts_in_order(strategy: Strategy) -> None:
    """Those concerned end last first and start first first; nobody else notices."""
    rig = started(strategy)
    rig.tell("b", Crash())
    rig.advance(1)
    assert [f"{address} {text}" for address, text in rig.log] == EXPECTED[strategy]


def test_what_was_queued_for_the_rest_is_kept() -> None:
    """A sibling that is restarted along has its mailbox too."""
    rig = started(Strategy.REST_FOR_ONE)
    rig.tell("b", Crash())
    question = rig.ask("d", Question)
    rig.system.tell("c", Say("kept"))
    rig.advance(1)
    assert question.get(timeout=0).incarnation == 2
    assert rig.log.of("c")[-1] == "kept"


def test_an_earlier_child_failing_meanwhile_widens_the_restart() -> None:
    """b waits to be restarted with c and d when a crashes: all start once, in order."""
    rig = started(Strategy.REST_FOR_ONE)
    rig.tell("c", Crash())
    rig.tell("a", Crash())
    rig.advance(10)
    assert [f"{address} {text}" for address, text in rig.log] == [
        "d stopped restarted with c",
        "b stopped restarted with a",
        *(f"{name} started 2" for name in "abcd"),
    ]


def test_a_failing_start_takes_the_rest_along() -> None:
    """When the first cannot be started the others wait for it."""
    rig = started(Strategy.REST_FOR_ONE)
    rig.log.cannot_start.add("b")
    rig.tell("b", Crash())
    rig.advance(0.06)
    rig.log.cannot_start.clear()
    rig.advance(5)
    assert {name: rig.log.incarnations[name] for name in "abcd"} == {"a": 1, "b": 2, "c": 2, "d": 2}
