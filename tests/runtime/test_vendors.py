"""A pool's order on its way to a vendor and back, over both dialects and a real socket."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
import trio

from actors.base import Address, Message
from actors.domain.model import Usage
from actors.protocol import CallAnswered, CallErrored, CallVendor, DialectCrashed
from runtime.dialects.openai import OpenAIDialect
from runtime.dialects.openai_stream import OpenAIDeltas
from runtime.reactor import Reactor
from runtime.secret import Secret
from runtime.testing import Reply, ScriptedVendor, streams
from runtime.transport.port import Done, HttpFailure, HttpRequest, HttpResponse
from runtime.vendors import VendorCaller, VendorConnection, connect
from tests.runtime.dialects.calls import KEY, call, response

PATIENCE_S = 10.0


class Pool:
    """Hears what a caller tells."""

    def __init__(self) -> None:
        self._send, self._receive = trio.open_memory_channel[Message](100)

    def tell(self, address: Address, message: Message) -> None:
        assert address == "pool:vendor"
        self._send.send_nowait(message)

    async def told(self) -> Any:
        with trio.fail_after(PATIENCE_S):
            return await self._receive.receive()


@asynccontextmanager
async def calling(settings: VendorConnection) -> AsyncIterator[Any]:
    """`ask(call)` gives what the pool is told in the end."""
    pool = Pool()
    reactor = Reactor()
    caller = connect(settings, pool.tell, reactor)

    async def ask(work: CallVendor) -> Any:
        caller.start("pool:vendor", work)
        return await pool.told()

    async with trio.open_nursery() as nursery:
        await nursery.start(reactor.serve)
        await nursery.start(caller.serve)
        yield ask
        nursery.cancel_scope.cancel()


@pytest.fixture(params=["openai", "anthropic", "gemini"])
def vendor(request: pytest.FixtureRequest) -> Iterator[ScriptedVendor]:
    with ScriptedVendor(request.param, api_key=KEY) as vendor:
        yield vendor


def connection(vendor: ScriptedVendor, **settings: Any) -> VendorConnection:
    return VendorConnection("v", vendor.dialect, vendor.url, Secret(KEY), **settings)


@pytest.mark.trio
async def test_a_call_is_answered_with_the_vendors_usage(vendor: ScriptedVendor) -> None:
    """Cached tokens in either vendor's convention come to the same classes."""
    vendor.answers(Reply("Two.", Usage(input=100, cache_read=40, output=7)))
    async with calling(connection(vendor)) as ask:
        answered = await ask(call("claude-or-gpt", temperature=0.3))
    assert answered == CallAnswered("1.1", answered.answer)
    assert answered.answer.text == "Two."
    assert answered.answer.usage == Usage(input=100, cache_read=40, output=7)
    sent = [c.body.get("generationConfig", c.body) for c in vendor.calls]
    assert [fields["temperature"] for fields in sent] == [0.3]


@pytest.mark.trio
@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply("busy", status=429, headers={"retry-after": "3"}), "rate_limited"),
        (Reply("oops", status=500), "transient"),
        (Reply("prompt is too long: the maximum context length is 5", status=400),
         "context_overflow"),
        (Reply(fault="garbage"), "malformed"),
        (Reply(fault="noise"), "malformed"),
        (Reply(fault="huge"), "malformed"),
        (Reply(fault="truncate"), "transient"),
        (Reply(fault="close"), "transient"),
        (Reply(fault="reset"), "transient"),
        (Reply(fault="hang"), "timeout"),
    ],
)  # fmt: skip
async def test_every_fault_has_its_kind(vendor: ScriptedVendor, reply: Reply, kind: str) -> None:
    """And the call after it is answered."""
    vendor.answers([reply])
    settings = connection(vendor, first_byte_timeout_s=0.1, max_response_bytes=100_000)
    async with calling(settings) as ask:
        errored = await ask(call())
        assert (errored.kind, errored.written) == (kind, True)
        assert errored.retry_after_s == (3.0 if kind == "rate_limited" else None)
        assert isinstance(await ask(call()), CallAnswered)


@pytest.mark.trio
async def test_a_parameter_is_learnt_once() -> None:
    """The strict vendor refuses it, the same order passes then, and no later one carries it."""
    with ScriptedVendor("openai", api_key=KEY, refuses={"m": ["max_tokens", "seed"]}) as vendor:
        async with calling(connection(vendor)) as ask:
            kinds = [getattr(await ask(call("m", seed=4)), "kind", "ok") for _ in range(4)]
    assert kinds == ["parameter", "parameter", "ok", "ok"]
    assert "seed" not in vendor.calls[-1].body


@pytest.mark.trio
async def test_a_parameter_refused_again_is_fatal() -> None:
    """When the same words would be sent again, asking again is no use."""
    complaint = Reply(
        "Unsupported parameter: 'seed'", status=400, code="unsupported_parameter", param="seed"
    )
    with ScriptedVendor("openai", api_key=KEY) as vendor:
        vendor.answers(complaint)
        async with calling(connection(vendor)) as ask:
            kinds = [(await ask(call("m", seed=4))).kind for _ in range(2)]
    assert kinds == ["parameter", "fatal"]


