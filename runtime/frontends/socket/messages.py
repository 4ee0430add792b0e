"""What is said over the socket: one struct per kind of frame, its kind in the field `type`."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta, Raw, Struct

from actors.errors import BadRequest
from runtime.explain import misfit, show, unknown_field
from runtime.frontends.wire import ErrorBody
from runtime.frontends.wire.values import TOO_DEEP

VERSION = 1

Id: TypeAlias = Annotated[str, Meta(max_length=4_096)] | int
"""The client's own name for a request; bounded, because every event of it repeats it."""


class _Said(Struct, frozen=True, tag_field="type", kw_only=True, forbid_unknown_fields=True):
    """What a client says."""


class Hello(_Said, frozen=True, tag="hello", kw_only=True):
    version: int
    api_key: str | None = None

    def __repr__(self) -> str:
        return f"<Hello {self.version}>"


class Plan(_Said, frozen=True, tag="plan", kw_only=True):
    """`body` is the map of `POST /v1/plan`; `events` asks for the run's events too."""

    id: Id
    body: Raw
    idempotency_key: str | None = None
    events: bool | None = None


class Cancel(_Said, frozen=True, tag="cancel", kw_only=True):
    id: Id


class Ping(_Said, frozen=True, tag="ping", kw_only=True):
    id: Id


Said: TypeAlias = Hello | Plan | Cancel | Ping


class _Told(Struct, frozen=True, tag_field="type", kw_only=True):
    """What a server says."""


class Welcome(_Told, frozen=True, tag="welcome", kw_only=True):
    version: int
    server: str


class Pong(_Told, frozen=True, tag="pong", kw_only=True):
    id: Id


class Event(_Told, frozen=True, tag="event", kw_only=True):
    id: Id
    body: Any


class Result(_Told, frozen=True, tag="result", kw_only=True):
    id: Id
    body: Any


class Failure(_Told, frozen=True, tag="error", kw_only=True):
    """With `id` None it is about the connection, which then ends."""

    id: Id | None
    status: int
    body: ErrorBody


class ResultRead(_Told, frozen=True, tag="result", kw_only=True):
    """A :class:`Result` as a client reads it."""

    id: Id
    body: Raw


Told: TypeAlias = Welcome | Pong | Event | ResultRead | Failure


# --- reading what a client says ----------------------------------------------------------------


class BadFrame(Exception):
    """A frame cannot be taken; `about` is the request it is about, None when nobody can tell."""

    def __init__(self, text: str, about: Id | None = None, *, code: str | None = None) -> None:
        super().__init__(text)
        self.error = BadRequest(text, code=code)
        self.about = about


_SAID: msgspec.msgpack.Decoder[Said] = msgspec.msgpack.Decoder(Said)
_KINDS: dict[str, type[Said]] = {"hello": Hello, "plan": Plan, "cancel": Cancel, "ping": Ping}


def read_said(payload: bytes) -> Said:
    """What a client said; raises :class:`BadFrame`."""
    try:
        return _SAID.decode(payload)
    except (msgspec.MsgspecError, ValueError, RecursionError, OverflowError):
        raise _complaint(payload) from None


def _complaint(payload: bytes) -> BadFrame:
    try:
        data = msgspec.msgpack.decode(payload)
    except RecursionError:
        return BadFrame(TOO_DEEP)
    except (msgspec.MsgspecError, ValueError, OverflowError):
        return BadFrame("a frame must be one msgpack map: this is not msgpack")
    if not isinstance(data, dict) or not all(isinstance(name, str) for name in data):
        return BadFrame("a frame must be one msgpack map with text for its keys")
    kind = data.pop("type", None)
    of = _KINDS.get(kind) if isinstance(kind, str) else None
    if of is None:
        return BadFrame(f"type must be one of {', '.join(_KINDS)}, got {show(kind)}")
    about = None if misfit(data.get("id"), Id) else data["id"]
    if (field := unknown_field(data, of)) is not None:
        return BadFrame(f"unknown field: {field}", about, code="unknown_field")
    return BadFrame(misfit(data, of) or f"this is no {kind} frame", about)
