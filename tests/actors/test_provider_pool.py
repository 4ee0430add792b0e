"""A vendor's pool: each order is one attempt, answered once, whatever happens meanwhile."""

from __future__ import annotations

import pytest

from actors.base import Down, Work
from actors.domain.model import Usage
from actors.protocol import (
    AskAfter,
    CallFailed,
    CallSent,
    CallVendor,
    Completed,
    DialectCrashed,
    PoolStatus,
    PoolTick,
    ReconfigurePool,
    VendorSettings,
)
from actors.provider_pool import LAST_WORD_S, DialectFailure
from tests.actors.vendor import HELLO, Vendor
from tests.fakes import FakeContext

# --- an attempt -------------------------------------------------------------------------------


def test_an_order_is_sent_and_its_answer_told() -> None:
    """One piece of work, with the attempt's time, and one answer, with the time it took."""
    vendor = Vendor(timeout_s=30.0)
    assert vendor.order("a") == [CallSent("a")]
    (work,) = vendor.ctx.started
    assert isinstance(work, CallVendor)
    assert (work.id, work.order.ticket, work.timeout_s) == ("a", "a", 30.0)
    vendor.wait(2.0)
    assert vendor.answer("a") == [Completed("a", HELLO, waited_s=0.0, latency_s=2.0)]
    assert vendor.status().leased == 0


def test_an_attempt_has_no_more_time_than_its_order() -> None:
    """The vendor's own timeout or what is left to the deadline, whichever is less."""
    vendor = Vendor(timeout_s=30.0)
    vendor.order("a", deadline=vendor.ctx.time + 4.0)
    (work,) = vendor.ctx.started
    assert isinstance(work, CallVendor)
    assert work.timeout_s == 4.0 + LAST_WORD_S


def test_a_failure_is_told_with_all_that_is_known_of_it() -> None:
    """And not tried again: that is for others to decide."""
    vendor = Vendor()
    vendor.order("a")
    vendor.wait(1.5)
    failed = vendor.error(
        "a",
        "rate_limited",
        retry_after_s=7.0,
        usage=Usage(input=1),
        written=True,
        received_bytes=5,
        http_status=429,
    )
    assert failed == [
        CallFailed(
            "a", "rate_limited", "detail", 7.0, Usage(input=1), True, 5, 0.0, 1.5, http_status=429
        )
    ]
    assert vendor.on_the_wire == ["a"]


def test_a_ticket_is_ordered_once() -> None:
    """Neither while it waits nor while it is on the wire; a money-costing call never doubles."""
    vendor = Vendor(max_concurrency=1)
    vendor.order("a")
    vendor.order("b")
    for ticket in ("a", "b"):
        (failed,) = vendor.order(ticket)
        assert isinstance(failed, CallFailed)
        assert (failed.kind, failed.written) == ("fatal", False)
    assert vendor.on_the_wire == ["a"]


def test_a_result_of_an_unknown_call_is_counted_and_ignored() -> None:
    """It is of an earlier incarnation, which has answered for it."""
    vendor = Vendor()
    assert vendor.answer("old") == []
    assert vendor.error("older", "timeout") == []
    vendor.pool.receive(DialectCrashed("oldest", "boom"))
    assert vendor.status().strays == 3


# --- the waiting line -------------------------------------------------------------------------


def test_no_more_calls_are_on_the_wire_than_there_are_leases() -> None:
    """The others wait, and are sent in their order as leases come back."""
    vendor = Vendor(max_concurrency=2)
    assert [vendor.order(t) for t in "abcd"] == [[CallSent("a")], [CallSent("b")], [], []]
    assert repr(vendor.pool) == "<ProviderPool openai: 2/2 leased, 2 waiting, breaker closed>"
    vendor.wait(3.0)
    answered, sent = vendor.answer("b")
    assert isinstance(answered, Completed)
    assert sent == CallSent("c")
    vendor.wait(1.0)
    assert vendor.answer("c") == [Completed("c", HELLO, 3.0, 1.0), CallSent("d")]


def test_a_full_line_refuses_at_once() -> None:
    """The asker can go elsewhere while there is time; nothing was sent."""
    vendor = Vendor(max_concurrency=1, max_waiting=1)
    vendor.order("a")
    vendor.order("b")
    (failed,) = vendor.order("c")
    assert isinstance(failed, CallFailed)
    assert (failed.kind, failed.written) == ("overloaded", False)
    assert failed.retry_after_s is not None
    assert failed.detail == "1 calls are waiting already"


