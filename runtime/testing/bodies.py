"""What a scripted vendor sends for a reply: a body, or the events of a stream."""

from __future__ import annotations

from typing import get_args

import msgspec

from runtime.testing import streams, wire
from runtime.testing.scripts import MidwayFault, Reply
from runtime.testing.wire import Format, RecordedCall

MIDWAY = get_args(MidwayFault)
"""The faults that only a stream can have."""


def is_streamed(call: RecordedCall, reply: Reply) -> bool:
    sound = reply.fault is None or reply.fault in MIDWAY
    return call.streams and sound and reply.body is None and reply.status < 400


def stream_events(dialect: Format, call: RecordedCall, reply: Reply) -> list[bytes]:
    usage = reply.usage or wire.counted_usage(call, reply.text)
    told = None if reply.fault == "no usage" else usage
    tool = _tool_for(call, reply)
    events = streams.stream(dialect, call.model, reply.text, told, reply.finish, tool)
    return events[:-1] if reply.fault == "no end" else events


def answer_body(dialect: Format, call: RecordedCall, reply: Reply) -> bytes:
    if reply.body is not None:
        return reply.body
    if reply.fault == "garbage":
        return b'{"choices": [{\x00\xff\xfe garbage'
    if reply.status >= 400:
        told = wire.error(dialect, reply.status, reply.text, reply.code, reply.param)
        return msgspec.json.encode(told)
    usage = reply.usage or wire.counted_usage(call, reply.text)
    tool = _tool_for(call, reply)
    told = wire.answer(dialect, call.model, reply.text, usage, reply.finish, tool)
    return msgspec.json.encode(told)


def _tool_for(call: RecordedCall, reply: Reply) -> str | None:
    """The tool that must be called, unless the reply cannot be its arguments."""
    if call.forced_tool is None:
        return None
    try:
        msgspec.json.decode(reply.text, type=dict)
    except msgspec.MsgspecError:
        return None
    return call.forced_tool[0]
