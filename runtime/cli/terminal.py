"""Writing to the terminal: results on standard output, all else on standard error."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

from rich.console import Console

PIPED_WIDTH = 240
STANDARD_INPUT = "\0"
"""What stands for `-` among the arguments, which would pass for an option; no shell passes it."""


@cache
def stderr() -> Console:
    return Console(stderr=True, highlight=False)


@cache
def stdout() -> Console:
    """Wide where nobody looks at it: a program that reads a table wants a line to be a line."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)


def write(text: str) -> None:
    """A result, on standard output.

    On a terminal without control characters: a model's answer must not be able to move the
    cursor or rename the window.
    """
    if sys.stdout.isatty():
        text = printable(text)
    sys.stdout.write(text if text.endswith("\n") else text + "\n")
    sys.stdout.flush()


def write_json(value: Any) -> None:
    import msgspec

    write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def printable(text: str) -> str:
    """The text without control characters; lines and tabs stay."""
    return "".join(c for c in text if c.isprintable() or c in "\n\t")


def usd(amount: float) -> str:
    """An amount with the digits that matter: $0.0012, $0.15, $12.30."""
    if amount == 0 or amount >= 0.1:
        return f"${amount:,.2f}"
    return f"${amount:.4f}" if amount >= 0.0001 else f"${amount:.6f}"
