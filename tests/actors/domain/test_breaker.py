"""The circuit breaker: its table, when it opens, how it is tried again, and what counts."""

from __future__ import annotations

from itertools import product
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.breaker import (
    ENDINGS,
    ENOUGH,
    LONGEST_PAUSE_S,
    LONGEST_S,
    SHORTEST_S,
    TRANSITIONS,
    TROUBLE,
    WINDOW_S,
    Breaker,
    Ending,
    Event,
    IllegalTransition,
    State,
    after,
)
from actors.protocol import CallErrorKind

ANSWERED, FAILED, SPOKE, SILENT = Ending.ANSWERED, Ending.FAILED, Ending.SPOKE, Ending.SILENT


def call(breaker: Breaker, ending: Ending, now: float = 0.0, name: str = "call") -> None:
    assert breaker.admits(now)
    breaker.sent(name)
    breaker.ended(name, ending, now)


def tripped(now: float = 0.0) -> Breaker:
    breaker = Breaker()
    for _ in range(TROUBLE):
        call(breaker, FAILED, now)
    return breaker


@pytest.mark.parametrize(("state", "event"), list(product(State, Event)))
def test_what_the_table_does_not_have_is_illegal(state: State, event: Event) -> None:
    """Every pair either leads somewhere or raises; nothing is quietly ignored."""
    if event in TRANSITIONS[state]:
        assert after(state, event) in State
    else:
        with pytest.raises(IllegalTransition, match=state.value):
            after(state, event)


def test_every_state_can_be_reached_and_left() -> None:
    """No breaker stays where it is for ever."""
    reached = {state for events in TRANSITIONS.values() for state in events.values()}
    assert reached == set(State) == {state for state, events in TRANSITIONS.items() if events}


def test_every_way_a_call_ends_says_something_or_nothing() -> None:
    """A new kind of error must be judged here before it can be used."""
    assert set(ENDINGS) == set(get_args(CallErrorKind))


def test_failures_in_a_row_open_it() -> None:
    """One less does not, and an answer between begins the count anew."""
    breaker = Breaker()
    for ending in [FAILED] * (TROUBLE - 1) + [ANSWERED] + [FAILED] * (TROUBLE - 1):
        call(breaker, ending)
    assert breaker.state is State.CLOSED
    call(breaker, FAILED)
    assert breaker.state is State.OPEN
    assert breaker.why == "5 failures in a row"
    assert breaker.retry_at == SHORTEST_S
    assert repr(breaker) == "<Breaker open>"


