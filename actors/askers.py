"""Whom an actor owes answers, so that it learns when one of them ends."""

from __future__ import annotations

from actors.base import Address, Context


class Askers:
    """Monitors each asker from the first answer it is owed to the last it was given."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._owed: dict[Address, int] = {}

    def __contains__(self, asker: Address) -> bool:
        return asker in self._owed

    def owe(self, asker: Address) -> None:
        """One more answer is owed."""
        owed = self._owed.get(asker, 0)
        if not owed:
            self._ctx.monitor(asker)
        self._owed[asker] = owed + 1

    def given(self, asker: Address) -> None:
        """One of them was given.  Raises: KeyError, if none was owed."""
        owed = self._owed[asker] = self._owed[asker] - 1
        if not owed:
            del self._owed[asker]
            self._ctx.demonitor(asker)

    def ended(self, asker: Address) -> bool:
        """It is gone, and owed nothing any more; whether it was owed anything."""
        return self._owed.pop(asker, 0) > 0
