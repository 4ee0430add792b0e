"""A run's attempts in the making: what the ledger is asked for each, and what its pool is told."""

from __future__ import annotations

from actors.attempt import Attempt, Stage, Wanted
from actors.base import Context
from actors.domain.admission import Quote, max_tokens
from actors.domain.pricing import input_estimate
from actors.protocol import Begin, Candidate, Complete, Reserve, Reserved
from actors.strategies.plan import Call


class Ordering:
    """Of one run.  One that is carried on has `begun` as much earlier as it had lasted before."""

    def __init__(self, ctx: Context, begin: Begin, deadline: float) -> None:
        self._ctx = ctx
        self._run = begin.order.run
        self._hedge = begin.order.hedge
        self._deadline = deadline
        self._count = begin.attempts
        before_ms = max((r.started_ms + r.latency_ms for r in begin.records), default=0.0)
        self.begun = ctx.now() - before_ms / 1000

    def attempt(
        self,
        wanted: Wanted,
        call: Call,
        candidate: Candidate,
        quoted: Quote,
        *,
        hedges: bool = False,
    ) -> Attempt:
        """The next one, at a call that is `wanted`; nothing is asked for it yet."""
        self._count += 1
        wanted.attempts += 1
        clamped = wanted.cap is not None and quoted.max_tokens < max_tokens(call, candidate.model)
        number = wanted.attempts
        id = f"{self._run}.{self._count}"
        return Attempt(id, call, candidate, quoted, number, wanted, clamped, hedges=hedges)

    def reservation(self, attempt: Attempt) -> Reserve:
        """What the ledger is asked for; one that hedges is made whole or not at all."""
        quoted, model = attempt.quoted, attempt.model
        return Reserve(
            self._ctx.address,
            attempt.id,
            self._run,
            quoted.fixed_nano,
            quoted.output_price,
            quoted.max_tokens,
            quoted.max_tokens if attempt.hedges else quoted.least_tokens,
            self._deadline,
            attempt.call.role,
            model.id,
            model.provider,
        )

    def order(self, attempt: Attempt, granted: Reserved) -> Complete:
        """What its pool is told to do, now that there is money for it."""
        attempt.stage = Stage.ORDERED
        attempt.started_ms = (self._ctx.now() - self.begun) * 1000
        attempt.held_nano = granted.held_nano
        attempt.clamped = attempt.clamped or granted.clamped
        call, model = attempt.call, attempt.model
        return Complete(
            self._ctx.address,
            attempt.id,
            model.id,
            model.upstream,
            call.messages,
            granted.max_tokens,
            self._deadline,
            input_estimate(call.messages, call.schema),
            call.parameters,
            call.temperature,
            call.seed,
            call.schema,
            call.final,
            self._hedge or self._ctx.is_watched(),
        )
