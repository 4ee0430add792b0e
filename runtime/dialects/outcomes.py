"""How a call ends: the few ways every dialect has of telling it."""

from __future__ import annotations

from msgspec.structs import replace

from actors.domain.model import Usage
from actors.protocol import Answer, CallAnswered, CallErrored, CallErrorKind, CallVendor
from runtime.dialects.errors import VendorError, kind_of, read_error, retry_after
from runtime.secret import Secret
from runtime.transport.port import HttpResponse

MAX_DETAIL = 300


def on_its_way(call: CallVendor) -> CallVendor:
    """What of a call its answer is read with: all but the conversation, which ten thousand waiting
    calls need not keep.
    """
    return replace(call, order=replace(call.order, messages=b"", input_tokens=_sent(call)))


def answered(
    call: CallVendor, response: HttpResponse, text: str, usage: Usage | None, truncated: bool
) -> CallAnswered | CallErrored:
    """The vendor's text as an answer, or as `empty` when there is nothing in it."""
    if not text.strip():
        why = "the token limit was reached before any text" if truncated else "no text"
        return failed(call, response, "empty", why, usage)
    used = usage or estimated_usage(call, text)
    return CallAnswered(call.id, Answer(text, used, truncated, usage_known=usage is not None))


def failed(
    call: CallVendor,
    response: HttpResponse,
    kind: CallErrorKind,
    detail: str,
    usage: Usage | None = None,
) -> CallErrored:
    """A complete answer that is no text to be used; `usage` is billed all the same."""
    return CallErrored(
        ticket=call.id,
        kind=kind,
        detail=detail,
        usage=usage,
        written=True,
        received_bytes=len(response.body),
        http_status=response.status,
    )


def errored(
    call: CallVendor,
    response: HttpResponse,
    key: Secret | None,
    *,
    error: VendorError | None = None,
    status: int | None = None,
    usage: Usage | None = None,
) -> CallErrored:
    """The failure that an error stands for; `status` and `error` when they hid in a 200.

    An error is not billed, unless a `usage` came with it.
    """
    error = error or read_error(response.body)
    status = status or response.status
    kind = kind_of(status, error)
    told = retry_after(response.headers)
    delay = error.retry_after_s if told is None else told
    return CallErrored(
        ticket=call.id,
        kind=kind,
        detail=sentence(f"{status}: {error.message or error.code or error.type}", key),
        retry_after_s=delay if kind in ("rate_limited", "transient") else None,
        usage=usage,
        written=True,
        received_bytes=len(response.body),
        http_status=status,
    )


def interrupted(
    call: CallVendor,
    response: HttpResponse,
    key: Secret | None,
    error: VendorError,
    status: int,
    usage: Usage | None,
    text: str,
) -> CallErrored:
    """An error that came instead of the rest of a stream: what had been written is billed."""
    outcome = errored(call, response, key, error=error, status=status, usage=usage)
    return replace(outcome, http_status=response.status) if text else outcome


def estimated_usage(call: CallVendor, text: str) -> Usage:
    """What a call used by its size, a token being some four bytes, when the vendor is silent."""
    return Usage(input=_sent(call), output=len(text.encode("utf-8", "replace")) // 4 + 1)


def _sent(call: CallVendor) -> int:
    return call.order.input_tokens or len(call.order.messages) // 4 + 1


def sentence(text: str, key: Secret | None) -> str:
    """One line of at most 300 characters, without control characters and without our key."""
    redacted = (key.redact(text) if key else text)[: 10 * MAX_DETAIL]
    line = " ".join("".join(c if c.isprintable() else " " for c in redacted).split())
    return line if len(line) <= MAX_DETAIL else line[: MAX_DETAIL - 1] + "…"
