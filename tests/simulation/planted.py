"""Bugs to plant: each a small patch that breaks one rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from actors import orchestrator, tally
from actors.calls import Calls
from actors.commits import Commits
from actors.cost_ledger import CostLedger
from actors.domain import accounts, entries
from actors.domain.accounts import Books
from actors.domain.balance import Balance
from actors.domain.model import Price, Usage
from actors.domain.pricing import cost_nano
from actors.orchestrator import Orchestrator
from actors.protocol import EndRun, Record, RunEnded, Settle, Step
from actors.strategies.journal import carry_on
from runtime.kernel.cell import Cell

Patch = pytest.MonkeyPatch


def settle_twice(patch: Patch) -> None:
    """A settlement is written a second time."""
    settle = CostLedger._settle

    def twice(self: CostLedger, message: Settle) -> None:
        hold = self._books.holds.get(message.call.attempt_id)
        settle(self, message)
        if hold is not None:
            self._commits.write(entries.settled(hold, message.call, "", self.ctx.wall()))

    patch.setattr(CostLedger, "_settle", twice)


def forget_a_release(patch: Patch) -> None:
    """What was reserved and not sent stays held."""
    patch.setattr(Books, "release", Books._take)


def check_then_act(patch: Patch) -> None:
    """Whether it fits is asked of what is spent; what others hold is overlooked."""
    patch.setattr(Balance, "room", Balance.unspent)


def hold_a_guess(patch: Patch) -> None:
    """Half of the worst case is held, for it hardly ever comes to that."""
    cost = accounts._cost
    patch.setattr(accounts, "_cost", lambda *given: cost(*given) // 2)


def forget_the_pot(patch: Patch) -> None:
    """A run ends, and what was held for its first calls stays held."""
    end = Books.end

    def without_pot(self: Books, run: Any) -> Any:
        run.pot = 0
        return end(self, run)

    patch.setattr(Books, "end", without_pot)


def lose_messages_on_restart(patch: Patch) -> None:
    """An actor that begins anew has an empty mailbox."""
    abandon = Cell._abandon

    def and_forget(self: Cell) -> None:
        abandon(self)
        self.mailbox.user = None

    patch.setattr(Cell, "_abandon", and_forget)


def reserve_before_the_lease(patch: Patch) -> None:
    """A call is sent before anything durable covers it."""
    patch.setattr(Balance, "is_covered", True)


def answer_before_the_commit(patch: Patch) -> None:
    """A run is answered before its end is durable."""
    answer_after = Commits.answer_after

    def at_once(self: Commits, command: Any) -> None:
        if isinstance(command, EndRun):
            self._ctx.reply(command, RunEnded(command.ticket))
        else:
            answer_after(self, command)

    patch.setattr(Commits, "answer_after", at_once)


def charge_cached_tokens_twice(patch: Patch) -> None:
    """As input too, as if the vendor's total did not contain them."""

    def twice(usage: Usage, price: Price) -> int:
        return cost_nano(usage + Usage(input=usage.cache_read), price)

    patch.setattr(tally, "cost_nano", twice)


def ignore_a_crashed_run(patch: Patch) -> None:
    """The ledger does not care that an orchestrator has ended."""
    patch.setattr(CostLedger, "_down", lambda self, down: None)


def drop_a_cancel(patch: Patch) -> None:
    """A client that wants no more is not listened to."""
    patch.setattr(Orchestrator, "_cancel", lambda self, cancel: None)


def buy_again(patch: Patch) -> None:
    """A run that is carried on begins at the beginning."""
    patch.setattr(orchestrator, "carry_on", lambda run, steps: carry_on(run, ()))


def journal_beside_the_money(patch: Patch) -> None:
    """An outcome is recorded by a message of its own, after its settlement."""
    settle = Calls._settle

    def apart(
        self: Calls, attempt: Any, record: Any, text: str = "", steps: tuple[Step, ...] = ()
    ) -> None:
        settle(self, attempt, record, text)
        if steps:
            self._ctx.tell("ledger", Record(self._order.run, steps))

    patch.setattr(Calls, "_settle", apart)


def write_behind_a_lost_commit(patch: Patch) -> None:
    """A ledger that ends with storage sends what is left, whatever became of the rest."""
    flush_all = Commits.flush_all
    patch.setattr(Commits, "flush_all", lambda self, orderly: flush_all(self, orderly=True))


BUGS: dict[str, Callable[[Patch], None]] = {
    bug.__name__: bug
    for bug in (
        settle_twice,
        forget_a_release,
        check_then_act,
        hold_a_guess,
        forget_the_pot,
        lose_messages_on_restart,
        reserve_before_the_lease,
        answer_before_the_commit,
        charge_cached_tokens_twice,
        ignore_a_crashed_run,
        drop_a_cancel,
        buy_again,
        journal_beside_the_money,
        write_behind_a_lost_commit,
    )
}