def test_without_places_to_wait_a_free_lease_is_still_given() -> None:
    """`max_waiting = 0` means now or not at all."""
    vendor = Vendor(max_concurrency=1, max_waiting=0)
    assert vendor.order("a") == [CallSent("a")]
    (failed,) = vendor.order("b")
    assert isinstance(failed, CallFailed)
    assert failed.kind == "overloaded"


def test_nobody_waits_past_the_deadline() -> None:
    """The pool wakes by itself; the order was not sent and costs nothing."""
    vendor = Vendor(max_concurrency=1)
    vendor.order("a")
    vendor.order("b", deadline=vendor.ctx.time + 5.0)
    assert vendor.wait(4.9) == []
    (failed,) = vendor.wait(0.1)
    assert isinstance(failed, CallFailed)
    assert (failed.ticket, failed.kind, failed.written) == ("b", "timeout", False)
    assert failed.waited_s == pytest.approx(5.0)
    (late,) = vendor.order("late", deadline=vendor.ctx.time)
    assert isinstance(late, CallFailed)
    assert late.kind == "timeout"


def test_a_rate_limit_delays_and_the_pool_wakes_when_it_allows() -> None:
    """Requests and tokens alike; the line keeps its order."""
    vendor = Vendor(requests_per_minute=60, tokens_per_minute=600)
    assert vendor.order("a", max_tokens=500, input_tokens=100) == [CallSent("a")]
    assert vendor.order("b", max_tokens=100) == []
    assert vendor.order("c", max_tokens=1) == []
    assert vendor.wait(9.9) == []
    assert vendor.wait(0.1) == [CallSent("b")]
    assert vendor.wait(0.1) == [CallSent("c")]


# --- giving up --------------------------------------------------------------------------------


def test_a_waiting_order_is_cancelled_at_once() -> None:
    """It was never sent, and its place goes to the next."""
    vendor = Vendor(max_concurrency=1)
    for ticket in "abc":
        vendor.order(ticket)
    (failed,) = vendor.cancel("b")
    assert isinstance(failed, CallFailed)
    assert (failed.ticket, failed.kind, failed.written) == ("b", "cancelled", False)
    assert CallSent("c") in vendor.answer("a")


def test_a_running_call_is_aborted_and_its_end_is_told() -> None:
    """The lease is held until the socket is closed; how far it got decides what it costs."""
    vendor = Vendor()
    vendor.order("a")
    assert vendor.cancel("a") == []
    assert vendor.ctx.aborted == ["a"]
    assert vendor.status().leased == 1
    (failed,) = vendor.error("a", "cancelled", written=True, received_bytes=12)
    assert isinstance(failed, CallFailed)
    assert (failed.kind, failed.written, failed.received_bytes) == ("cancelled", True, 12)
    assert vendor.status().leased == 0


def test_an_answer_that_was_faster_than_its_cancel_is_told() -> None:
    """It is paid for."""
    vendor = Vendor()
    vendor.order("a")
    vendor.cancel("a")
    (completed,) = vendor.answer("a")
    assert isinstance(completed, Completed)
    assert vendor.cancel("a") == [], "the two have crossed"


def test_an_asker_that_ends_leaves_nothing_behind() -> None:
    """What it had waiting is dropped, what it had running aborted, and nobody is told."""
    vendor = Vendor(max_concurrency=1)
    vendor.order("a", "run:1")
    vendor.order("b", "run:1")
    vendor.order("c", "run:2")
    assert vendor.ctx.monitored == {"router", "run:1", "run:2"}
    vendor.pool.receive(Down("run:1", "killed"))
    assert vendor.ctx.aborted == ["a"]
    assert vendor.status().waiting == 1
    assert vendor.error("a", "cancelled") == []
    assert vendor.ctx.take("run:2") == [CallSent("c")]
    assert vendor.status().leased == 1


def test_an_asker_is_monitored_while_it_is_owed_an_answer() -> None:
    """Once, however many orders it has, and no longer."""
    vendor = Vendor(max_concurrency=1)
    vendor.order("a")
    vendor.order("b")
    vendor.answer("a")
    assert "run:1" in vendor.ctx.monitored
    vendor.cancel("b")
    vendor.answer("b")
    assert "run:1" not in vendor.ctx.monitored


