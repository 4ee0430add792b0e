"""What vendors answer: an answer or an error, of either dialect, whatever the bytes."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from actors.base import Address, Message
from actors.protocol import CallAnswered, CallErrored
from runtime.dialects.outcomes import MAX_DETAIL
from runtime.secret import Secret
from runtime.transport.port import Done, HttpFailure, HttpRequest, HttpResponse
from runtime.vendors import DialectName, VendorCaller, VendorConnection, choose_dialect
from tests.hostile.material import REPEATABLE, TEXTS, VALUES, deep, doubled, spoilt, written
from tests.runtime.dialects.calls import call

KEY = "sk-hostile-0123456789"
ANSWERS: dict[DialectName, Any] = {
    "openai": {
        "id": "x",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Two.", "refusal": None},
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "total_tokens": 15,
            "prompt_tokens_details": {"cached_tokens": 3},
            "completion_tokens_details": {"reasoning_tokens": 2},
        },
    },
    "anthropic": {
        "type": "message",
        "content": [{"type": "text", "text": "Two."}, {"type": "thinking", "thinking": "Hm."}],
        "stop_reason": "end_turn",
        "usage": {
            "input_tokens": 10,
            "output_tokens": 5,
            "cache_read_input_tokens": 3,
            "cache_creation_input_tokens": 2,
        },
    },
}
ERRORS = {"error": {"message": "no", "type": "invalid", "code": "x", "param": "temperature"}}
HEADERS = st.dictionaries(
    st.sampled_from(["retry-after", "retry-after-ms", "date", "content-type"]),
    TEXTS | st.sampled_from(["1e400", "-5", "nan", "Thu, 01 Jan 99999 00:00:00 GMT", "9" * 9_000]),
)
STATUSES = st.sampled_from([200, 204, 301, 400, 401, 403, 408, 413, 422, 429, 500, 529, 599])


class Says:
    """A transport of which every exchange ends as it is told, at once."""

    def __init__(self) -> None:
        self.result: HttpResponse | HttpFailure

    def start(self, id: str, request: HttpRequest, done: Done, part: Any = None) -> None:
        done(self.result)

    def abort(self, id: str) -> None: ...

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        task_status.started()


def outcome(dialect: DialectName, result: HttpResponse | HttpFailure) -> CallAnswered | CallErrored:
    """What the pool is told of it, after the way through its mailbox."""
    told: list[Message] = []

    def tell(address: Address, message: Message) -> None:
        told.append(message)

    transport = Says()
    transport.result = result
    connection = VendorConnection("v", dialect, "http://vendor", Secret(KEY))
    caller = VendorCaller("v", choose_dialect(connection), transport, tell, connection)
    caller.start("pool:v", call(parameters={"temperature": 1}, temperature=0.5))
    (message,) = told
    assert isinstance(message, CallAnswered | CallErrored), message
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(message), type=type(message)) == message
    _is_sane(message)
    return message


def _is_sane(message: CallAnswered | CallErrored) -> None:
    """Tokens are counts, waits are waits, words are few, and our key is not among them."""
    usage = message.answer.usage if isinstance(message, CallAnswered) else message.usage
    if usage is not None:
        counts = (usage.input, usage.cache_read, usage.cache_write, usage.output, usage.reasoning)
        assert all(0 <= count < 2**63 for count in counts)
        assert usage.reasoning <= usage.output
    if isinstance(message, CallErrored):
        assert len(message.detail) <= MAX_DETAIL
        assert "\n" not in message.detail
        assert message.retry_after_s is None or (
            math.isfinite(message.retry_after_s) and message.retry_after_s >= 0
        )
    assert KEY not in repr(message)


@pytest.fixture(params=["openai", "anthropic"])
def dialect(request: pytest.FixtureRequest) -> DialectName:
    name: DialectName = request.param
    return name


def test_the_whole_is_an_answer(dialect: DialectName) -> None:
    """What is spoilt below was sound."""
    answered = outcome(dialect, HttpResponse(200, {}, written(ANSWERS[dialect])))
    assert isinstance(answered, CallAnswered)
    assert answered.answer.text == "Two."


@pytest.mark.parametrize("name", ["openai", "anthropic"])
@REPEATABLE
@given(st.data())
def test_an_answer_with_something_wrong_in_it(name: DialectName, data: st.DataObject) -> None:
    """Read as far as it can be, or malformed."""
    body = data.draw(spoilt(ANSWERS[name]).map(written))
    outcome(name, HttpResponse(200, data.draw(HEADERS), body))
    outcome(name, HttpResponse(200, {}, body[: data.draw(st.integers(0, len(body)))]))


@pytest.mark.parametrize("name", ["openai", "anthropic"])
@REPEATABLE
@given(STATUSES, HEADERS, st.data())
def test_an_answer_of_any_kind(
    name: DialectName, status: int, headers: dict[str, str], data: st.DataObject
) -> None:
    """Errors with something wrong in them, other values, other bytes."""
    errors = spoilt(ERRORS).map(written)
    body = data.draw(errors | VALUES.map(written) | st.binary(max_size=100) | doubled(errors))
    outcome(name, HttpResponse(status, headers, body))


@pytest.mark.parametrize("name", ["openai", "anthropic"])
@pytest.mark.parametrize("depth", [100, 1_000, 100_000])
@REPEATABLE
@given(st.data())
def test_an_answer_that_is_deep(name: DialectName, depth: int, data: st.DataObject) -> None:
    """Where text, usage or an error belongs."""
    abyss = data.draw(deep(depth))
    for head in (
        b"",
        b'{"choices":',
        b'{"content":',
        b'{"usage":',
        b'{"error":',
        b'{"choices":[],"error":',
    ):
        for status in (200, 400):
            outcome(name, HttpResponse(status, {}, head + abyss + (b"}" if head else b"")))


@pytest.mark.parametrize("name", ["openai", "anthropic"])
def test_a_key_that_a_vendor_repeats(name: DialectName) -> None:
    """In whichever field of its answer, it is not told on."""
    said = f"the key {KEY} is not allowed"
    for status in (200, 400, 401, 500):
        for body in (
            {"error": {"message": said, "type": said, "code": said, "param": said}},
            {"error": said},
            {"detail": [{"msg": said}]},
            [said],
            said,
            {"message": said},
        ):
            outcome(name, HttpResponse(status, {}, written(body)))
        outcome(name, HttpResponse(status, {}, f"<html>{said}</html>".encode()))
        outcome(name, HttpResponse(status, {}, said.encode() * 1_000))


@pytest.mark.parametrize("size", [10_000, 200_000])
def test_an_error_that_is_long(dialect: DialectName, size: int) -> None:
    """Its words are searched in steps that its length bounds."""
    for unit in (
        "<script",
        "<",
        "context_length ",
        "input length ",
        "exceeds the maximum input ",
        "a" * 9,
    ):
        said = (unit * size)[:size]
        outcome(dialect, HttpResponse(400, {}, said.encode()))
        outcome(
            dialect, HttpResponse(400, {}, written({"error": {"message": said, "param": said}}))
        )
