"""What a supervisor decides, as values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.base import Restart, Strategy, SupervisorSpec
from runtime.kernel.supervision import (
    End,
    Escalate,
    Forget,
    History,
    RestartIn,
    decide,
    victims,
)

SPEC = SupervisorSpec("s", Strategy.ONE_FOR_ONE, intensity=3, period_s=5.0)


@pytest.mark.parametrize(
    ("restart", "end", "forgotten"),
    [
        (Restart.PERMANENT, End.NORMAL, False),
        (Restart.PERMANENT, End.FAILED, False),
        (Restart.TRANSIENT, End.NORMAL, True),
        (Restart.TRANSIENT, End.FAILED, False),
        (Restart.TRANSIENT, End.POISONED, False),
        (Restart.TEMPORARY, End.FAILED, True),
        (Restart.TEMPORARY, End.POISONED, True),
    ],
)
def test_who_is_restarted(restart: Restart, end: End, forgotten: bool) -> None:
    """Rule 1."""
    decision = decide(SPEC, restart, 0, end, History(), 0.0, 0.5)
    assert isinstance(decision, Forget if forgotten else RestartIn)


@given(st.lists(st.floats(0.01, 10), max_size=30), st.sampled_from(End))
def test_intensity_is_a_window(gaps: list[float], end: End) -> None:
    """Escalated exactly when more than three ends that count lie within five seconds."""
    history, now, ends = History(), 0.0, []
    for gap in gaps:
        now += gap
        ends.append(now)
        decision = decide(SPEC, Restart.PERMANENT, 0, end, history, now, 0.0)
        recent = sum(at > now - SPEC.period_s for at in ends)
        assert isinstance(decision, Escalate) == (end is not End.POISONED and recent > 3)
        if isinstance(decision, Escalate):
            return


@given(st.integers(0, 200), st.floats(0, 1, exclude_max=True))
def test_backoff_is_bounded(restarts: int, draw: float) -> None:
    """However often, a restart waits between half of the first and all of the longest backoff."""
    history = History()
    for _ in range(restarts):
        decide(SPEC, Restart.PERMANENT, 0, End.POISONED, history, 0.0, draw)
    decision = decide(SPEC, Restart.PERMANENT, 0, End.POISONED, history, 0.0, draw)
    assert isinstance(decision, RestartIn)
    assert SPEC.backoff_s / 2 <= decision.delay_s <= SPEC.backoff_max_s


def test_victims() -> None:
    """Rule 2."""
    assert {strategy: list(victims(strategy, 1, 4)) for strategy in Strategy} == {
        Strategy.ONE_FOR_ONE: [1],
        Strategy.REST_FOR_ONE: [1, 2, 3],
        Strategy.ONE_FOR_ALL: [0, 1, 2, 3],
    }
