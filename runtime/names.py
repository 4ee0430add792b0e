"""The names by which clients ask for a run again: each key's own, for a day."""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Literal, TypeAlias

from msgspec import Struct

from actors.errors import BadRequest, Conflict
from runtime.frontends.wire.equality import differ_in_policy_alone
from runtime.runs import RunView

Repeat: TypeAlias = Literal["replay", "carry on", "begin"]

KEPT_S = 86_400.0
MOST_NAMES = 100_000
_NAME = re.compile(r"[!-~]{1,200}")


def check_name(name: str) -> str:
    """A name that may be used; raises BadRequest."""
    if not _NAME.fullmatch(name):
        raise BadRequest("Idempotency-Key must be 1 to 200 visible ASCII characters")
    return name


class Named(Struct, frozen=True):
    """Which run a name stands for, since when, and the fingerprint of what it was asked for."""

    fingerprint: bytes
    run: str
    at: float

    def comes_to(self, fingerprint: bytes, view: RunView | None) -> Repeat:
        """What is done about a request of this name, when the run that it had is not under way.

        Its answer is given again.  If it failed it is carried on, at other terms too.  If its
        answer is kept no more it begins anew.  Raises :class:`Conflict` for another request.
        """
        status = "forgotten" if view is None else view.status
        if self.fingerprint != fingerprint and not (
            status in ("failed", "cancelled")
            and differ_in_policy_alone(self.fingerprint, fingerprint)
        ):
            raise Conflict("idempotency key used with another request")
        if status in ("failed", "cancelled", "running"):
            return "carry on"
        return "begin" if view is None or view.result is None else "replay"


class Names:
    """What is known by name; beyond a bound the oldest is forgotten."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._known: OrderedDict[tuple[str, str], Named] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Names {len(self._known)}>"

    def load(self, rows: Iterable[tuple[str, str, bytes, str, float]]) -> None:
        """Takes over what the journal has, oldest first."""
        for owner, name, fingerprint, run, at in rows:
            self._known[owner, name] = Named(fingerprint, run, at)
        self._forget()

    def find(self, owner: str | None, name: str) -> Named | None:
        self._forget()
        return self._known.get((owner or "", name))

    def give(self, owner: str | None, name: str, fingerprint: bytes, run: str) -> None:
        self._known.pop((owner or "", name), None)
        self._known[owner or "", name] = Named(fingerprint, run, self._clock())
        self._forget()

    @property
    def since(self) -> float:
        """What was named before then is forgotten."""
        return self._clock() - KEPT_S

    def _forget(self) -> None:
        while self._known:
            oldest = next(iter(self._known))
            if self._known[oldest].at >= self.since and len(self._known) <= MOST_NAMES:
                return
            del self._known[oldest]
