"""The modes, one file each, and the words they are written in.

A *strategy* is a function from an order to a *plan*: a plain generator that says what should
happen next and is sent what came of it.  It waits for nothing, calls nobody, reads no clock and
draws no random number.  So a mode reads from top to bottom like its description, is tested with
values in and values out, and can be carried out again from a journal of the answers it was sent.

To read in this order:

- `planning`, `refine`, `adversarial`, `vote`, `fuse`: the modes.  Each has a `VERSION`, raised
  whenever the same answers would lead it elsewhere.
- `answering`, `criticism`, `panel`, `voters`, `judging`: what the modes share, as plans of their
  own, used with `yield from`.
- `plan`: the three things a plan may yield; `enough`: the rules by which a round closes.
- `run`, `rounds`, `actions`: how a plan is carried out, purely; the Orchestrator performs what it
  says.

A new mode is a file with one such function, a line in :data:`STRATEGIES` and one in
:data:`VERSIONS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from actors.protocol import Mode, Order
from actors.strategies import adversarial, fuse, planning, refine, vote
from actors.strategies.plan import Plan, Result

STRATEGIES: Mapping[Mode, Callable[[Order], Plan[Result]]] = {
    "planning": planning.planning,
    "adversarial": adversarial.adversarial,
    "vote": vote.vote,
    "refine": refine.refine,
    "fuse": fuse.fuse,
}

VERSIONS: Mapping[Mode, str] = {
    "planning": planning.VERSION,
    "adversarial": adversarial.VERSION,
    "vote": vote.VERSION,
    "refine": refine.VERSION,
    "fuse": fuse.VERSION,
}
