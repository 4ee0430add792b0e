"""What a run asks besides its calls, and which answers it still waits for."""

from __future__ import annotations

from actors.addresses import JUDGE, ROUTER
from actors.base import Address, Command, Context
from actors.dispatch import handles
from actors.domain.pricing import DEFAULT_MAX_TOKENS, LEAST_TOKENS, input_bound, input_estimate
from actors.domain.schema import is_heavy, problems
from actors.protocol import (
    Ballot,
    BuildBallot,
    Order,
    ReadVerdict,
    SelectModels,
    Validate,
    Validated,
)
from actors.strategies.actions import AskJudge, AskRouter, AskValidator
from actors.strategies.plan import Choose
from actors.tally import Tally


def selection(
    order: Order, wanted: Choose, spent_nano: int, *, reply_to: Address, ticket: str
) -> SelectModels:
    """What the Router is asked where a plan wants to choose; `spent_nano` of the run's budget is
    gone.
    """
    also = None
    if wanted.also is not None:
        also = selection(order, wanted.also, spent_nano, reply_to=reply_to, ticket=ticket)
    most = DEFAULT_MAX_TOKENS if wanted.max_tokens is None else wanted.max_tokens
    return SelectModels(
        reply_to,
        ticket,
        wanted.role,
        wanted.profile,
        wanted.min_weight,
        wanted.named,
        wanted.exclude,
        wanted.avoid,
        wanted.avoid_families,
        max(input_estimate(wanted.messages), order.input_tokens),
        input_bound(wanted.messages),
        most,
        most if wanted.schema else min(most, LEAST_TOKENS),
        order.limited,
        None if order.limit_nano is None else order.limit_nano - spent_nano,
        also,
    )


class Questions:
    """A question's ticket is `q` and the key under which the plan waits for its answer."""

    def __init__(self, ctx: Context, order: Order, tally: Tally) -> None:
        self._ctx = ctx
        self._order = order
        self._tally = tally
        self._open: dict[str, Address] = {}

    @handles
    def choose(self, asked: AskRouter) -> None:
        me, ticket = self._ctx.address, f"q{asked.key}"
        spent_nano = self._tally.spent_nano
        question = selection(self._order, asked.choose, spent_nano, reply_to=me, ticket=ticket)
        self._ask(ROUTER, question)

    @handles
    def consult(self, asked: AskJudge) -> None:
        me, ticket, about = self._ctx.address, f"q{asked.key}", asked.about
        if isinstance(about, Ballot):
            self._ask(JUDGE, BuildBallot(me, ticket, about))
        else:
            self._ask(JUDGE, ReadVerdict(me, ticket, about))

    @handles
    def check(self, asked: AskValidator) -> None:
        """Has it validated: here, or elsewhere when that may take long."""
        me, ticket, wanted = self._ctx.address, f"q{asked.key}", asked.check
        self._open[ticket] = me
        if is_heavy(wanted.schema, wanted.instance):
            self._ctx.start(Validate(ticket, wanted.schema, wanted.instance))
        else:
            found = problems(wanted.schema, wanted.instance)
            self._ctx.tell(me, Validated(ticket, found))

    def answered(self, ticket: str) -> int | None:
        """The key of the question that this answers; None when nobody waits for it."""
        return None if self._open.pop(ticket, None) is None else int(ticket[1:])

    def waits_for(self, address: Address) -> bool:
        return address in self._open.values()

    def clear(self) -> None:
        """No answer is waited for any more."""
        self._open.clear()

    def _ask(self, whom: Address, question: Command) -> None:
        self._open[question.ticket] = whom
        self._ctx.monitor(whom)
        self._ctx.tell(whom, question)
