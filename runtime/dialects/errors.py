"""What vendors say when they do not answer: read leniently, classified by what follows from it.

OpenAI, Anthropic, Google and the many servers that imitate the first agree on little: an object
`error` with a `message` and perhaps `type`, `code` and `param`, or `status` and `details`; or a
text; or a `detail`; or a page of HTML from a proxy in between.  All of it is read into
:class:`VendorError`, and one table, the same for every dialect, turns status and words into the
kind of failure.
"""

from __future__ import annotations

import math
import re
import time
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec
from msgspec import Struct

from actors.protocol import CallErrorKind

_LONGEST_READ = 65_536
_LONGEST_BRIEF = 600
_LONGEST_WAIT_S = 86_400.0

UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)
"""What msgspec raises on bytes that are not the JSON that was expected."""


class VendorError(Struct, frozen=True):
    """A vendor's words; each empty where it said nothing."""

    message: str = ""
    type: str = ""
    code: str = ""
    param: str = ""
    retry_after_s: float | None = None

    @property
    def status(self) -> int | None:
        """The HTTP status that it names as its code, in an answer that has another."""
        return int(self.code) if re.fullmatch(r"[45]\d\d", self.code) else None


def read_error(body: bytes) -> VendorError:
    """The error in a vendor's answer, whatever its shape; never raises."""
    if len(body) > _LONGEST_READ:
        return VendorError()
    try:
        said = msgspec.json.decode(body)
    except UNREADABLE:
        return VendorError(message=_strip_tags(body.decode("utf-8", "replace")))
    return _error_of(said)


def error_in(raw: msgspec.Raw) -> VendorError:
    """The error in the field `error` of an answer that is otherwise fine."""
    return read_error(b'{"error":%b}' % bytes(raw))


def _error_of(said: Any) -> VendorError:
    if isinstance(said, list) and said:
        said = said[0]
    if isinstance(said, dict):
        for key in ("error", "message", "detail"):
            match said.get(key):
                case str(text) if text:
                    type, code, param = (_text(said, k) for k in ("type", "code", "param"))
                    return VendorError(text, type, code, param)
                case dict() as error if error:
                    message = _text(error, "message") or _text(error, "detail")
                    return VendorError(
                        message or _brief(error),
                        _text(error, "type") or _text(error, "status"),
                        _text(error, "code"),
                        _text(error, "param"),
                        _delay(error.get("details")),
                    )
                case list() as errors if errors:
                    return VendorError(_brief(errors))
    return VendorError(said if isinstance(said, str) else "")


def _text(said: dict[str, Any], key: str) -> str:
    value = said.get(key)
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _delay(details: Any) -> float | None:
    """The wait that Google asks for: `{"@type": "….RetryInfo", "retryDelay": "34.07s"}`."""
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict) and isinstance(delay := detail.get("retryDelay"), str):
            return _seconds(delay.removesuffix("s"))
    return None


def _brief(value: Any) -> str:
    return msgspec.json.encode(value).decode("utf-8", "replace")[:_LONGEST_BRIEF]


_TAG = re.compile(r"<(script|style).*?(</\1>|\Z)|<[^<>]*>", re.DOTALL | re.IGNORECASE)
"""No character is looked at twice in vain, whatever is left open."""


def _strip_tags(text: str) -> str:
    return _TAG.sub(" ", text)


_OVERFLOW = re.compile(
    r"context[_ ]length|context (window|size|limit)|maximum context|prompt is too long"
    r"|input is too long|too many (input )?tokens|exceed_context_size|reduce the length"
    r"|exceeds the (maximum|model's maximum) (input|number of (input )?tokens)"
    r"|(input|prompt) (token count|length).{0,40}exceed",
    re.IGNORECASE,
)
_NEVER_SOON = re.compile(
    r"insufficient_quota|exceeded your current quota|request too large", re.IGNORECASE
)


def kind_of(status: int, error: VendorError) -> CallErrorKind:
    """What kind of failure a status and a vendor's words amount to."""
    words = f"{error.code} {error.type} {error.message}"
    if status == 413 or (status in (400, 422) and _OVERFLOW.search(words)):
        return "context_overflow"
    if status == 429:
        soon = error.retry_after_s is not None or not _NEVER_SOON.search(words)
        return "rate_limited" if soon else "fatal"
    if status in (408, 409, 425) or status >= 500:
        return "transient"
    return "fatal"


def retry_after(headers: dict[str, str]) -> float | None:
    """Seconds that the vendor asks to wait: `retry-after-ms`, or `retry-after` in either form."""
    milliseconds = _seconds(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    said = headers.get("retry-after", "")
    seconds = _seconds(said)
    return seconds if seconds is not None else _until(said, headers.get("date", ""))


def _seconds(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return min(max(value, 0.0), _LONGEST_WAIT_S) if math.isfinite(value) else None


def _until(moment: str, date: str) -> float | None:
    """By the vendor's own clock where it told the time: ours may differ."""
    at = _timestamp(moment)
    if at is None:
        return None
    now = _timestamp(date)
    return min(max(at - (time.time() if now is None else now), 0.0), _LONGEST_WAIT_S)


def _timestamp(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError, OSError):
        return None
