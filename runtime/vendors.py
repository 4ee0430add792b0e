"""Where a pool's orders reach a vendor: dialect, transport, dialect, and a message back.

A dialect that raises is not caught on its way to anyone who would have to guess: it is reported
to the pool as :class:`DialectCrashed`, and the pool fails on it.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from functools import partial
from typing import Literal, TypeAlias

import trio
from msgspec import Struct
from msgspec.structs import replace

from actors.base import Address, Message
from actors.protocol import (
    CallAnswered,
    CallErrored,
    CallErrorKind,
    CallVendor,
    DialectCrashed,
)
from runtime.dialects.anthropic import AnthropicDialect
from runtime.dialects.gemini import GeminiDialect
from runtime.dialects.openai import OpenAIDialect
from runtime.dialects.outcomes import on_its_way, sentence
from runtime.dialects.port import Dialect
from runtime.reactor import Reactor
from runtime.secret import Secret
from runtime.transport.port import HttpFailure, HttpRequest, HttpResponse, Transport
from runtime.transport.simulated import SimulatedSettings, SimulatedTransport
from runtime.transport.unusual import unusual_at
from runtime.watching.exchange import Texts, WatchedExchange

log = logging.getLogger("planhub.vendors")

STREAMED_TOKEN_BYTES = 320
"""What a token may take in a stream: as much again as its text many times over."""

DialectName: TypeAlias = Literal["openai", "anthropic", "gemini", "simulated"]
Tell: TypeAlias = Callable[[Address, Message], None]


class VendorConnection(Struct, frozen=True):
    """How a vendor is reached.  Times are seconds; `timeout_s` bounds one attempt as a whole."""

    provider: str
    dialect: DialectName = "openai"
    base_url: str = ""
    api_key: Secret | None = None
    connect_timeout_s: float = 10.0
    first_byte_timeout_s: float = 60.0
    timeout_s: float = 60.0
    max_response_bytes: int = 33_554_432
    simulated: SimulatedSettings | None = None


class VendorCaller:
    """Carries out a pool's :class:`CallVendor` works; one per vendor.

    `start` and `abort` are called on the engine's thread and return at once; the outcome is told
    to the address that the work was started for.  The vendor is reached while `serve` runs.
    """

    def __init__(
        self,
        provider: str,
        dialect: Dialect,
        transport: Transport,
        tell: Tell,
        settings: VendorConnection,
        texts: Texts | None = None,
    ) -> None:
        self.provider = provider
        self._dialect = dialect
        self._transport = transport
        self._tell = tell
        self._settings = settings
        self._texts = texts

    def __repr__(self) -> str:
        return f"<VendorCaller {self.provider}: {self._dialect!r} over {self._transport!r}>"

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Runs the transport until cancelled; what is in flight then ends as `cancelled`.

        Begin with `await nursery.start(caller.serve)`: earlier calls find no connection.
        """
        await self._transport.serve(task_status=task_status)

    def start(self, address: Address, work: CallVendor) -> None:
        """Begins an exchange; ends in CallAnswered, CallErrored or DialectCrashed to `address`."""
        try:
            watched = self._watched(work)
            request = self._encode(work, watched)
        except Exception as error:  # noqa: BLE001 - a dialect's bug is the pool's to fail on
            self._tell(address, self._crashed(work, error))
            return
        self._transport.start(
            work.id,
            request,
            partial(self._ended, address, on_its_way(work), watched, self._dialect.learnt),
            None if watched is None else watched.part,
        )

    def abort(self, work_id: str) -> None:
        """Closes the exchange's socket; its CallErrored (`cancelled`) still comes."""
        self._transport.abort(work_id)

    def _watched(self, work: CallVendor) -> WatchedExchange | None:
        """Of a final text that somebody would see as it is written, and that surely fits so."""
        if self._texts is None or not work.order.final or not self._texts.begins(work.id):
            return None
        if work.order.max_tokens * STREAMED_TOKEN_BYTES > self._settings.max_response_bytes:
            return None
        return WatchedExchange(work.id, self._dialect.deltas(), self._texts)

    def _encode(self, work: CallVendor, watched: WatchedExchange | None) -> HttpRequest:
        settings = self._settings
        return replace(
            self._dialect.encode(work, stream=watched is not None),
            connect_timeout_s=settings.connect_timeout_s,
            first_byte_timeout_s=settings.first_byte_timeout_s,
            timeout_s=min(work.timeout_s, settings.timeout_s),
            max_response_bytes=settings.max_response_bytes,
        )

    def _ended(
        self,
        address: Address,
        work: CallVendor,
        watched: WatchedExchange | None,
        knowing: int,
        result: HttpResponse | HttpFailure,
    ) -> None:
        outcome = (
            self._decode(work, watched, knowing, result)
            if isinstance(result, HttpResponse)
            else _undelivered(work, result)
        )
        if watched is not None:
            outcome = watched.end(outcome)
        self._tell(address, outcome)

    def _decode(
        self,
        work: CallVendor,
        watched: WatchedExchange | None,
        knowing: int,
        response: HttpResponse,
    ) -> CallAnswered | CallErrored | DialectCrashed:
        if watched is not None and watched.error is not None:
            return self._crashed(work, watched.error)
        try:
            outcome = self._dialect.decode(work, response)
        except Exception as error:  # noqa: BLE001 - a dialect's bug is the pool's to fail on
            return self._crashed(work, error)
        return outcome if isinstance(outcome, CallAnswered) else self._errored(knowing, outcome)

    def _errored(self, knowing: int, outcome: CallErrored) -> CallErrored:
        """An order whose parameter was refused may pass now, unless nothing has been learnt since
        it was sent.
        """
        log.debug("%s: %s", self.provider, outcome.kind)
        if outcome.kind != "parameter":
            return outcome
        if self._dialect.learnt == knowing:
            return replace(outcome, kind="fatal")
        log.warning("%s: %s; left out from now on", self.provider, outcome.detail)
        return outcome

    def _crashed(self, work: CallVendor, error: Exception) -> DialectCrashed:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{frame.filename}:{frame.lineno}"
        log.error("%s: the dialect raised %s at %s", self.provider, type(error).__name__, where)
        detail = sentence(f"{type(error).__name__}: {error}", self._settings.api_key)
        return DialectCrashed(work.id, detail)


