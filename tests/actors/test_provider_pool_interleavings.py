"""Whatever comes in whatever order: every order is answered once, and every lease comes back."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from actors.base import Down
from actors.domain.model import Usage
from actors.protocol import (
    Answer,
    CallAnswered,
    CallErrored,
    CallFailed,
    CallSent,
    CallVendor,
    CancelCall,
    Complete,
    Completed,
    DialectCrashed,
    HealthChanged,
    PoolMessage,
    ReconfigurePool,
    VendorSettings,
)
from actors.provider_pool import DialectFailure, ProviderPool
from tests.fakes import FakeContext

ASKERS = ["run:1", "run:2", "run:3"]
KINDS = ["transient", "timeout", "rate_limited", "fatal", "context_overflow", "malformed"]
SETTINGS = [
    VendorSettings("openai", max_concurrency=2, max_waiting=3, timeout_s=20.0),
    VendorSettings("openai", max_concurrency=1, max_waiting=0),
    VendorSettings("openai", 3, 5, requests_per_minute=30, tokens_per_minute=3000),
    VendorSettings("openai", 2, 4, key_present=False),
]


class Pools(RuleBasedStateMachine):
    """The model keeps, for each order, its asker and what that asker has heard."""

    def __init__(self) -> None:
        super().__init__()
        self.ctx = FakeContext("pool:openai")
        self.settings = SETTINGS[0]
        self.asker: dict[str, str] = {}
        self.answers: dict[str, int] = {}
        self.sent: dict[str, int] = {}
        self.wire: list[str] = []
        self.dead: set[str] = set()
        self.ended: list[str] = []
        self.seen_work = 0
        self.before_open: set[str] = set()
        self.begin()

    @initialize(settings=st.sampled_from(SETTINGS))
    def configure(self, settings: VendorSettings) -> None:
        self.settings = settings
        self.begin()

    def begin(self) -> None:
        self.pool = ProviderPool(self.ctx, self.settings)
        self.pool.started()

    def receive(self, message: PoolMessage) -> None:
        """One message and all that follows from it at once, a restart included."""
        crash = isinstance(message, DialectCrashed)
        try:
            self.pool.receive(message)
        except DialectFailure:
            assert crash
            self.ctx.timers.clear()
            self.hear()
            mailbox = [m for m in self.ctx.take(self.ctx.address) if isinstance(m, Complete)]
            self.begin()
            for order in mailbox:
                self.receive(order)
        self.hear()

    def hear(self) -> None:
        for work in self.ctx.started[self.seen_work :]:
            assert isinstance(work, CallVendor)
            assert work.timeout_s > 0
            assert len(self.wire) < self.settings.max_concurrency or work.id in self.wire
            self.wire.append(work.id)
        self.seen_work = len(self.ctx.started)
        for told in [m for asker in ASKERS for m in self.ctx.take(asker)]:
            if isinstance(told, CallSent):
                self.sent[told.ticket] = self.sent.get(told.ticket, 0) + 1
            else:
                assert isinstance(told, Completed | CallFailed)
                self.answers[told.ticket] += 1
                assert self.answers[told.ticket] == 1
                assert self.asker[told.ticket] not in self.dead

    @rule(
        asker=st.sampled_from(ASKERS),
        wanted=st.lists(
            st.tuples(st.floats(-1, 120), st.integers(1, 4000)), min_size=1, max_size=8
        ),
    )
    def order(self, asker: str, wanted: list[tuple[float, int]]) -> None:
        for left_s, tokens in wanted:
            ticket = f"t{len(self.asker)}"
            self.asker[ticket] = asker
            self.answers[ticket] = 0
            self.dead.discard(asker)
            deadline = self.ctx.time + left_s
            self.receive(
                Complete(asker, ticket, "gpt", "gpt", b"[]", tokens, deadline, announced=True)
            )

    @precondition(lambda self: len(self.asker) % 5 == 2)
    @rule(times=st.integers(1, 6))
    def trouble(self, times: int) -> None:
        """The vendor fails one call after another."""
        for _ in range(times):
            self.order("run:1", [(60.0, 1)])
            if self.wire:
                ticket = self.wire.pop()
                self.ended.append(ticket)
                self.receive(CallErrored(ticket, "transient", "detail"))

    def end(self, data: st.DataObject) -> str:
        """One of the calls on the wire leaves it."""
        ticket = data.draw(st.sampled_from(sorted(self.wire)))
        self.wire.remove(ticket)
        self.ended.append(ticket)
        return ticket

    @precondition(lambda self: self.wire)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        self.receive(CallAnswered(self.end(data), Answer("text", Usage())))

    @precondition(lambda self: self.wire)
    @rule(data=st.data(), kind=st.sampled_from(KINDS), pause=st.none() | st.floats(0, 30))
    def error(self, data: st.DataObject, kind: Any, pause: float | None) -> None:
        self.receive(CallErrored(self.end(data), kind, "detail", pause))

    @precondition(lambda self: self.wire)
    @rule(data=st.data())
    def crash(self, data: st.DataObject) -> None:
        """The runtime ends what the failed incarnation aborted; its results come late."""
        ticket = self.end(data)
        before = len(self.ctx.aborted)
        late, self.wire = self.wire, []
        self.receive(DialectCrashed(ticket, "boom"))
        if self.ctx.aborted[before:]:
            assert set(self.ctx.aborted[before:]) <= set(late)
        for gone in late:
            self.receive(CallErrored(gone, "cancelled", "aborted", written=True))

    @precondition(lambda self: self.asker)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        self.receive(CancelCall(data.draw(st.sampled_from(sorted(self.asker)))))

    @rule(asker=st.sampled_from(ASKERS))
    def asker_ends(self, asker: str) -> None:
        if asker in self.ctx.monitored:
            self.ctx.monitored.discard(asker)
            self.dead.add(asker)
            for ticket, whose in self.asker.items():
                if whose == asker and not self.answers[ticket]:
                    self.answers[ticket] = 1  # nobody is left to hear it
            self.receive(Down(asker, "killed"))

    @precondition(lambda self: self.ended)
    @rule(data=st.data())
    def late_result(self, data: st.DataObject) -> None:
        ticket = data.draw(st.sampled_from(self.ended))
        if ticket not in self.wire:
            self.receive(CallErrored(ticket, "timeout", "twice told"))

    @precondition(lambda self: len(self.asker) % 5 == 1)
    @rule(settings=st.sampled_from(SETTINGS))
    def reconfigure(self, settings: VendorSettings) -> None:
        if len(self.wire) <= settings.max_concurrency:
            self.settings = settings
            self.receive(ReconfigurePool(settings))

    @rule(seconds=st.floats(0, 40))
    def wait(self, seconds: float) -> None:
        for tick in self.ctx.advance(seconds):
            assert isinstance(tick, PoolMessage)
            self.receive(tick)

    @rule()
    def router_restarts(self) -> None:
        if "router" in self.ctx.monitored:
            self.ctx.monitored.discard("router")
            self.receive(Down("router", "crash"))

    @invariant()
    def the_pool_counts_what_is_on_the_wire(self) -> None:
        shown = repr(self.pool)
        waiting = int(shown.split(", ")[1].split(" ")[0])
        assert f" {len(self.wire)}/{self.settings.max_concurrency} leased" in shown
        assert waiting <= 5
        unanswered = [t for t, n in self.answers.items() if not n]
        sent = [t for t in unanswered if t in self.wire]
        assert len(unanswered) == len(sent) + waiting

    @invariant()
    def one_timer_is_enough(self) -> None:
        assert len(self.ctx.timers) <= 1
        assert all(at > self.ctx.time for at, _ in self.ctx.timers.values())

    @invariant()
    def only_those_who_are_owed_an_answer_are_monitored(self) -> None:
        owed = {self.asker[t] for t, n in self.answers.items() if not n}
        assert owed <= self.ctx.monitored

    @invariant()
    def one_probe_at_a_time(self) -> None:
        if "breaker probing" in repr(self.pool) or "breaker half-open" in repr(self.pool):
            assert len([t for t in self.wire if t not in self.before_open]) <= 1
        else:
            self.before_open = set(self.wire)

    @invariant()
    def nothing_is_sent_twice(self) -> None:
        assert all(count == 1 for count in self.sent.values())

    def teardown(self) -> None:
        """Time passes and every call ends: nobody is left unanswered, no lease is out."""
        while self.wire:
            ticket = self.wire.pop()
            self.receive(CallErrored(ticket, "cancelled", "the end"))
        for _ in range(200):
            self.wait(1.0)
            while self.wire:
                self.receive(CallAnswered(self.wire.pop(), Answer("text", Usage())))
        assert all(count == 1 for count in self.answers.values())
        assert " 0/" in repr(self.pool)
        assert "0 waiting" in repr(self.pool)
        assert self.ctx.monitored <= {"router"}
        told = [m for m in self.ctx.take("router") if isinstance(m, HealthChanged)]
        assert told, "the Router hears of every pool"
        assert not self.ctx.timers


TestPools = Pools.TestCase
TestPools.settings = settings(max_examples=120, stateful_step_count=40)
