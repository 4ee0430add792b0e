"""What calls are imagined to come to: what they say, use, cost and take.

Three guesses at one run, in none of which a call fails:

- `least`: answers are one line and agree, critics find nothing, verdicts are clear.
- `expected`: answers are of ordinary length and differ, critics find something.
- `most`: answers are as long as they may be; whatever must have a form is repaired once, verdicts
  are ties, and each call costs what would be reserved for it at its dearest candidate.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from actors.domain.admission import max_tokens, quote
from actors.domain.model import Model
from actors.domain.pricing import BYTES_PER_TOKEN, cost_nano, input_estimate
from actors.domain.scoring import TYPICAL_OUTPUT, expected_usage, price_of
from actors.protocol import Candidate, Role
from actors.strategies.plan import Answered, Call

Guess: TypeAlias = Literal["least", "expected", "most"]
GUESSES: tuple[Guess, ...] = ("least", "expected", "most")

ONE_LINE_TOKENS = 16
"""Of an answer short enough to be compared as it stands."""

MOST_TEXT = 2**21
"""Bytes of an answer that are imagined; what is longer fits no model's context."""

FIRST_TOKEN_MS, TOKEN_MS = 500.0, 10.0
"""How long a model takes of which no call was seen yet."""

_FILLER = "one word after another "


def output_tokens(call: Call, model: Model, guess: Guess) -> int:
    """How much a model says."""
    most = max_tokens(call, model)
    match guess:
        case "least":
            return min(most, ONE_LINE_TOKENS)
        case "expected":
            return min(most, TYPICAL_OUTPUT)
        case "most":
            return most


def cost(call: Call, guess: Guess, input_tokens: int = 0) -> int | None:
    """What it costs, in nano-USD; None where a price that matters is unknown.

    `input_tokens` is what the request itself estimates its conversation to be.
    """
    if guess == "most":
        return _dearest(call)
    model = call.candidates[0].model
    if (price := price_of(model)) is None:
        return None
    sent = max(input_estimate(call.messages, call.schema), input_tokens)
    return cost_nano(expected_usage(sent, output_tokens(call, model, guess)), price)


def _dearest(call: Call) -> int | None:
    elsewhere = call.elsewhere.candidates if call.elsewhere else ()
    models = [candidate.model for candidate in (*call.candidates, *elsewhere)]
    if any(price_of(model) is None for model in models):
        return None
    return max(quote(call, model).most_nano for model in models)


def latency_ms(candidate: Candidate, call: Call, guess: Guess) -> float:
    """How long the answer takes: the model's mean so far, for an answer of this length."""
    usual = _usual_ms(output_tokens(call, candidate.model, "expected"))
    this = _usual_ms(output_tokens(call, candidate.model, guess))
    known = usual if candidate.expected_ms is None else candidate.expected_ms
    return known * this / usual


def _usual_ms(tokens: int) -> float:
    return FIRST_TOKEN_MS + TOKEN_MS * tokens


def answered(call: Call, key: int, guess: Guess) -> Answered:
    """What comes of a call; those of different keys differ, but for the least."""
    first = call.candidates[0]
    tokens = output_tokens(call, first.model, guess)
    words = _words(0 if guess == "least" else key, tokens)
    needs_repair = guess == "most" and call.schema is not None and call.role != "repair"
    return Answered(
        _text(call.role, call.schema, words, guess),
        first.model,
        problems=("it does not meet the schema",) if needs_repair else (),
        explicit=first.explicit,
        usage=expected_usage(input_estimate(call.messages, call.schema), tokens),
    )


def _words(key: int, tokens: int) -> str:
    size = min(tokens * BYTES_PER_TOKEN, MOST_TEXT)
    return (f"{key} " + _FILLER * (size // len(_FILLER) + 1))[:size]


def _text(role: Role, schema: bytes | None, words: str, guess: Guess) -> str:
    if role == "critique":
        finding = {"severity": "blocking", "claim": words, "evidence": "", "fix": ""}
        return _json({"findings": [] if guess == "least" else [finding], "summary": ""})
    return words if schema is None else _json(_formed(schema, words))


def _formed(schema: bytes, words: str) -> Any:
    """An object with the schema's fields; what is in them matters to nobody here."""
    names = list(msgspec.json.decode(schema).get("properties") or {"value": {}})
    share = max(1, len(words) // len(names))
    return dict.fromkeys(names, words[:share])


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
