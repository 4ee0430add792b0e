"""Critiques: another model says what is wrong with an answer.

The critic is asked for findings by severity; one that answers in prose is taken at its word.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec
from msgspec import Struct

from actors.domain import prompts
from actors.domain.text import json_in, visible
from actors.protocol import Order
from actors.strategies.answering import refused
from actors.strategies.plan import (
    Answered,
    Call,
    Choose,
    Outcome,
    Plan,
    ask,
    choose,
)

CRITIC_TOKENS = 4096


_FENCE = re.compile(r"^```[\w-]*\s*|\s*```$")


class Finding(Struct):
    severity: Literal["blocking", "major", "minor"]
    claim: str
    evidence: str = ""
    fix: str = ""


class Critique(Struct):
    findings: list[Finding]
    summary: str = ""


def critics(order: Order, messages: bytes, author: Answered | None = None) -> Choose:
    """Who may criticise `author`?  Another model, of another family where there is one."""
    return Choose(
        "critique",
        "adversarial",
        messages,
        order.review_min_weight,
        (order.review,) if order.review else (),
        avoid=(author.model.id,) if author else (),
        avoid_families=(author.model.family,) if author else (),
        max_tokens=CRITIC_TOKENS,
    )


def criticise(order: Order, answered: Answered, earlier: str | None = None) -> Plan[Outcome]:
    """A critique of an answer, or of what is left of an `earlier` one."""
    messages = prompts.critique(order.messages, answered.text, order.schema, earlier)
    chosen = yield from choose(critics(order, messages, answered))
    if not chosen.ranked:
        return refused(chosen)
    (outcome,) = yield from ask(Call("critique", messages, chosen.ranked, CRITIC_TOKENS, 0.0))
    return outcome


def is_settled(critic: Answered) -> bool:
    """Whether nothing blocking or major remains, in form and beside nothing else: prose may say
    anything.
    """
    text = _FENCE.sub("", visible(critic.text).strip())
    try:
        critique = msgspec.json.decode(text, type=Critique)
    except (msgspec.MsgspecError, UnicodeEncodeError):
        return False
    return all(finding.severity == "minor" for finding in critique.findings)


def as_text(reply: str) -> str:
    """What a critic said, its findings as paragraphs where it gave any in form."""
    try:
        critique = msgspec.json.decode(json_in(reply) or "", type=Critique)
    except msgspec.MsgspecError:
        return visible(reply)
    paragraphs = [*map(_paragraph, critique.findings), critique.summary]
    return "\n\n".join(filter(None, paragraphs)) or "No findings."


def _paragraph(finding: Finding) -> str:
    details = (("Evidence", finding.evidence), ("Fix", finding.fix))
    lines = [f"{name}: {text}" for name, text in details if text]
    return "\n".join([f"[{finding.severity}] {finding.claim}", *lines])
