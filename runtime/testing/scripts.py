"""What a scripted vendor answers."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct

from actors.domain.model import Usage
from runtime.testing.wire import RecordedCall, text_of
from runtime.transport.instances import UNDECIDED, find_schema, instance, is_verdict

MidwayFault: TypeAlias = Literal[
    "stall", "cut", "garbage midway", "error midway", "no end", "no usage"
]
Fault: TypeAlias = (
    Literal["hang", "close", "reset", "truncate", "garbage", "noise", "huge"] | MidwayFault
)


class Reply(Struct, frozen=True):
    """One answer of a vendor.

    `text` with `usage` becomes the vendor's own format; no `usage` is one counted from sizes.
    `finish` is the vendor's reason for ending (`length`, `max_tokens`, `refusal` …).  `body` is
    sent as it is instead.  With a `status` of 400 and above `text` is the error's message, `code`
    and `param` its fields.

    Faults, after the request was read: `hang` holds the connection until someone closes it,
    `close` and `reset` end it without an answer, `truncate` ends it in the middle of the body,
    `garbage` is a 200 whose body is no JSON, `noise` is no HTTP at all, `huge` never stops sending.

    Who forces a tool has it called with the `text`, where that is a JSON object.

    Who asks for a stream gets one.  With `pauses` its second half waits for the vendor's `release`.
    Faults of streams alone, after their first half: `stall` says no more, `cut` closes the
    connection, `garbage midway` goes on after what is no event, `error midway` ends with an error;
    `no end` leaves out what marks the end, and `no usage` the usage.
    """

    text: str = "A scripted answer."
    usage: Usage | None = None
    status: int = 200
    headers: dict[str, str] = {}
    body: bytes | None = None
    delay_s: float = 0.0
    pauses: bool = False
    fault: Fault | None = None
    finish: str | None = None
    code: str | None = None
    param: str | None = None


Script: TypeAlias = Callable[[RecordedCall], Reply]


def echo(call: RecordedCall) -> Reply:
    """The default: names the model and the beginning of what it was asked last."""
    return Reply(f"{call.model} on: {call.last_text[:200]}")


def judging(
    choose: int | str = 0,
    otherwise: Script = echo,
    margin: Literal["clear", "narrow"] = "clear",
) -> Script:
    """Answers ballots with a valid verdict; everything else as `otherwise` does.

    `choose` is the place of a candidate among the labels as they are shown to the judge, or
    a label, `tie` or `none`.
    """

    def script(call: RecordedCall) -> Reply:
        for text in reversed([text_of(message.get("content")) for message in call.messages]):
            schema = find_schema(text)
            if schema is not None and is_verdict(schema):
                return Reply(msgspec.json.encode(_verdict(schema, choose, margin, text)).decode())
        return otherwise(call)

    return script


def _verdict(schema: dict[str, Any], choose: int | str, margin: str, ballot: str) -> Any:
    labels = [x for x in schema["properties"]["choice"]["enum"] if x not in UNDECIDED]
    labels.sort(key=ballot.find)
    choice = labels[choose] if isinstance(choose, int) else choose
    value = instance(schema, Random(0), lambda name: f"scripted {name}")
    comparison = f"{choice} was scripted to be chosen"
    return {**value, "choice": choice, "comparison": comparison, "margin": margin}
