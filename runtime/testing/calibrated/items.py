"""What is asked in a calibrated world, what is true of it, and how much of that a text says.

A question has one right value among ten.  A task needs some of twelve points; a plan is the better
the more of them it has, and the worse for each that it does not need.  The truth is a function of
the world's seed and the item's number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import blake2b
from random import Random
from typing import Literal, TypeAlias

import msgspec

Form: TypeAlias = Literal["explained", "terse", "plan"]
"""An explained answer, the value alone, or a plan."""

VALUES = tuple(str(value) for value in range(10, 20))
POINTS = tuple(range(1, 13))
NEEDED = 8
SCHEMA = (
    b'{"type":"object","properties":{"value":{"type":"string"}},"required":["value"],'
    b'"additionalProperties":false}'
)
"""The form of an answer to a question, for whoever wants it in form."""

_ASKED = {
    "explained": "Question {number}: which value is right? Explain, then answer.",
    "terse": "Question {number}: which value is right? Answer with the value alone.",
    "plan": "Task {number}: write a plan that has the points it needs.",
}
_NUMBER = re.compile(r"(Question|Task) (\d+): ")
_ANSWER = re.compile(r"^Answer: (\w+)$", re.MULTILINE)
_IN_FORM = re.compile(r'^\{"value":"(\w+)"\}$', re.MULTILINE)
_HAS = re.compile(r"^- Point (\d+) is done\.$", re.MULTILINE)


def draws(*parts: object) -> Random:
    """Draws that depend on these parts alone."""
    digest = blake2b(repr(parts).encode(), digest_size=8).digest()
    return Random(int.from_bytes(digest))


def question(number: int, form: Form = "explained") -> bytes:
    """The conversation in which an item is asked, as JSON."""
    asked = _ASKED[form].format(number=number)
    return msgspec.json.encode([{"role": "user", "content": asked}])


def asked_in(text: str) -> tuple[int, Form] | None:
    """Which item a prompt is about, and in which form: the first that it names."""
    found = _NUMBER.search(text)
    if found is None:
        return None
    if found[1] == "Task":
        return int(found[2]), "plan"
    return int(found[2]), "terse" if "the value alone" in text else "explained"


def true_value(seed: int, number: int) -> str:
    return draws("value", seed, number).choice(VALUES)


def needed_points(seed: int, number: int) -> frozenset[int]:
    return frozenset(draws("points", seed, number).sample(POINTS, NEEDED))


def value_in(text: str) -> str:
    """The value that a text answers; empty where it answers none."""
    found = _ANSWER.findall(text) or _IN_FORM.findall(text)
    if found:
        return str(found[-1])
    return text.strip() if text.strip() in VALUES else ""


def in_form(text: str) -> str:
    """The answer in a text as :data:`SCHEMA` wants it."""
    return msgspec.json.encode({"value": value_in(text)}).decode()


def points_in(text: str) -> frozenset[int]:
    return frozenset(map(int, _HAS.findall(text)))


def plan_of(points: Iterable[int]) -> str:
    return "\n".join(["The plan:", *(f"- Point {point} is done." for point in sorted(points))])


def worth(seed: int, number: int, form: Form, text: str) -> float:
    """How good a text is, from 0 to 1."""
    if form != "plan":
        return float(value_in(text) == true_value(seed, number))
    needed, has = needed_points(seed, number), points_in(text)
    return max(0.0, (len(has & needed) - len(has - needed)) / NEEDED)
