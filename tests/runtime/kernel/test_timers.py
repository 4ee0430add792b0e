"""The heap of timers, and the timers of actors."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runtime.kernel.timers import Timers
from tests.runtime.kernel.rig import Crash, Later, Leave, Rig, Say


def test_timers_end_with_their_incarnation() -> None:
    """Neither a restarted nor an ended actor hears of timers set before."""
    rig = Rig()
    rig.start(rig.probe("a"))
    rig.spawn("run:1")
    rig.tell("a", Later(5, "old"), Crash())
    rig.tell("run:1", Later(5, "old"), Leave())
    rig.advance(1)
    rig.tell("a", Later(5, "new"))
    rig.advance(10)
    assert rig.log.of("a") == ["started 1", "started 2", "new"]
    assert rig.log.of("run:1") == ["started 1", "stopped normal"]
    assert rig.system.statistics().timers == 0


def test_a_cancelled_timer_is_silent() -> None:
    """Cancelling twice, or what is unknown, is nothing."""
    rig = Rig()
    rig.start(rig.probe("a"))
    context = rig.system.cells["a"].behaviour.ctx  # type: ignore[union-attr]
    timer = context.after(1, Say("never"))
    context.after(1, Say("once"))
    for unknown in (timer, timer, 999):
        context.cancel_timer(unknown)
    rig.advance(2)
    assert rig.log.of("a") == ["started 1", "once"]


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.integers(0, 50)),
            st.tuples(st.just("cancel"), st.integers(0, 80)),
            st.tuples(st.just("fire"), st.integers(0, 50)),
        ),
        max_size=200,
    )
)
def test_timers_agree_with_a_sorted_list(steps: list[tuple[str, int]]) -> None:
    """Fired are exactly those due and not cancelled, by time and then by age."""
    timers, model = Timers(), dict[int, int]()
    fired: list[int] = []
    for step, value in steps:
        if step == "add":
            model[timers.add(value, fired.append)] = value
        elif step == "cancel":
            timers.cancel(value)
            model.pop(value, None)
        else:
            due = sorted((at, timer) for timer, at in model.items() if at <= value)
            fired.clear()
            timers.fire(value, limit=1000)
            assert fired == [timer for _, timer in due]
            for _, timer in due:
                del model[timer]
        assert timers.next() == min(model.values(), default=None)
        assert len(timers) == len(model)


def test_cancelled_timers_take_no_place_for_long() -> None:
    """A million deadlines that were met in time do not pile up."""
    timers = Timers()
    for n in range(10_000):
        timers.cancel(timers.add(n, lambda _: None))
    assert len(timers._heap) < 100
    assert repr(timers).startswith("<Timers 0 armed, ")


def test_firing_is_bounded() -> None:
    """So many timers due at once do not hold the dispatcher: the rest are due still."""
    timers = Timers()
    fired: list[int] = []
    for _ in range(10):
        timers.add(1.0, fired.append)
    timers.fire(2.0, limit=4)
    assert len(fired) == 4
    assert timers.next() == 1.0
