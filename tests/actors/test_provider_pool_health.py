"""A vendor in trouble: when it is left alone, and what the Router hears of it."""

from __future__ import annotations

import pytest

from actors.base import Down
from actors.domain.breaker import SHORTEST_S, TROUBLE
from actors.protocol import (
    CallFailed,
    CallSent,
    HealthChanged,
    ModelHealth,
    ReconfigurePool,
    VendorSettings,
)
from tests.actors.vendor import Vendor

# --- the breaker ------------------------------------------------------------------------------


def test_a_failing_vendor_is_left_alone_then_probed_by_one_call() -> None:
    """Refusals say when to come again; one success lets everybody through."""
    vendor = Vendor()
    vendor.fail(TROUBLE)
    (failed,) = vendor.order("a")
    assert isinstance(failed, CallFailed)
    assert (failed.kind, failed.retry_after_s) == ("unavailable", SHORTEST_S)
    assert failed.detail == "breaker open: 5 failures in a row"
    vendor.wait(SHORTEST_S)
    assert vendor.order("probe") == [CallSent("probe")]
    (refused,) = vendor.order("b")
    assert isinstance(refused, CallFailed)
    assert refused.kind == "unavailable"
    assert refused.retry_after_s is not None
    vendor.answer("probe")
    assert vendor.order("c") == [CallSent("c")]


def test_a_breaker_that_opens_empties_the_line() -> None:
    """Those who wait hear it at once, while they have time to go elsewhere."""
    vendor = Vendor(max_concurrency=1)
    vendor.order("a")
    vendor.order("b")
    _, failed = vendor.error("a", "rate_limited", retry_after_s=30.0)
    assert isinstance(failed, CallFailed)
    assert (failed.ticket, failed.kind, failed.retry_after_s) == ("b", "unavailable", 30.0)
    assert failed.detail == "breaker open: it asked for a pause"


@pytest.mark.parametrize("kind", ["context_overflow", "fatal", "refused", "empty", "cancelled"])
def test_what_is_not_the_vendors_fault_leaves_it_open_to_others(kind: str) -> None:
    """One asker's impossible requests are nobody else's trouble."""
    vendor = Vendor()
    for n in range(3 * TROUBLE):
        vendor.order(f"a{n}")
        vendor.error(f"a{n}", kind)
    assert vendor.status().breaker == "closed"


def test_only_a_call_with_enough_time_blames_the_vendor_by_timing_out() -> None:
    """Somebody in a great hurry does not close a vendor for those who are not."""
    vendor = Vendor(timeout_s=60.0)
    for left_s, breaker in ((0.2, "closed"), (20.0, "open")):
        for n in range(TROUBLE):
            vendor.order(f"a{n}", deadline=vendor.ctx.time + left_s)
            vendor.error(f"a{n}", "timeout")
        assert vendor.status().breaker == breaker


def test_without_a_key_nothing_is_sent() -> None:
    """The Router hears it at the start, askers at once, and a reload with the key heals it."""
    vendor = Vendor(key_present=False)
    assert vendor.health() == [HealthChanged("openai", False, "no api key")]
    (failed,) = vendor.order("a")
    assert isinstance(failed, CallFailed)
    assert (failed.kind, failed.detail, failed.retry_after_s) == (
        "unavailable",
        "no api key",
        None,
    )
    vendor.pool.receive(ReconfigurePool(VendorSettings("openai")))
    assert vendor.health() == [HealthChanged("openai", True)]
    assert vendor.order("b") == [CallSent("b")]


# --- what the Router is told ------------------------------------------------------------------


def test_figures_are_told_at_most_once_a_second() -> None:
    """The first at once, later ones together; and there is no timer when there is no news."""
    vendor = Vendor()
    assert vendor.health() == [HealthChanged("openai", True)]
    assert not vendor.ctx.timers
    for ticket in "abc":
        vendor.order(ticket)
        vendor.answer(ticket)
    assert vendor.health() == []
    vendor.wait(1.0)
    assert vendor.health() == [
        HealthChanged("openai", True, models=(ModelHealth("gpt", 0.0, 0.0, 3),))
    ]
    assert not vendor.ctx.timers


def test_a_change_of_availability_is_told_at_once() -> None:
    """With the reason, the time to try again, and the figures that go with it."""
    vendor = Vendor()
    vendor.health()
    vendor.fail(TROUBLE)
    (told,) = vendor.health()
    assert (told.available, told.why) == (False, "breaker open: 5 failures in a row")
    assert told.retry_at == vendor.ctx.time + SHORTEST_S
    assert [figures.calls for figures in told.models] == [TROUBLE]
    vendor.wait(SHORTEST_S)
    vendor.order("probe")
    vendor.answer("probe")
    assert [told.available for told in vendor.health()] == [True]


def test_a_restarted_router_is_told_everything_again() -> None:
    """It knows nothing of models that did not move since."""
    vendor = Vendor()
    vendor.order("a")
    vendor.answer("a")
    vendor.wait(1.0)
    vendor.health()
    vendor.wait(5.0)
    vendor.ctx.monitored.clear()
    vendor.pool.receive(Down("router", "crash"))
    assert [figures.model for told in vendor.health() for figures in told.models] == ["gpt"]
    assert vendor.ctx.monitored == {"router"}


def test_a_router_that_is_absent_is_asked_for_once_a_second() -> None:
    """Monitoring what is not there answers at once: no reason to spin."""
    vendor = Vendor()
    vendor.health()
    for _ in range(10):
        vendor.pool.receive(Down("router", "absent"))
    assert vendor.health() == []
    vendor.wait(1.0)
    assert len(vendor.health()) == 1
