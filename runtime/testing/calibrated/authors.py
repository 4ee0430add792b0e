"""How a mind writes: as often right as it is made to be, in a manner of its own.

Authors may be right and wrong together: for a share of the items they draw from a common lot.  The
correlation of two authors that are right equally often is then `correlation`.
"""

from __future__ import annotations

import re
from math import sqrt

from msgspec import Struct

from runtime.testing.calibrated.attacks import Attack, with_attack
from runtime.testing.calibrated.items import (
    POINTS,
    VALUES,
    Form,
    draws,
    needed_points,
    plan_of,
    points_in,
    true_value,
)

_MISSING = re.compile(r"Point (\d+) is (?:missing|not needed)")


class Author(Struct, frozen=True):
    """`right` is the share of questions answered well, and of needed points that a plan has;
    `correlation` of being right with other authors; `mistakes` how many wrong values there are to
    fall for.  An improvement `mends` that share of what is lacking (all that a reviewer names) and
    `spoils` that share of what was good.  `manner` is how its texts begin, `sentences` how long it
    explains, `formatted` that it does so in headings and lists.
    """

    right: float = 0.7
    correlation: float = 0.0
    mistakes: int = 3
    mends: float = 0.5
    spoils: float = 0.0
    manner: str = ""
    sentences: int = 2
    formatted: bool = False
    attack: Attack | None = None


def answer(author: Author, seed: int, name: str, number: int, form: Form, again: object) -> str:
    """What `name` answers; `again` tells repeated answers of one model apart."""
    if form == "plan":
        return plan_of(_first_points(author, seed, name, number, again))
    value = _value(author, seed, name, number, again)
    if form == "terse":
        return value
    return with_attack(_explained(author, value), author.attack)


def improved(author: Author, seed: int, name: str, number: int, plan: str, review: str) -> str:
    """The plan, or answer, written anew by its author's judgement and what a review names."""
    draw = draws("improves", seed, name, number, plan, review)
    needed, has = needed_points(seed, number), points_in(plan)
    named = frozenset(map(int, _MISSING.findall(review)))
    wrong = has ^ needed
    mended = {point for point in sorted(wrong) if point in named or draw.random() < author.mends}
    spoilt = {p for p in POINTS if p not in wrong and draw.random() < author.spoils}
    return plan_of((has ^ mended) ^ spoilt)


def _value(author: Author, seed: int, name: str, number: int, again: object) -> str:
    common, own = draws("common", seed, number), draws("own", seed, name, number, again)
    draw = common if own.random() < sqrt(author.correlation) else own
    right = true_value(seed, number)
    if draw.random() < author.right:
        return right
    wrong = [value for value in VALUES if value != right]
    return draws("mistakes", seed, number).sample(wrong, author.mistakes)[
        int(draw.random() * author.mistakes)
    ]


def _first_points(
    author: Author, seed: int, name: str, number: int, again: object
) -> frozenset[int]:
    draw = draws("plans", seed, name, number, again)
    needed = needed_points(seed, number)
    return frozenset(p for p in POINTS if (draw.random() < author.right) == (p in needed))


def _explained(author: Author, value: str) -> str:
    said = [f"Reason {number} speaks for it." for number in range(1, author.sentences + 1)]
    body = "\n".join(["## Reasons", *(f"- {one}" for one in said)] if author.formatted else said)
    return "\n\n".join(filter(None, [author.manner, body, f"Answer: {value}"]))
