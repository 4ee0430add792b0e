"""The built-in vendor: answers in process, offline, through the same port as a real one.

It speaks OpenAI's format, so the same dialect, pool and ledger serve it.  An answer's text is a
function of the seed, the model and the request alone.  Delays and faults are drawn from the seed
and the number of the call, so that a retry of the same request can fare better than its first try.

Time is trio's.  No task per call: what is to come lies in one heap, served by one task.
"""

from __future__ import annotations

import heapq
import math
from functools import partial
from hashlib import blake2b
from random import Random
from typing import Annotated

import msgspec
import trio
from msgspec import Meta, Struct

from actors.domain.model import Model, Price
from runtime.transport.port import Done, HttpFailure, HttpRequest, HttpResponse, Part, not_serving
from runtime.transport.simulated_streams import pieces_of
from runtime.transport.simulated_texts import Turn, reply

Share = Annotated[float, Meta(ge=0, le=1)]


class SimulatedSettings(Struct, frozen=True):
    """How the simulated vendor behaves.

    `delay_ms` None leaves each model its own; a delay varies by `jitter` of itself, up or down.
    Rates are shares of the calls: `fail_rate` answers 500, `rate_limit_rate` 429 with Retry-After,
    `garbage_rate` bytes that are no answer, `hang_rate` nothing until the time is up.
    """

    seed: int = 0
    delay_ms: float | None = None
    jitter: Share = 0.3
    fail_rate: Share = 0.0
    rate_limit_rate: Share = 0.0
    garbage_rate: Share = 0.0
    hang_rate: Share = 0.0


class _Simulated(Struct, frozen=True):
    id: str
    weight: int
    delay_ms: float
    input_usd: int  # per million tokens
    output_usd: int
    context_tokens: int


_MODELS = (
    _Simulated("sim-sage", 9, 600.0, 15, 75, 200_000),
    _Simulated("sim-scholar", 8, 400.0, 5, 25, 200_000),
    _Simulated("sim-clerk", 6, 250.0, 1, 5, 128_000),
    _Simulated("sim-sprinter", 3, 100.0, 0, 1, 32_000),
)
_BY_ID = {model.id: model for model in _MODELS}

SIMULATED_ALIASES: dict[str, str] = {
    "claude-opus": "sim-sage",
    "gpt-4": "sim-scholar",
    "claude-sonnet": "sim-clerk",
    "gpt-3.5-turbo": "sim-sprinter",
}
"""Names that examples use, and the simulated models that stand in for them."""

STREAMED_SHARE = 0.6
"""Of a streamed answer's time, what passes after its first words."""

EVENT_STREAM = {"content-type": "text/event-stream"}
_NANO = 1_000_000_000


def simulated_models(provider: str = "simulated") -> tuple[Model, ...]:
    """The four models, heaviest first: the heavier, the slower and the dearer."""
    return tuple(
        Model(
            id=model.id,
            provider=provider,
            upstream=model.id,
            weight=model.weight,
            family=model.id.removeprefix("sim-"),
            context_tokens=model.context_tokens,
            max_output_tokens=8_192,
            price=_price(model),
        )
        for model in _MODELS
    )


def _price(model: _Simulated) -> Price:
    read = model.input_usd * _NANO or _NANO // 5
    return Price(
        input=read,
        output=model.output_usd * _NANO,
        cache_read=read // 10,
        cache_write=read * 5 // 4,
    )