_KINDS: dict[str, CallErrorKind] = {
    "connect": "transient",
    "timeout": "timeout",
    "closed": "transient",
    "too_large": "malformed",
    "protocol": "malformed",
    "cancelled": "cancelled",
}


def _undelivered(work: CallVendor, failure: HttpFailure) -> CallErrored:
    return CallErrored(
        ticket=work.id,
        kind=_KINDS[failure.kind],
        detail=failure.detail,
        written=failure.written,
        received_bytes=failure.received_bytes,
    )


def connect(
    settings: VendorConnection, tell: Tell, reactor: Reactor, texts: Texts | None = None
) -> VendorCaller:
    """The way to a vendor; `reactor` is served by whoever serves it.  `texts` are shown as they
    come.

    Raises ValueError where a `base_url` is missing.
    """
    dialect = choose_dialect(settings)
    transport = choose_transport(settings, reactor)
    return VendorCaller(settings.provider, dialect, transport, tell, settings, texts)


def choose_dialect(settings: VendorConnection) -> Dialect:
    match settings.dialect:
        case "simulated":
            return OpenAIDialect("simulated://vendor")
        case "openai":
            return OpenAIDialect(_base_url(settings), settings.api_key)
        case "anthropic":
            return AnthropicDialect(_base_url(settings), settings.api_key)
        case "gemini":
            return GeminiDialect(_base_url(settings), settings.api_key)


def choose_transport(settings: VendorConnection, reactor: Reactor) -> Transport:
    """Decided once per vendor.  Each transport is imported only where it is used."""
    if settings.dialect == "simulated":
        return SimulatedTransport(settings.simulated or SimulatedSettings())
    plain = settings.base_url.lower().startswith("http://")
    if unusual_at(settings.base_url):
        from runtime.transport.httpx_transport import HttpxTransport

        return HttpxTransport(certificates=not plain)
    from runtime.transport.reactor import ReactorTransport
    from runtime.transport.reactor.connecting import certificates

    return ReactorTransport(reactor, None if plain else certificates())


def _base_url(settings: VendorConnection) -> str:
    if not settings.base_url:
        raise ValueError(f"provider {settings.provider} needs a base_url")
    return settings.base_url