@pytest.mark.trio
async def test_a_wrong_key_is_fatal_and_stays_unknown(
    vendor: ScriptedVendor, caplog: pytest.LogCaptureFixture
) -> None:
    """To whoever reads the outcome or the log."""
    caplog.set_level(logging.DEBUG)
    settings = msgspec.structs.replace(connection(vendor), api_key=Secret("sk-wrong-key"))
    async with calling(settings) as ask:
        errored = await ask(call())
    assert errored.kind == "fatal"
    assert errored.detail.startswith("400: " if vendor.dialect == "gemini" else "401: ")
    assert "sk-wrong-key" not in errored.detail + caplog.text


@pytest.mark.trio
async def test_an_unreachable_vendor_has_seen_nothing(vendor: ScriptedVendor) -> None:
    """So that nothing is paid."""
    settings = connection(vendor)
    vendor.stop()
    async with calling(settings) as ask:
        errored = await ask(call())
    assert (errored.kind, errored.written) == ("transient", False)


# --- with a transport that is told what to say ---------------------------------------------------


class Wire:
    """A transport that answers at once."""

    def __init__(self, result: HttpResponse | HttpFailure) -> None:
        self.result = result
        self.requests: list[HttpRequest] = []
        self.aborted: list[str] = []

    def start(self, id: str, request: HttpRequest, done: Done, part: Any = None) -> None:
        self.requests.append(request)
        done(self.result)

    def abort(self, id: str) -> None:
        self.aborted.append(id)

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        task_status.started()


class Later(Wire):
    """A transport that answers all of its requests when it is told to."""

    def __init__(self, result: HttpResponse | HttpFailure) -> None:
        super().__init__(result)
        self.waiting: list[Done] = []

    def start(self, id: str, request: HttpRequest, done: Done, part: Any = None) -> None:
        self.waiting.append(done)

    def answer(self) -> None:
        waiting, self.waiting = self.waiting, []
        for done in waiting:
            done(self.result)


def test_what_was_learnt_while_a_call_was_out_lets_it_pass_too() -> None:
    """Two that went out together are refused for the same; who asks once more knew it already."""
    error = {"message": "no seed", "code": "unsupported_parameter", "param": "seed"}
    wire = Later(response({"error": error}, status=400))
    told: list[Any] = []
    dialect = OpenAIDialect("http://v")
    caller = VendorCaller(
        "v", dialect, wire, lambda _, message: told.append(message), VendorConnection("v")
    )
    for together in (2, 1):
        for _ in range(together):
            caller.start("pool:v", call("m", seed=4))
        wire.answer()
    assert [errored.kind for errored in told] == ["parameter", "parameter", "fatal"]


def test_usage_is_estimated_from_what_was_sent() -> None:
    """Though the conversation is not kept while its answer is waited for."""
    told: list[Any] = []
    said = response({"choices": [{"message": {"content": "four"}}]})
    caller = VendorCaller(
        "v",
        OpenAIDialect("http://v"),
        Wire(said),
        lambda _, message: told.append(message),
        VendorConnection("v"),
    )
    asked = call(messages=[{"role": "user", "content": "x" * 400}])
    caller.start("pool:v", asked)
    (answered,) = told
    assert answered.answer.usage.input == len(asked.order.messages) // 4 + 1


class Broken(OpenAIDialect):
    """A dialect with a bug at either end."""

    def __init__(self, bug: str) -> None:
        super().__init__("http://v")
        self.bug = bug

    def encode(self, call: CallVendor, *, stream: bool = False) -> HttpRequest:
        if self.bug == "encode":
            raise KeyError(f"the key {KEY}")
        return super().encode(call, stream=stream)

    def decode(self, call: CallVendor, response: HttpResponse) -> CallAnswered | CallErrored:
        raise ZeroDivisionError("a very private prompt\n" * 100)


@pytest.mark.parametrize("bug", ["encode", "decode"])
def test_a_bug_in_a_dialect_is_told_to_the_pool(bug: str, caplog: pytest.LogCaptureFixture) -> None:
    """As DialectCrashed, briefly; the log names the error's type and place only."""
    told: list[Any] = []
    caller = VendorCaller(
        "v",
        Broken(bug),
        Wire(response({})),
        lambda _, message: told.append(message),
        VendorConnection("v", api_key=Secret(KEY)),
    )
    caller.start("pool:v", call())
    (crashed,) = told
    assert isinstance(crashed, DialectCrashed)
    assert crashed.ticket == "1.1"
    assert crashed.detail.startswith("KeyError" if bug == "encode" else "ZeroDivisionError")
    assert KEY not in crashed.detail
    assert len(crashed.detail) <= 300
    assert "private" not in caplog.text
    assert "test_vendors.py" in caplog.text


