"""The waiting line: first come, first served, and nobody waits past a deadline."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from actors.domain.line import Line, Waiting
from actors.protocol import Complete


def order(ticket: str, deadline: float = 100.0, asker: str = "run:1") -> Complete:
    return Complete(asker, ticket, "m", "m", b"[]", 10, deadline)


def line(*orders: Complete) -> Line:
    made = Line()
    for one in orders:
        made.join(one, 0.0)
    return made


def tickets(waiting: Sequence[Waiting]) -> list[str]:
    return [one.order.ticket for one in waiting]


def test_the_first_to_come_is_the_first() -> None:
    """Whatever their deadlines are."""
    waiting = line(order("a", 90.0), order("b", 10.0))
    first = waiting.first()
    assert first == Waiting(order("a", 90.0), 0.0)
    waiting.leave("a")
    assert list(waiting) == ["b"]
    assert "b" in waiting
    assert "a" not in waiting
    assert Line().first() is None


def test_those_whose_deadline_has_come_leave_earliest_first() -> None:
    """At the deadline itself, not after it."""
    waiting = line(order("a", 30.0), order("b", 10.0), order("c", 20.0))
    assert waiting.next_deadline() == 10.0
    assert tickets(waiting.leave_expired(20.0)) == ["b", "c"]
    assert waiting.next_deadline() == 30.0
    assert waiting.leave_expired(29.9) == []


def test_the_orders_of_one_asker_leave_together() -> None:
    """Those of others keep their places."""
    waiting = line(order("a"), order("b", asker="run:2"), order("c"))
    assert tickets(waiting.leave_all_of("run:1")) == ["a", "c"]
    assert tickets(waiting.leave_all()) == ["b"]
    assert len(waiting) == 0
    assert waiting.next_deadline() is None


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9), st.integers(0, 50)), max_size=300))
def test_the_next_deadline_is_the_least_of_those_that_wait(
    steps: list[tuple[bool, int, int]],
) -> None:
    """However orders come and leave; and what the line keeps of those gone is bounded."""
    waiting = Line()
    for joins, n, deadline in steps:
        ticket = str(n)
        if ticket in waiting:
            waiting.leave(ticket)
        elif joins:
            waiting.join(order(ticket, float(deadline)), 0.0)
        least = min((w.order.deadline for w in waiting.values()), default=None)
        assert waiting.next_deadline() == least


def test_a_line_that_is_passed_through_for_days_stays_small() -> None:
    """Deadlines outlive their orders only for a while."""
    waiting = Line()
    for n in range(10_000):
        waiting.join(order(str(n), 1e9), 0.0)
        waiting.leave(str(n))
    assert len(waiting._deadlines) < 200
