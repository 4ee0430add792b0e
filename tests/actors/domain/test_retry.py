"""After a failure: what is tried again, what goes on to the next model, and what ends."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.retry import BACKOFF_MAX_S, Again, Decision, Next, NoMore, decide
from actors.protocol import CallErrorKind

KINDS = get_args(CallErrorKind)


def after(kind: CallErrorKind, tries: int = 1, others: bool = False, **more: float) -> Decision:
    return decide(kind, tries=tries, others=others, **{"left_s": 60.0, "draw": 0.5, **more})


def test_a_passing_fault_is_tried_again_after_a_growing_wait() -> None:
    """The wait doubles with each try, and the draw spreads it."""
    assert after("transient") == Again(0.25)
    assert after("transient", 2) == Again(0.5)
    assert after("transient", draw=0.0) == Again(0.125)


def test_the_vendors_own_word_on_when_to_come_back_is_kept() -> None:
    """A Retry-After is waited for, be it longer than the backoff."""
    assert after("rate_limited", retry_after_s=7.0) == Again(7.0)
    assert after("rate_limited", retry_after_s=0.0) == Again(0.25)


def test_a_wait_that_outlasts_the_run_is_not_begun() -> None:
    """There is no point in coming back after the deadline."""
    assert after("rate_limited", retry_after_s=61.0) == NoMore()
    assert after("rate_limited", retry_after_s=61.0, others=True) == Next()


def test_with_others_left_a_busy_vendor_is_not_waited_for() -> None:
    """Another model now is better than this one later."""
    for kind in ("rate_limited", "unavailable", "timeout", "malformed", "crashed", "empty"):
        assert after(kind, others=True) == Next()
    assert after("transient", others=True) == Again(0.25)
    assert after("transient", 2, others=True) == Next()


@pytest.mark.parametrize("kind", ["fatal", "refused", "context_overflow", "overloaded"])
def test_what_cannot_succeed_here_is_not_repeated(kind: CallErrorKind) -> None:
    """The same request to the same model would fail again."""
    assert after(kind) == NoMore()
    assert after(kind, others=True) == Next()


def test_a_learnt_parameter_is_tried_again_at_once() -> None:
    """The next order will leave it out."""
    assert after("parameter", others=True) == Again(0.0)


@given(
    st.sampled_from(KINDS),
    st.integers(1, 20),
    st.booleans(),
    st.floats(0, 100),
    st.floats(0, 0.999),
    st.none() | st.floats(0, 1000),
)
def test_every_failure_has_an_end(
    kind: CallErrorKind,
    tries: int,
    others: bool,
    left_s: float,
    draw: float,
    retry_after_s: float | None,
) -> None:
    """No kind is retried at one model for ever, no wait is longer than asked, none outlasts."""
    decision = decide(
        kind, tries=tries, others=others, left_s=left_s, draw=draw, retry_after_s=retry_after_s
    )
    if isinstance(decision, Again):
        assert tries < 6
        assert decision.delay_s < left_s
        assert decision.delay_s <= max(BACKOFF_MAX_S * 1.5, retry_after_s or 0.0)
    else:
        assert decision == (Next() if others else NoMore())
