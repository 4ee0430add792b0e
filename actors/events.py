"""What a user can watch of a run, in the order it happens.

Every front end shows the same events, each as a map whose field `event` names its kind.  `seq`
counts 1, 2, 3 … within a run; `at` is ISO 8601 in UTC; both are given where a run's events come
together, not where they are made.  The last event of a run is `run_finished` or `run_failed`, and
exactly one of them comes.

The `text` of all `text` events since the last `text_reset` is what is known of the answer so far;
before `run_finished` it is the answer, whole.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from msgspec import Raw, Struct


class RunEvent(Struct, frozen=True, tag_field="event", kw_only=True):
    """The fields every event has."""

    run: str
    seq: int = 0
    at: str = ""


class RunStarted(RunEvent, frozen=True, tag="run_started", kw_only=True):
    mode: str
    request_id: str | None = None


class CallStarted(RunEvent, frozen=True, tag="call_started", kw_only=True):
    role: str
    model: str
    provider: str
    attempt: int


class CallFinished(RunEvent, frozen=True, tag="call_finished", kw_only=True):
    """`status` is `ok` or `invalid` (an answer that breaks the schema or cannot be read)."""

    role: str
    model: str
    provider: str
    attempt: int
    status: str
    latency_ms: float
    output_tokens: int
    cost_usd: float


class CallFailed(RunEvent, frozen=True, tag="call_failed", kw_only=True):
    role: str
    model: str
    provider: str
    attempt: int
    error: str


class CallCancelled(RunEvent, frozen=True, tag="call_cancelled", kw_only=True):
    role: str
    model: str
    provider: str
    attempt: int


class Judged(RunEvent, frozen=True, tag="judged", kw_only=True):
    """`selected` is the index of the chosen voter, and where a refinement is compared 0 for what
    was there and 1 for the refinement; `decided` says whether a judge chose it.
    """

    judge: str | None
    selected: int | None
    decided: bool
    reason: str


class RoundFinished(RunEvent, frozen=True, tag="round_finished", kw_only=True):
    """A round of calls has ended; `role` names what they were for."""

    role: str
    answered: int
    failed: int


class Text(RunEvent, frozen=True, tag="text", kw_only=True):
    """More of the answer that will be returned."""

    text: str


class TextReset(RunEvent, frozen=True, tag="text_reset", kw_only=True):
    """The text so far is void; the answer begins anew."""


class AnswerKnown(RunEvent, frozen=True, tag="answer_known", kw_only=True):
    """The returned answer is known.  Nobody is shown this: what was shown is made to agree."""

    text: str


class RunFinished(RunEvent, frozen=True, tag="run_finished", kw_only=True):
    """`result` is the body of the answer, as JSON."""

    result: Raw


class RunFailed(RunEvent, frozen=True, tag="run_failed", kw_only=True):
    """`error` is the body of the error, as JSON."""

    error: Raw
    status: int


Event: TypeAlias = (
    RunStarted
    | CallStarted
    | CallFinished
    | CallFailed
    | CallCancelled
    | Judged
    | RoundFinished
    | Text
    | TextReset
    | AnswerKnown
    | RunFinished
    | RunFailed
)

TERMINAL: tuple[type[Any], ...] = (RunFinished, RunFailed)
