"""What the ledger says to whoever asks for money: yes, how much; or no, and for which limit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias, cast

from actors.domain.accounts import Hold, RunAccounts, Short
from actors.protocol import Admitted, Refused, Reserved

_Owner: TypeAlias = Literal["run", "key", "installation", "storage"]

UNBOOKED = Short(0, (), None)
"""No account is short: the books cannot be written, or hold nothing for whoever asks."""


def admitted(run: RunAccounts, first: Iterable[Hold]) -> Admitted:
    """`first` are its first calls, as far as they are held."""
    calls = tuple(map(reserved, first))
    return Admitted(run.id, run.pot + sum(call.held_nano for call in calls), calls)


def reserved(hold: Hold) -> Reserved:
    return Reserved(hold.asked.ticket, hold.amount, hold.max_tokens, hold.clamped)


def refusal(ticket: str, short: Short) -> Refused:
    """For the account that is short for good or, failing that, the first one."""
    balance = short.final or next(iter(short.balances), None)
    if balance is None:
        return Refused(ticket, "storage", 0, 0, 0, short.needed)
    owner = cast(_Owner, balance.owner.partition(":")[0])
    figures = (balance.limit or 0, balance.spent, balance.held, short.needed)
    return Refused(ticket, owner, *figures)
