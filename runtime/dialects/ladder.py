"""How a model is brought to answer with JSON that meets a schema, as well as it can:

native   by the vendor's own mode, in which the model can write nothing else
tool     by a tool that it must call: the arguments are the answer
words    by the instructions alone, which every such conversation has anyway

Which of them a call takes follows from its schema, and from what the vendor refused before: a model
that refuses a mode is asked without it from then on, and one that refuses a schema without it for
that schema.  It is known while the engine lives, and costs one refused request to find out again.
"""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

from msgspec import Raw, Struct

from actors.protocol import Complete
from runtime.dialects.errors import VendorError, kind_of
from runtime.dialects.forms import Form, as_tool, fitted
from runtime.dialects.parameters import says_unsupported

Rung: TypeAlias = Literal["native", "tool"]

TOOL = "answer"
TOOL_SAYS = "Takes the whole answer, in the form that was asked for."

MOST_SCHEMAS = 512
"""Refused schemas that are remembered, of all models together."""

_REFUSALS = (400, 404, 422)
_BREAKDOWNS = (500, 501)
_NAMED: dict[Rung, re.Pattern[str]] = {
    "native": re.compile(
        r"response_?format|json[_ ]?(schema|mode)|structured[_ ]output|output[_ ](config|format)"
        r"|response_?(json_?)?schema|response_?mime_?type|grammar",
        re.IGNORECASE,
    ),
    "tool": re.compile(
        r"\btools?\b|tool_?(choice|config)|function[ _-]?(call|declaration)|input_schema",
        re.IGNORECASE,
    ),
}
_OF_SCHEMA = re.compile(
    r"(invalid|unsupported) schema|schema\.|in context|propert(y|ies)\b|additionalProperties"
    r"|keyword|nesting|conversion failed|too (complex|many|large|deep)|recursi|\$ref"
    r"|for '\w+' type",
    re.IGNORECASE,
)
"""What is said of this schema, and not of the mode."""


_OF_SETUP = re.compile(
    r"requires|unsupported|not (supported|implemented)|conversion failed|failed to parse",
    re.IGNORECASE,
)
"""What a server says of a mode that it cannot do, when it takes that for a fault of its own."""


class Step(Struct, frozen=True):
    """A rung above words, with the schema as it is sent there."""

    rung: Rung
    schema: Raw


class Ladder:
    """One per vendor; `learnt` is how much it has come to know."""

    def __init__(self, form: Form) -> None:
        self.learnt = 0
        self._form = form
        self._refused: set[tuple[str, Rung]] = set()
        self._schemas: dict[tuple[str, Rung, bytes], None] = {}

    def step(self, order: Complete, *, tools: bool = True) -> Step | None:
        """The highest rung for this call, None for words; `tools` False forbids to force one."""
        if (schema := order.schema) is None:
            return None
        upstream = order.upstream
        if self._open(upstream, "native", schema) and (native := fitted(schema, self._form)):
            return Step("native", native)
        if tools and self._open(upstream, "tool", schema) and (tool := as_tool(schema, self._form)):
            return Step("tool", tool)
        return None

    def learn(self, order: Complete, status: int, error: VendorError) -> str | None:
        """What an error says that the model does not take, in words; None when it is of something
        else.
        """
        if order.schema is None or not _is_refusal(status, error):
            return None
        if (rung := _rung_in(error)) is None:
            return None
        upstream, mode = order.upstream, _WORDS[rung]
        unable = says_unsupported(error) or status in _BREAKDOWNS
        if unable and not _OF_SCHEMA.search(error.message):
            self.learnt += (upstream, rung) not in self._refused
            self._refused.add((upstream, rung))
            return f"{upstream} takes no {mode}"
        self.learnt += (upstream, rung, order.schema) not in self._schemas
        self._schemas[upstream, rung, order.schema] = None
        if len(self._schemas) > MOST_SCHEMAS:
            del self._schemas[next(iter(self._schemas))]
        return f"{upstream} does not take this schema as {mode}"

    def _open(self, upstream: str, rung: Rung, schema: bytes) -> bool:
        if (upstream, rung) in self._refused:
            return False
        return (upstream, rung, schema) not in self._schemas


_WORDS: dict[Rung, str] = {"native": "schema for its answer", "tool": "forced tool"}


def _is_refusal(status: int, error: VendorError) -> bool:
    if status in _BREAKDOWNS:
        return _OF_SETUP.search(error.message) is not None
    return status in _REFUSALS and kind_of(status, error) == "fatal"


def _rung_in(error: VendorError) -> Rung | None:
    """Which one an error is about: what it names as its parameter, else what it mentions first."""
    text = error.param or error.message
    found = [(at.start(), rung) for rung, named in _NAMED.items() if (at := named.search(text))]
    return None if text.startswith("messages") or not found else min(found)[1]
