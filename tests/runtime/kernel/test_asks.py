"""Asks: settled always, and once."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.base import Strategy, SupervisorSpec
from runtime.kernel import ActorStopped, AskTimeout, Future
from tests.runtime.kernel.rig import Answer, Crash, Monitor, Mute, Question, Rig, Say, error_of


def test_a_reply_settles() -> None:
    """The value is the reply; nothing of the ask is left."""
    rig = Rig()
    rig.start(rig.probe("a"))
    future = rig.ask("a")
    assert not future.done()
    rig.run()
    assert future.get(timeout=0) == Answer("t", 1)
    assert rig.system.statistics().asks == 0
    assert rig.system.statistics().timers == 0
    assert not rig.system.cells["a"].watchers


def test_time_settles() -> None:
    """No answer by the deadline; the answer after it is a dead letter."""
    rig = Rig()
    rig.start(rig.probe("a"))
    future = rig.ask("a", timeout_s=2.0)
    rig.time += 2.0
    rig.system.fire_timers()
    assert isinstance(error_of(future), AskTimeout)
    rig.run()
    assert rig.system.statistics().dead_letters == {"late": 1}


def test_absence_settles() -> None:
    """Nobody there: at once, and what was asked is a dead letter."""
    rig = Rig().start()
    assert isinstance(error_of(rig.ask("nobody")), ActorStopped)
    assert rig.system.statistics().dead_letters == {"absent": 1}


def test_the_end_of_the_asked_settles() -> None:
    """Stopped, killed or crashed before it answered."""
    rig = Rig()
    rig.start(rig.probe("a"), rig.probe("b"), rig.probe("c"))
    asked = {name: rig.ask(name, Mute, timeout_s=1000) for name in "abc"}
    rig.run()
    rig.system.stop("a")
    rig.system.kill("b")
    rig.system.tell("c", Crash("why"))
    rig.run()
    texts = {name: str(error_of(future)) for name, future in asked.items()}
    assert texts == {
        "a": "a ended before it answered: normal",
        "b": "b ended before it answered: killed",
        "c": "c ended before it answered: ValueError: why",
    }


def test_queued_asks_outlive_a_crash() -> None:
    """The one that was taken fails; the one behind it is answered by the next incarnation."""
    rig = Rig()
    rig.start(rig.probe("a"))
    taken = rig.ask("a", Mute, timeout_s=1000)
    rig.system.tell("a", Crash())
    queued = rig.ask("a")
    rig.run()
    assert isinstance(error_of(taken), ActorStopped)
    assert not queued.done()
    rig.advance(1)
    assert queued.get(timeout=0) == Answer("t", 2)


def test_an_ask_after_the_end_is_settled() -> None:
    """The end of the system settles what is open and what comes later."""
    rig = Rig()
    rig.start(rig.probe("a"))
    opened = rig.ask("a", Mute, timeout_s=1000)
    rig.system.close()
    assert isinstance(error_of(opened), ActorStopped)
    assert str(error_of(rig.ask("a"))) == "the system has ended"


def test_an_actor_may_monitor_its_asker() -> None:
    """An ask is an address like any other: its end is a `Down`."""
    rig = Rig()
    rig.start(rig.probe("a"), rig.probe("b"))
    future = rig.ask("a", Mute, timeout_s=5)
    rig.tell("b", Monitor("ask:1"))
    rig.advance(5)
    assert isinstance(error_of(future), AskTimeout)
    assert rig.log.of("b")[-1] == "down ask:1: normal"


ADDRESSES = st.sampled_from(["a", "b", "c", "nobody"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["question", "mute"]), ADDRESSES),
        st.tuples(st.sampled_from(["crash", "stop", "kill", "say"]), ADDRESSES),
        st.tuples(st.just("run"), st.just("")),
        st.tuples(st.sampled_from(["moment", "while"]), st.just("")),
    ),
    max_size=60,
)


@settings(max_examples=150)
@given(steps=STEPS, strategy=st.sampled_from(list(Strategy)), shut_down=st.booleans())
def test_every_ask_is_settled_once(
    steps: list[tuple[str, str]], strategy: Strategy, shut_down: bool
) -> None:
    """Whatever is told, crashed, killed and stopped in whatever order, and whoever gives up."""
    rig = Rig()
    group = SupervisorSpec("group", strategy, tuple(rig.probe(name) for name in "abc"))
    rig.start(group)
    settled: list[Future[object]] = []
    asked: list[Future[object]] = []

    def ask(future: Future[object]) -> None:
        asked.append(future)
        future.add_done_callback(settled.append)

    do: dict[str, Callable[[str], None]] = {
        "question": lambda to: ask(rig.ask(to, Question, timeout_s=3.0)),
        "mute": lambda to: ask(rig.ask(to, Mute, timeout_s=3.0)),
        "crash": lambda to: rig.system.tell(to, Crash()),
        "say": lambda to: rig.system.tell(to, Say("x")),
        "stop": rig.system.stop,
        "kill": rig.system.kill,
        "run": lambda _: rig.run(),
        "moment": lambda _: rig.advance(0.05),
        "while": lambda _: rig.advance(2.0),
    }
    for step, to in steps:
        do[step](to)
    if shut_down:
        rig.system.shutdown()
    rig.run()
    rig.advance(1000)

    assert len(settled) == len(asked)
    assert {id(future) for future in settled} == {id(future) for future in asked}
    statistics = rig.system.statistics()
    assert (statistics.asks, statistics.timers, statistics.ready) == (0, 0, 0)
    assert rig.system.ended or not shut_down
    if rig.system.ended:
        assert statistics.cells == 0
    rig.system.close()
