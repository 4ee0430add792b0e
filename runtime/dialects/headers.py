"""What every request to a vendor carries, whatever the dialect."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TypeAlias

try:
    _VERSION = version("planhub")
except PackageNotFoundError:  # run from a source tree that was never installed
    _VERSION = "0"

Headers: TypeAlias = tuple[tuple[str, str], ...]
"""A dialect has the same tuple for all its requests, so that a transport need not write it anew."""

COMMON_HEADERS: Headers = (
    ("accept", "application/json"),
    ("accept-encoding", "identity"),  # answers are small, and a compressed one could be a bomb
    ("content-type", "application/json"),
    ("user-agent", f"planhub/{_VERSION}"),
)
