"""JSON, and the same as msgpack, as clients send it: what of it can be passed on, and what cannot.

Refused at the edge because no vendor, journal or socket could carry it: text with a lone
surrogate, an integer beyond 64 bits, a number beyond a double, nesting deeper than 200, and of
msgpack what JSON has no word for.
"""

from __future__ import annotations

import json
from math import isfinite
from typing import Any, NoReturn

import msgspec

from actors.errors import BadRequest

MAX_DEPTH = 200
TOO_DEEP = f"the body must not be nested deeper than {MAX_DEPTH} levels"
LEAST_INTEGER, MOST_INTEGER = -(2**63), 2**64 - 1
MOST_DIGITS = 21


def parse(body: bytes | str, path: str = "", *, numbers: bool = True) -> Any:
    """Any JSON, checked as by :func:`check_value`; `bad json` when it is none."""
    try:
        text = body.decode() if isinstance(body, bytes) else body
        data = json.loads(text, parse_constant=_refuse_constant, parse_int=_integer)
    except RecursionError as error:
        raise BadRequest(TOO_DEEP) from error
    except ValueError as error:
        raise BadRequest("bad json", code="bad_json") from error
    check_value(data, path, numbers=numbers)
    return data


def parse_map(body: bytes, path: str = "", *, numbers: bool = True) -> Any:
    """The same of msgpack."""
    try:
        data = msgspec.msgpack.decode(body)
    except RecursionError as error:
        raise BadRequest(TOO_DEEP) from error
    except (msgspec.MsgspecError, ValueError, OverflowError) as error:
        raise BadRequest("bad json", code="bad_json") from error
    check_value(data, path, numbers=numbers)
    return data


def check_value(value: Any, path: str, depth: int = 0, *, numbers: bool = True) -> None:
    """Raises :class:`BadRequest` naming the first value under `path` that cannot be passed on.

    Without `numbers` their size is left to be checked later: only text and depth would spoil even
    a complaint about something else.
    """
    if isinstance(value, dict | list):
        if depth >= MAX_DEPTH:
            raise BadRequest(TOO_DEEP)
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, child in pairs:
            if isinstance(key, str):
                _check_text(key, path)
                at = f"{path}.{key}" if path else key
            elif isinstance(value, dict):
                raise BadRequest(f"{path or 'body'} must be an object with text for its keys")
            else:
                at = f"{path}[{key}]"
            check_value(child, at, depth + 1, numbers=numbers)
    elif isinstance(value, str):
        _check_text(value, path)
    elif value is not None and not isinstance(value, int | float):
        raise BadRequest(f"{path or 'body'} must be data that JSON can hold")
    elif numbers:
        _check_number(value, path)


def _check_number(value: float | None, path: str) -> None:
    if isinstance(value, int) and not LEAST_INTEGER <= value <= MOST_INTEGER:
        raise BadRequest(f"{path} must be an integer of at most 64 bits")
    if isinstance(value, float) and not isfinite(value):
        raise BadRequest(f"{path} must be a finite number, got {value}")


def _check_text(text: str, path: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadRequest(f"{path} must be text that can be encoded: a lone surrogate") from error


def _integer(digits: str) -> int:
    """One that is too long is cut, to a length that is still too long: reading it takes time."""
    return int(digits[:MOST_DIGITS])


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)
