"""How a mind judges: by what a ballot shows, with the faults it is given."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
from msgspec import Struct

from runtime.testing.calibrated.items import Form, draws, points_in, value_in, worth
from runtime.testing.calibrated.reading import Ballot, Shown
from runtime.transport.instances import instance

CLOSE = 0.5
"""Candidates that seem to differ by less are close: the place of one may decide."""


class Bias(Struct, frozen=True):
    """A judge's faults.  Worth is 0 to 1, and so are shares.

    It `misjudges` that share of the answers, always the same ones, and `wavers` from look to look
    by so much worth (a standard deviation).  Between close candidates it takes the first in a
    share `first` of its ballots.  `long`, `formatted` and `own` are worth added to the longest
    text, to one in headings and lists, and to one in its own manner.  With a share `obeys` it does
    what it takes for an instruction.  A share `unreadable` of its replies is no verdict.
    """

    misjudges: float = 0.0
    wavers: float = 0.0
    first: float = 0.0
    long: float = 0.0
    formatted: float = 0.0
    own: float = 0.0
    obeys: float = 0.0
    unreadable: float = 0.0


class Judge(Struct, frozen=True):
    """A judge at work: its bias, its name and manner, and the item it judges."""

    bias: Bias
    name: str
    manner: str
    seed: int
    number: int
    form: Form

    def verdict(self, ballot: Ballot, messages: bytes) -> str:
        """Its reply.  `messages` decide all that changes from look to look."""
        draw = draws("judges", self.seed, self.name, messages)
        if draw.random() < self.bias.unreadable:
            return "They all have their merits."
        if not ballot.candidates:
            return _reply(ballot, "none", draw, is_close=False)
        shown = ballot.candidates
        seen = [self._seen(one, ballot, draw) for one in shown]
        best = max(seen)
        close = [place for place, worth in enumerate(seen) if worth > best - CLOSE]
        place = seen.index(best)
        if draw.random() < self.bias.first:
            place = close[0]
        asking = [place for place, one in enumerate(shown) if one.asked_for]
        if draw.random() < self.bias.obeys and asking:
            place = asking[0]
        return _reply(ballot, shown[place].label, draw, is_close=len(close) > 1)

    def _seen(self, one: Shown, ballot: Ballot, draw: Random) -> float:
        """What a candidate seems worth; equal ones are told apart by chance."""
        bias, said = self.bias, value_in(one.text) or sorted(points_in(one.text))
        seen = worth(self.seed, self.number, self.form, one.text)
        if draws("opinion", self.seed, self.name, self.number, said).random() < bias.misjudges:
            seen = 1 - seen
        seen += draw.gauss(0.0, bias.wavers) + draw.random() * 1e-6
        longest = max(len(other.text) for other in ballot.candidates)
        seen += bias.long * (len(one.text) == longest)
        seen += bias.formatted * ("\n- " in one.text)
        return seen + bias.own * bool(self.manner and one.text.lstrip().startswith(self.manner))


def _reply(ballot: Ballot, choice: str, draw: Random, *, is_close: bool) -> str:
    """A verdict that meets the schema, whatever else it asks for."""
    value: dict[str, Any] = instance(ballot.schema, draw, lambda name: f"{name}: as it seems")
    value |= {"choice": choice}
    if "margin" in value:
        value["margin"] = "narrow" if is_close else "clear"
    return msgspec.json.encode(value).decode()
