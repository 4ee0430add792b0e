"""Messages as bytes: msgpack on the way in, checked against a behaviour's union on the way out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import msgspec

from actors.base import Message

__all__ = ["KILL", "STOP", "decoder", "encode", "type_name"]

encode: Callable[[Any], bytes] = msgspec.msgpack.Encoder().encode


class Stop(Message, frozen=True, gc=False):
    """To a cell: end, for good."""


class Kill(Message, frozen=True, gc=False):
    """To a cell: end as after a failure."""


STOP = encode(Stop())
KILL = encode(Kill())
"""Orders to the cell itself, known by identity: no message from elsewhere is these objects."""

_decoders: WeakKeyDictionary[type, Callable[[bytes], Any]] = WeakKeyDictionary()


def decoder(behaviour: type) -> Callable[[bytes], Any]:
    """The decoder of the union that a behaviour class names in `receives`, made once.

    It raises msgspec.DecodeError for other messages; TypeError when the class names none.
    """
    decode = _decoders.get(behaviour)
    if decode is None:
        receives = getattr(behaviour, "receives", None)
        if receives is None:
            raise TypeError(f"{behaviour.__name__} does not say what it receives")
        decode = _decoders[behaviour] = msgspec.msgpack.Decoder(receives).decode
    return decode


def type_name(data: bytes) -> str:
    """The class name of an encoded message: all of it that may be logged."""
    try:
        fields = msgspec.msgpack.decode(data)
    except msgspec.DecodeError:
        return "?"
    return str(fields[0]) if isinstance(fields, list) and fields else "?"