class _Exchange:
    """One call: what becomes of it, and when it goes on, in trio's seconds.

    One that streams has its `pieces` once it has begun to, last first, `step_s` apart.
    """

    __slots__ = ("done", "due", "fate", "id", "number", "part", "pieces", "request", "step_s")

    def __init__(
        self, number: int, id: str, request: HttpRequest, done: Done, fate: str, due: float
    ) -> None:
        self.number = number
        self.id = id
        self.request = request
        self.done = done
        self.fate = fate
        self.due = due
        self.part: Part | None = None
        self.pieces: list[bytes] | None = None
        self.step_s = 0.0

    def __lt__(self, other: _Exchange) -> bool:
        return (self.due, self.number) < (other.due, other.number)

    def stream(self, part: Part, after_s: float) -> None:
        """Lets the answer come in pieces, the first sooner than it would have come whole."""
        self.part = part
        self.due -= after_s * STREAMED_SHARE
        self.step_s = after_s * STREAMED_SHARE

    def goes_on(self, settings: SimulatedSettings) -> bool:
        """Shows the next piece; False when the answer has come to its end."""
        if self.part is None:
            return False
        if self.pieces is None:
            self.pieces = pieces_of(_answer(_wanted(self.request), settings.seed))[::-1]
            self.step_s /= max(1, len(self.pieces))
        if not self.pieces:
            return False
        self.part(self.pieces.pop())
        self.due += self.step_s
        return True

    def end(self, settings: SimulatedSettings) -> None:
        result = _ending(self.fate, self.request, settings)
        if self.part is not None and isinstance(result, HttpResponse) and result.status == 200:
            result = HttpResponse(200, EVENT_STREAM, b"".join(pieces_of(result)))
        self.done(result)


def _shown_whole(part: Part, done: Done, result: HttpResponse | HttpFailure) -> None:
    """An answer that comes at once has one part."""
    if isinstance(result, HttpResponse) and result.status == 200:
        part(result.body)
    done(result)


class SimulatedTransport:
    """See :class:`runtime.transport.port.Transport`."""

    def __init__(self, settings: SimulatedSettings | None = None) -> None:
        self._settings = settings or SimulatedSettings()
        self._calls = 0
        self._waiting: dict[str, _Exchange] = {}
        self._due: list[_Exchange] = []  # a heap; an aborted exchange stays in it until it is due
        self._wake: trio.Event | None = None

    def __repr__(self) -> str:
        return f"<SimulatedTransport: {len(self._waiting)} in flight, {self._calls} begun>"

    def start(self, id: str, request: HttpRequest, done: Done, part: Part | None = None) -> None:
        if self._wake is None:
            not_serving(done)
            return
        self._calls += 1
        draws = Random(f"{self._settings.seed}/{self._calls}")
        fate, after_s = self._fate(request, draws)
        due = trio.current_time() + after_s
        exchange = _Exchange(self._calls, id, request, done, fate, due)
        if part is not None and fate == "answer" and _wanted(request).stream:
            exchange.stream(part, after_s)
        elif part is not None:
            exchange.done = partial(_shown_whole, part, done)
        self._waiting[id] = exchange
        self._await(exchange)

    def abort(self, id: str) -> None:
        if exchange := self._waiting.pop(id, None):
            self._calls += 1
            ended = _Exchange(self._calls, id, exchange.request, exchange.done, "cancelled", 0.0)
            self._waiting[id] = ended
            self._await(ended)

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        self._wake = trio.Event()
        task_status.started()
        try:
            while True:
                self._end_what_is_due()
                self._wake = trio.Event()
                with trio.move_on_at(self._due[0].due if self._due else math.inf):
                    await self._wake.wait()
        finally:
            self._wake = None
            self._end_everything()

    def _await(self, exchange: _Exchange) -> None:
        heapq.heappush(self._due, exchange)
        if len(self._due) > 2 * len(self._waiting) + 64:
            self._due = [e for e in self._due if self._waiting.get(e.id) is e]
            heapq.heapify(self._due)
        if self._wake is not None and self._due[0] is exchange:
            self._wake.set()

    def _end_what_is_due(self) -> None:
        now = trio.current_time()
        while self._due and self._due[0].due <= now:
            exchange = heapq.heappop(self._due)
            if self._waiting.get(exchange.id) is not exchange:
                continue
            if exchange.goes_on(self._settings):
                heapq.heappush(self._due, exchange)
            else:
                del self._waiting[exchange.id]
                exchange.end(self._settings)

    def _end_everything(self) -> None:
        waiting, self._waiting, self._due = self._waiting, {}, []
        for exchange in waiting.values():
            exchange.done(_ending("cancelled", exchange.request, self._settings))

    def _fate(self, request: HttpRequest, draws: Random) -> tuple[str, float]:
        """What will become of a call, and after how many seconds."""
        fate = _drawn(self._settings, draws.random())
        delay_s = self._delay_s(request, draws)
        patience_s = min(request.first_byte_timeout_s, request.timeout_s)
        if fate == "hang" or delay_s > patience_s:
            return "timeout", patience_s
        return fate, delay_s

    def _delay_s(self, request: HttpRequest, draws: Random) -> float:
        settings = self._settings
        delay_ms = settings.delay_ms
        if delay_ms is None:
            model = _BY_ID.get(_wanted(request).model)
            delay_ms = model.delay_ms if model else 0.0
        return delay_ms * (1 + settings.jitter * (2 * draws.random() - 1)) / 1000


