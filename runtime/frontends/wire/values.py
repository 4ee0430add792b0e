"""JSON as clients send it: what of it can be passed on, and what cannot.

Refused at the edge because no vendor, journal or socket could carry it: text with a lone
surrogate, an integer beyond 64 bits, a number beyond a double, nesting deeper than 200.
"""

from __future__ import annotations

import json
from math import isfinite
from typing import Any, NoReturn

from actors.errors import BadRequest

MAX_DEPTH = 200
TOO_DEEP = f"the body must not be nested deeper than {MAX_DEPTH} levels"
LEAST_INTEGER, MOST_INTEGER = -(2**63), 2**64 - 1


def parse(body: bytes | str, path: str = "") -> Any:
    """Any JSON, checked; `bad json` when it is none."""
    try:
        text = body.decode() if isinstance(body, bytes) else body
        data = json.loads(
            text, parse_constant=_refuse_constant, parse_int=_integer, parse_float=_number
        )
    except RecursionError as error:
        raise BadRequest(TOO_DEEP) from error
    except ValueError as error:
        raise BadRequest("bad json", code="bad_json") from error
    check_value(data, path)
    return data


def check_value(value: Any, path: str, depth: int = 0) -> None:
    """Raises :class:`BadRequest` naming the first value under `path` that cannot be passed on."""
    if isinstance(value, dict | list):
        if depth >= MAX_DEPTH:
            raise BadRequest(TOO_DEEP)
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, child in pairs:
            if isinstance(key, str):
                _check_text(key, path)
                check_value(child, f"{path}.{key}" if path else key, depth + 1)
            else:
                check_value(child, f"{path}[{key}]", depth + 1)
    elif isinstance(value, str):
        _check_text(value, path)
    elif isinstance(value, int) and not LEAST_INTEGER <= value <= MOST_INTEGER:
        raise BadRequest(f"{path} must be an integer of at most 64 bits")
    elif isinstance(value, float) and not isfinite(value):
        raise BadRequest(f"{path} must be a finite number, got {value}")


def _check_text(text: str, path: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadRequest(f"{path} must be text that can be encoded: a lone surrogate") from error


def _integer(digits: str) -> int:
    if len(digits) > 20:
        raise BadRequest("an integer must have at most 64 bits")
    return int(digits)


def _number(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):
        raise BadRequest("a number must fit a double")
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)