# --- settings and status ----------------------------------------------------------------------


def test_new_settings_hold_at_once() -> None:
    """More leases serve those who wait; fewer take none away from those on the wire."""
    vendor = Vendor(max_concurrency=1)
    for ticket in "abc":
        vendor.order(ticket)
    vendor.pool.receive(ReconfigurePool(VendorSettings("openai", max_concurrency=3)))
    assert vendor.ctx.take("run:1") == [CallSent("b"), CallSent("c")]
    vendor.pool.receive(ReconfigurePool(VendorSettings("openai", max_concurrency=1)))
    assert vendor.status().leased == 3
    assert vendor.order("d") == []


def test_a_reload_does_not_refill_the_rates() -> None:
    """What was sent this minute was sent."""
    vendor = Vendor(requests_per_minute=1)
    vendor.order("a")
    vendor.pool.receive(ReconfigurePool(VendorSettings("openai", requests_per_minute=1)))
    assert vendor.order("b") == []


def test_a_status_is_answered() -> None:
    """Everything a person asks first."""
    vendor = Vendor(max_concurrency=1)
    vendor.order("a")
    vendor.order("b")
    assert vendor.status() == PoolStatus("s1", "openai", True, "", 1, 1, 1, "closed", 0)


# --- crashes ----------------------------------------------------------------------------------


def test_a_dialect_that_crashes_fails_the_pool_and_loses_no_order() -> None:
    """On the wire: answered as crashed, never repeated.  Waiting: served after the restart."""
    vendor = Vendor(max_concurrency=2)
    for ticket in "abcd":
        vendor.order(ticket)
    with pytest.raises(DialectFailure, match="openai: boom"):
        vendor.pool.receive(DialectCrashed("a", "boom"))
    assert vendor.ctx.aborted == ["b"]
    crashed = vendor.ctx.take("run:1")
    assert [(m.ticket, m.kind, m.written) for m in crashed if isinstance(m, CallFailed)] == [
        ("a", "crashed", True),
        ("b", "crashed", True),
    ]
    assert vendor.restart() == [CallSent("c"), CallSent("d")]
    assert vendor.error("b", "cancelled") == []
    assert vendor.status().strays == 1


def test_only_what_a_pool_does_not_have_is_answered_when_asked_after() -> None:
    """On the wire, in the line; or gone with an earlier incarnation."""
    vendor = Vendor(max_concurrency=1)
    vendor.order("wire")
    vendor.order("line")
    for ticket in ("wire", "line"):
        vendor.pool.receive(AskAfter("run:1", ticket))
    assert vendor.ctx.take("run:1") == []
    vendor.begin()
    vendor.pool.receive(AskAfter("run:1", "wire"))
    (answer,) = vendor.ctx.take("run:1")
    assert isinstance(answer, CallFailed)
    assert (answer.ticket, answer.kind, answer.written) == ("wire", "crashed", True)


def test_only_an_order_that_is_announced_is() -> None:
    """Its asker hears of its sending; of another he hears how it ends."""
    vendor = Vendor()
    assert vendor.order("a", announced=False) == []
    assert vendor.order("b") == [CallSent("b")]


class Faulty(FakeContext):
    """A runtime that raises over one piece of work."""

    def start(self, work: Work) -> None:
        if work.id == "poison":
            raise ValueError("sk-secret")
        super().start(work)


def test_a_defect_of_our_own_loses_no_order_either() -> None:
    """The order it fell over is answered, and not tried again by the next incarnation."""
    vendor = Vendor(Faulty("pool:openai"), max_concurrency=1)
    for ticket in ("a", "poison", "b"):
        vendor.order(ticket)
    with pytest.raises(ValueError, match="sk-secret"):
        vendor.answer("a")
    told = vendor.ctx.take("run:1")
    assert [type(m) for m in told] == [Completed, CallFailed]
    assert isinstance(told[1], CallFailed)
    assert told[1].kind == "crashed"
    assert told[1].detail == "the vendor's pool failed: ValueError", "nothing else may leak"
    assert vendor.restart() == [CallSent("b")]


def test_a_tick_of_an_idle_pool_does_nothing() -> None:
    """A timer that fired while it was taken back is harmless."""
    vendor = Vendor()
    vendor.health()
    vendor.pool.receive(PoolTick())
    assert vendor.ctx.told == []
    assert not vendor.ctx.timers