def _drawn(settings: SimulatedSettings, draw: float) -> str:
    for fate, share in (
        ("fail", settings.fail_rate),
        ("rate_limit", settings.rate_limit_rate),
        ("garbage", settings.garbage_rate),
        ("hang", settings.hang_rate),
    ):
        if draw < share:
            return fate
        draw -= share
    return "answer"


class _Wanted(Struct):
    """What is read of a request."""

    model: str = ""
    messages: list[Turn] = []
    max_tokens: int = 4096
    seed: int | None = None
    stream: bool = False


_requests = msgspec.json.Decoder(_Wanted)


def _wanted(request: HttpRequest) -> _Wanted:
    return _requests.decode(request.body)


def _ending(
    fate: str, request: HttpRequest, settings: SimulatedSettings
) -> HttpResponse | HttpFailure:
    match fate:
        case "cancelled":
            return HttpFailure("cancelled", "given up", written=True)
        case "timeout":
            return HttpFailure("timeout", "no answer in time", written=True)
        case "fail":
            return _error(500, "simulated failure")
        case "rate_limit":
            return _error(429, "simulated rate limit", {"retry-after": "1"})
        case "garbage":
            return HttpResponse(200, {}, b'{"choices": [{"mess\x00\xff simulated garbage')
    return _answer(_wanted(request), settings.seed)


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> HttpResponse:
    body = msgspec.json.encode({"error": {"message": message, "type": "simulated"}})
    return HttpResponse(status, headers or {}, body)


def _answer(wanted: _Wanted, seed: int) -> HttpResponse:
    model = _BY_ID.get(wanted.model)
    if model is None:
        return _error(404, f"the simulated vendor has no model {wanted.model}")
    said = msgspec.json.encode([seed, wanted.model, wanted.seed, wanted.messages])
    draws = Random(int.from_bytes(blake2b(said, digest_size=8).digest()))
    text = reply(model.weight, wanted.messages, draws)
    prompt_tokens = sum(len(turn.content.encode()) // 4 + 4 for turn in wanted.messages)
    if prompt_tokens > model.context_tokens:
        return _error(400, f"maximum context length is {model.context_tokens} tokens")
    return _completion(model.id, text, prompt_tokens, wanted.max_tokens)


def _completion(model: str, text: str, prompt_tokens: int, max_tokens: int) -> HttpResponse:
    """In OpenAI's format, cut off at `max_tokens` of four bytes each."""
    data = text.encode()
    kept = data[: 4 * max_tokens].decode(errors="ignore")
    completion_tokens = min(len(data) // 4 + 1, max_tokens)
    body = {
        "id": "simulated",
        "object": "chat.completion",
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": kept},
                "finish_reason": "length" if len(data) > 4 * max_tokens else "stop",
            }
        ],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        },
    }
    return HttpResponse(200, {}, msgspec.json.encode(body))