def test_half_of_enough_calls_failing_opens_it() -> None:
    """Alternating failures never come in a row, and are as bad."""
    breaker = Breaker()
    for ending in [ANSWERED, FAILED] * (ENOUGH // 2 - 1) + [ANSWERED]:
        call(breaker, ending)
    assert breaker.state is State.CLOSED
    call(breaker, FAILED)
    assert breaker.state is State.OPEN
    assert breaker.why == "5 of 10 calls failed within 30 s"


def test_failures_of_before_the_window_are_forgotten() -> None:
    """Two failures now are not half of ten because eight were seen an hour ago."""
    breaker = Breaker()
    for ending in [FAILED, ANSWERED] * (ENOUGH // 2 - 1):
        call(breaker, ending)
    for _ in range(2):
        call(breaker, FAILED, WINDOW_S + 1.0)
    assert breaker.state is State.CLOSED


@pytest.mark.parametrize("ending", [SPOKE, SILENT])
def test_what_is_not_the_vendors_fault_opens_nothing(ending: Ending) -> None:
    """Neither does it excuse: failures around it are still in a row."""
    breaker = Breaker()
    for _ in range(3 * TROUBLE):
        call(breaker, ending)
    assert breaker.state is State.CLOSED
    for _ in range(TROUBLE):
        call(breaker, ending)
        call(breaker, FAILED)
    assert breaker.state is State.OPEN


def test_while_open_nothing_passes_and_then_one_probe_does() -> None:
    """The next call has to wait for the probe's end."""
    breaker = tripped()
    assert not breaker.admits(SHORTEST_S - 0.01)
    assert breaker.admits(SHORTEST_S)
    breaker.sent("probe")
    assert breaker.state is State.PROBING
    assert not breaker.admits(SHORTEST_S + 100.0)
    with pytest.raises(IllegalTransition):
        breaker.sent("another")


@pytest.mark.parametrize("ending", [ANSWERED, SPOKE])
def test_a_probe_that_is_answered_closes_it(ending: Ending) -> None:
    """Even with a refusal: the vendor lives.  The count begins anew."""
    breaker = tripped()
    call(breaker, ending, SHORTEST_S)
    assert (breaker.state, breaker.retry_at, breaker.why) == (State.CLOSED, None, "")
    call(breaker, FAILED, SHORTEST_S)
    assert breaker.state is State.CLOSED


def test_each_failed_probe_doubles_the_wait_up_to_a_minute() -> None:
    """And one success makes it short again."""
    breaker, now, waits = tripped(), 0.0, []
    for _ in range(8):
        assert breaker.retry_at is not None
        waits.append(breaker.retry_at - now)
        now = breaker.retry_at
        call(breaker, FAILED, now)
    assert waits == [1, 2, 4, 8, 16, 32, LONGEST_S, LONGEST_S]
    assert breaker.retry_at is not None
    now = breaker.retry_at
    call(breaker, ANSWERED, now)
    for _ in range(TROUBLE):
        call(breaker, FAILED, now)
    assert breaker.retry_at == now + SHORTEST_S


def test_a_probe_that_is_given_up_says_nothing() -> None:
    """The next call is the probe, at once."""
    breaker = tripped()
    call(breaker, SILENT, SHORTEST_S)
    assert breaker.state is State.HALF_OPEN
    assert breaker.admits(SHORTEST_S)


def test_calls_sent_before_it_opened_are_not_listened_to() -> None:
    """Only the probe is; neither success nor failure of another changes anything."""
    breaker = Breaker()
    for n in range(20):
        breaker.sent(f"early{n}")
    for n in range(10):
        breaker.ended(f"early{n}", FAILED, 0.0)
    assert breaker.retry_at == SHORTEST_S
    assert breaker.admits(SHORTEST_S)
    breaker.ended("early10", ANSWERED, SHORTEST_S)
    assert breaker.state is State.HALF_OPEN
    breaker.sent("probe")
    breaker.ended("early11", FAILED, SHORTEST_S)
    breaker.ended("early12", ANSWERED, SHORTEST_S)
    assert breaker.state is State.PROBING
    breaker.ended("probe", ANSWERED, SHORTEST_S)
    assert breaker.state is State.CLOSED


def test_a_pause_is_kept_and_is_no_failure() -> None:
    """Retry-After opens for so long, and what follows is the shortest wait, not a doubled one."""
    breaker = Breaker()
    breaker.sent("call")
    breaker.paused(20.0, 0.0)
    assert (breaker.state, breaker.retry_at) == (State.OPEN, 20.0)
    call(breaker, ANSWERED, 20.0)
    assert breaker.state is State.CLOSED
    for _ in range(TROUBLE):
        call(breaker, FAILED, 20.0)
    assert breaker.retry_at == 20.0 + SHORTEST_S


def test_the_longest_of_several_pauses_holds() -> None:
    """Many calls hear 429 at once; a shorter word does not shorten, and none lasts for days."""
    breaker = tripped()
    breaker.paused(20.0, 0.0)
    breaker.paused(5.0, 1.0)
    assert breaker.retry_at == 20.0
    breaker.paused(1e9, 2.0)
    assert breaker.retry_at == 2.0 + LONGEST_PAUSE_S


def test_a_pause_asked_for_while_the_probe_is_out_opens_it() -> None:
    """The probe's own end says nothing then."""
    breaker = tripped()
    assert breaker.admits(SHORTEST_S)
    breaker.sent("probe")
    breaker.paused(9.0, 1.0)
    breaker.ended("probe", ANSWERED, 2.0)
    assert (breaker.state, breaker.retry_at) == (State.OPEN, 10.0)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(0, 5)),
        st.tuples(st.sampled_from(Ending), st.integers(0, 5)),
        st.tuples(st.just("pause"), st.integers(0, 5)),
        st.tuples(st.just("wait"), st.integers(0, 100)),
    ),
    max_size=80,
)


@given(steps)
def test_an_owner_that_asks_first_never_meets_an_illegal_transition(
    steps: list[tuple[str | Ending, int]],
) -> None:
    """Whatever ends when: a closed breaker has no time to wait for, and an open time is bounded;
    while a probe is out nothing else is admitted.
    """
    breaker, now = Breaker(), 0.0
    for what, n in steps:
        if what == "wait":
            now += n
        elif what == "pause":
            breaker.paused(float(n), now)
        elif isinstance(what, Ending):
            breaker.ended(str(n), what, now)
        elif breaker.admits(now):
            breaker.sent(str(n))
        assert (breaker.retry_at is None) == (breaker.state is State.CLOSED)
        assert (breaker.retry_at or 0.0) <= now + LONGEST_S
        assert breaker.state is not State.PROBING or not breaker.admits(now)
