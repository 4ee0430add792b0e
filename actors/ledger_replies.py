"""What the ledger says to whoever asks for money: yes, how much; or no, and for which limit."""

from __future__ import annotations

from typing import Literal, TypeAlias, cast

from actors.domain.accounts import Hold, RunAccounts, Short
from actors.protocol import Admitted, Refused, Reserved

_Owner: TypeAlias = Literal["run", "key", "installation", "storage"]

UNBOOKED = Short(0, (), None)
"""No account is short: the books cannot be written, or hold nothing for whoever asks."""


def granted(held: RunAccounts | Hold) -> Admitted | Reserved:
    if isinstance(held, RunAccounts):
        return Admitted(held.id, held.pot)
    return Reserved(held.asked.ticket, held.amount, held.max_tokens, held.clamped)


def refusal(ticket: str, short: Short) -> Refused:
    """For the account that is short for good or, failing that, the first one."""
    balance = short.final or next(iter(short.balances), None)
    if balance is None:
        return Refused(ticket, "storage", 0, 0, 0, short.needed)
    owner = cast(_Owner, balance.owner.partition(":")[0])
    figures = (balance.limit or 0, balance.spent, balance.held, short.needed)
    return Refused(ticket, owner, *figures)