class Texts:
    """Somebody who would see the texts of all attempts; `seen` is what he is shown."""

    def __init__(self, *, wanted: bool = True) -> None:
        self.wanted = wanted
        self.seen: list[str] = []

    def begins(self, attempt: str) -> bool:
        self.seen.append(f"{attempt} begins")
        return self.wanted

    def grows(self, attempt: str, delta: str) -> None:
        self.seen.append(delta)

    def ends(self, attempt: str, *, answered: bool) -> None:
        self.seen.append(f"{attempt} {'answered' if answered else 'failed'}")


class Streaming(Wire):
    """A transport that shows an answer in two pieces."""

    def start(self, id: str, request: HttpRequest, done: Done, part: Any = None) -> None:
        self.requests.append(request)
        if part is not None and isinstance(self.result, HttpResponse):
            part(self.result.body[:200])
            part(self.result.body[200:])
        done(self.result)


STREAM = response(b"".join(streams.stream("openai", "m", "An answer.", Usage(3, output=4), None)))


def streaming(
    texts: Texts,
    *,
    final: bool = True,
    max_tokens: int = 100,
    dialect: OpenAIDialect | None = None,
) -> tuple[bytes, Any]:
    """What is sent for a call, and what is told of it."""
    told: list[Any] = []
    wire = Streaming(STREAM)
    caller = VendorCaller(
        "v",
        dialect or OpenAIDialect("http://v"),
        wire,
        lambda _, message: told.append(message),
        VendorConnection("v"),
        texts,
    )
    caller.start("pool:v", call(final=final, max_tokens=max_tokens))
    (request,), (outcome,) = wire.requests, told
    return request.body, outcome


def test_a_final_text_is_shown_while_it_comes() -> None:
    texts = Texts()
    sent, outcome = streaming(texts)
    assert b'"stream":true' in sent
    assert isinstance(outcome, CallAnswered)
    first, *deltas, last = texts.seen
    assert (first, last) == ("1.1 begins", "1.1 answered")
    assert "".join(deltas) == outcome.answer.text == "An answer."


@pytest.mark.parametrize(
    ("final", "wanted", "max_tokens"),
    [(False, True, 100), (True, False, 100), (True, True, 200_000)],
    ids=["a draft", "nobody sees it", "too long for a stream"],
)
def test_what_is_not_streamed(final: bool, wanted: bool, max_tokens: int) -> None:
    """A stream takes many times its text: the bound on answers is not to be met by that."""
    texts = Texts(wanted=wanted)
    sent, outcome = streaming(texts, final=final, max_tokens=max_tokens)
    assert b'"stream":false' in sent
    assert isinstance(outcome, CallAnswered)
    assert texts.seen == (["1.1 begins"] if final else [])


def test_a_bug_that_a_stream_meets_is_the_pool_s_to_fail_on() -> None:
    """The transport, which shows the stream, is not touched by it."""

    class Odd(OpenAIDialect):
        def deltas(self) -> OpenAIDeltas:
            deltas = OpenAIDeltas()
            deltas.feed = lambda _: 1 / 0  # type: ignore[method-assign,assignment,return-value]
            return deltas

    texts = Texts()
    _, outcome = streaming(texts, dialect=Odd("http://v"))
    assert isinstance(outcome, DialectCrashed)
    assert outcome.detail.startswith("ZeroDivisionError")
    assert texts.seen == ["1.1 begins", "1.1 failed"]


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (HttpFailure("connect", "refused", False), "transient"),
        (HttpFailure("timeout", "late", True, 5), "timeout"),
        (HttpFailure("closed", "gone", True, 5), "transient"),
        (HttpFailure("too_large", "big", True, 5), "malformed"),
        (HttpFailure("protocol", "odd", True, 5), "malformed"),
        (HttpFailure("cancelled", "given up", True, 5), "cancelled"),
    ],
)
def test_a_failure_on_the_way_keeps_what_is_known(failure: HttpFailure, kind: Any) -> None:
    """Whether it was written, and how much had come."""
    told: list[Any] = []
    caller = VendorCaller(
        "v",
        OpenAIDialect("http://v"),
        Wire(failure),
        lambda to, message: told.append((to, message)),
        VendorConnection("v"),
    )
    caller.start("pool:v", call())
    errored = CallErrored(
        "1.1", kind, failure.detail, written=failure.written, received_bytes=failure.received_bytes
    )
    assert told == [("pool:v", errored)]


def test_limits_of_the_vendor_and_the_order_reach_the_transport() -> None:
    """The shorter of the two times counts."""
    wire = Wire(HttpFailure("connect", "", False))
    settings = VendorConnection(
        "v", connect_timeout_s=1, first_byte_timeout_s=2, timeout_s=50, max_response_bytes=3
    )
    caller = VendorCaller("v", OpenAIDialect("http://v"), wire, lambda *_: None, settings)
    caller.start("pool:v", call())
    caller.abort("1.1")
    (request,) = wire.requests
    assert (request.connect_timeout_s, request.first_byte_timeout_s) == (1, 2)
    assert (request.timeout_s, request.max_response_bytes) == (30.0, 3)
    assert wire.aborted == ["1.1"]
